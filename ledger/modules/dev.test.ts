import { describe, expect, test } from "vitest";
import { assert } from "../../base/assert.ts";
import type { Address } from "../../base/brand.ts";
import { bigIntToFixedBytes, bytesToDigest, hexToBytes } from "../../base/bytes.ts";
import { moduleAddress } from "../../base/moduleAddress.ts";
import { addressOf, LedgerNetwork, operationBody } from "../../test/fakes/ledgerNetwork.ts";
import type { Receipt } from "../receiptTypes.ts";
import { impersonatedCall, type AccountWrite } from "./dev.ts";
import { historyAddress } from "./evmHistory.ts";

/*
 * Goal: on a chain that allows it accounts become what is asked, coins are still counted, and no
 * other chain takes such an operation.
 */

function networkOf(operations: "allowed" | "refused" = "allowed"): LedgerNetwork {
  return new LedgerNetwork({
    balances: [["operator", { thetaWei: 0n, tfuelWei: 10n ** 12n }]],
    parameters: new Map([["dev.operations", operations]]),
  });
}

function operationOf(network: LedgerNetwork, name: string, body: unknown, gasLimit: bigint) {
  const signer = { address: addressOf("operator"), sequence: network.nonceOf("operator") + 1n };
  const bytes = operationBody(network.registry, { module: "dev", name, body });
  const op = { module: "dev", name, body: bytes };
  return network.operation([signer], op, { fee: gasLimit, gasLimit });
}

async function run(network: LedgerNetwork, name: string, body: unknown): Promise<Receipt> {
  const outcome = await network.execute([operationOf(network, name, body, 200_000n)]);
  assert(outcome.ok, outcome.ok ? "" : outcome.refusal.refusal.code);
  const receipt = outcome.value.receipts[0];
  assert(receipt !== undefined, "one receipt");
  return receipt;
}

const slot = bytesToDigest(bigIntToFixedBytes(3n, 32));

function writeOf(address: Address, parts: Partial<AccountWrite>): AccountWrite {
  return { address, nonce: [], balance: [], code: [], cleared: false, storage: [], ...parts };
}

describe("write", () => {
  const bob = addressOf("bob");

  test("sets what is given and leaves the rest; coins that appear or go are counted", async () => {
    const network = networkOf();
    const code = hexToBytes("600054");
    const first = writeOf(bob, { balance: [7n], code: [code], storage: [{ slot, word: 9n }] });
    expect((await run(network, "write", { accounts: [first] })).status).toBe(1);
    const before = network.state.account(bob);
    expect(before).toMatchObject({ nonce: 0n, balance: 7n });
    expect(network.state.code(before?.codeHash ?? slot)).toEqual(code);
    expect(network.state.storage(bob, slot)).toEqual(Uint8Array.of(9));
    // The network asserts after each block that balances are what was minted and not burned.
    const second = writeOf(bob, { nonce: [4n], balance: [2n] });
    await run(network, "write", { accounts: [second] });
    expect(network.state.account(bob)).toMatchObject({ nonce: 4n, balance: 2n });
    expect(network.state.storage(bob, slot)).toEqual(Uint8Array.of(9));
    await run(network, "write", { accounts: [writeOf(bob, { cleared: true })] });
    expect(network.state.storage(bob, slot)).toBeNull();
  });

  test("an account that is left with nothing is gone", async () => {
    const network = networkOf();
    await run(network, "write", { accounts: [writeOf(bob, { balance: [1n] })] });
    await run(network, "write", { accounts: [writeOf(bob, { balance: [0n] })] });
    expect(network.state.account(bob)).toBeNull();
  });

  test.each([
    ["a module's account", moduleAddress("bank"), {}],
    ["the hashes of blocks", historyAddress, {}],
    ["a nonce that cannot be raised", bob, { nonce: [(1n << 64n) - 1n] }],
  ])("refuses %s", async (_, address, parts) => {
    const network = networkOf();
    const receipt = await run(network, "write", { accounts: [writeOf(address, parts)] });
    expect(receipt).toMatchObject({ status: 0, failure: "bodyInvalid" });
  });
});

describe("transact", () => {
  const whale = addressOf("whale");

  test("runs in the name of who has not signed, and raises that one's nonce", async () => {
    const network = networkOf();
    await run(network, "write", { accounts: [writeOf(whale, { balance: [100n] })] });
    const to = addressOf("bob");
    const body = { from: whale, to: [to], value: 30n, data: new Uint8Array(0), gasLimit: 50_000n };
    expect((await run(network, "transact", body)).status).toBe(1);
    expect(network.state.account(whale)).toMatchObject({ nonce: 1n, balance: 70n });
    expect(network.state.account(to)?.balance).toBe(30n);
    const again = operationOf(network, "transact", body, 50_000n);
    expect(impersonatedCall(again)).toMatchObject({ from: whale, to, value: 30n });
    expect(await run(network, "transact", { ...body, value: 71n })).toMatchObject({
      status: 0,
      failure: "balanceTooLow",
    });
  });

  test("creates a contract where it names no target", async () => {
    const network = networkOf();
    const body = { from: whale, to: [], value: 0n, data: hexToBytes("5f5ff3"), gasLimit: 90_000n };
    const { status, contractAddress } = await run(network, "transact", body);
    expect([status, contractAddress]).toEqual([1, expect.stringMatching(/^0x/)]);
  });
});

test("a chain that does not allow them takes neither", async () => {
  const network = networkOf("refused");
  const transact = {
    from: addressOf("whale"),
    to: [],
    value: 0n,
    data: new Uint8Array(0),
    gasLimit: 90_000n,
  };
  const operations = [
    operationOf(network, "write", { accounts: [] }, 200_000n),
    operationOf(network, "transact", transact, 200_000n),
  ];
  for (const operation of operations) {
    expect(await network.execute([operation])).toMatchObject({
      ok: false,
      refusal: { refusal: { code: "operationUnavailable" } },
    });
  }
});

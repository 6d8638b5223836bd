import { expect, test } from "vitest";

import { assert } from "../../base/assert.ts";
import { bytesToBigInt, hexToBytes, textToBytes } from "../../base/bytes.ts";
import { keccakDigest } from "../../crypto/keccak.ts";
import type { EvmResult } from "../../vm/evm.ts";
import { LedgerNetwork, transferOf } from "../../test/fakes/ledgerNetwork.ts";
import { messageOf, sceneOf } from "../../test/fakes/simulation.ts";
import { compileSolidity } from "../../test/fakes/solidity.ts";
import type { Receipt } from "../receiptTypes.ts";
import { receiptsRoot } from "../receipt.ts";
import { simulate, type SimulatedMessage } from "../simulate.ts";
import type { EthereumTransaction } from "../thetaTypes.ts";
import { precompileAddress } from "./evmPrecompiles.ts";

/*
 * Hostile contracts: the rows X of the fault matrix that one process can show.
 */

const rich = { thetaWei: 1_000n, tfuelWei: 10n ** 18n };

function networkOf(): LedgerNetwork {
  return new LedgerNetwork({ balances: [["alice", rich]] });
}

/** The four bytes that name a function. */
function selectorOf(signature: string): string {
  return keccakDigest(textToBytes(signature)).slice(0, 10);
}

/** Runs a message on the network's state, which stays as it is. */
async function ran(network: LedgerNetwork, parts: Partial<SimulatedMessage>): Promise<EvmResult> {
  const request = { message: messageOf(parts), state: new Map(), block: {}, gasMax: 30_000_000n };
  const outcome = await simulate(sceneOf(network), request);
  assert(outcome.ok, outcome.ok ? "" : outcome.refusal.code);
  return outcome.value;
}

async function committed(
  network: LedgerNetwork,
  parts: Partial<EthereumTransaction> & Pick<EthereumTransaction, "to">,
): Promise<Receipt> {
  const nonce = network.nonceOf("alice");
  const body = transferOf({ nonce, value: 0n, gasLimit: 3_000_000n, ...parts });
  const outcome = await network.execute([network.ethereum("alice", body)]);
  assert(outcome.ok, "the block is valid");
  const receipt = outcome.value.receipts[0];
  assert(receipt !== undefined, "one receipt");
  return receipt;
}

/** Init code that leaves so many zero bytes as the contract's code. */
function leaving(size: number): Uint8Array {
  return hexToBytes(`61${size.toString(16).padStart(4, "0")}5ff3`);
}

test("X3: code, init code, stack beyond their limits and jumps into data fail", async () => {
  const network = networkOf();
  expect(await ran(network, { data: leaving(24_576) })).toMatchObject({ ok: true });
  expect(await ran(network, { data: leaving(24_577) })).toMatchObject({ ok: false });
  const receiptOf = async (data: Uint8Array): Promise<string> => {
    const nonce = network.nonceOf("alice");
    const body = transferOf({ nonce, value: 0n, gasLimit: 3_000_000n, to: null, data });
    const outcome = await network.execute([network.ethereum("alice", body)]);
    return outcome.ok ? "taken" : outcome.refusal.refusal.code;
  };
  expect(await receiptOf(new Uint8Array(49_152))).toBe("taken");
  expect(await receiptOf(new Uint8Array(49_153))).toBe("initCodeTooLarge");
  const pushes = (count: number): Uint8Array => hexToBytes("5f".repeat(count));
  expect(await ran(network, { data: pushes(1_024) })).toMatchObject({ ok: true });
  const overflow = await ran(network, { data: pushes(1_025) });
  expect(overflow).toMatchObject({ ok: false, failure: "stack overflow" });
  // PUSH1 4, JUMP to the operand of PUSH1 0x5b: a JUMPDEST only in appearance.
  const jump = await ran(network, { data: hexToBytes("600456605b00") });
  expect(jump).toMatchObject({ ok: false, failure: expect.stringMatching(/^invalid JUMP/) });
});

const factory = `
  contract Child { function die() external { selfdestruct(payable(msg.sender)); } }
  contract Factory {
    uint public second;
    function twice() external {
      new Child{salt: 0}().die();
      try this.again() { second = 1; } catch { second = 2; }
    }
    function again() external { new Child{salt: 0}(); }
  }`;

test("X4: CREATE2, SELFDESTRUCT and CREATE2 in one transaction", async () => {
  const network = networkOf();
  const code = compileSolidity(factory, "Factory");
  const { contractAddress: to } = await committed(network, { to: null, data: code });
  assert(to !== null, "deployed");
  const run = async (selector: string): Promise<Receipt> =>
    committed(network, { to, data: hexToBytes(selector) });
  const selectors = { twice: selectorOf("twice()"), again: selectorOf("again()") };
  expect((await run(selectors.twice)).status).toBe(1);
  // The first child lived until the transaction's end, so the second one collided with it.
  const second = await ran(network, { to, data: hexToBytes(selectorOf("second()")) });
  expect(bytesToBigInt(second.returnData)).toBe(2n);
  // It is gone now, and may come back once.
  expect((await run(selectors.again)).status).toBe(1);
  expect((await run(selectors.again)).status).toBe(0);
});

test("X8: precompiles answer inputs of every length", async () => {
  const network = networkOf();
  for (let number = 1; number <= 17; number += 1) {
    for (let size = 0; size <= 260; size += number === 5 ? 13 : 1) {
      const data = new Uint8Array(size).fill(size % 3);
      const result = await ran(network, { to: precompileAddress(number), data });
      expect(result.gasUsed, `${number} with ${size} bytes`).toBeLessThanOrEqual(30_000_000n);
    }
  }
  for (let number = 201; number <= 207; number += 1) {
    for (let size = 0; size <= 300; size += 1) {
      const to = precompileAddress(number);
      const { ok } = await ran(network, { to, data: new Uint8Array(size) });
      const fits = number <= 202 || (number === 203 && size === 52);
      expect(ok, `${number} with ${size} bytes`).toBe(fits);
    }
  }
}, 120_000);

test("X9: a block executed again, cold and warm, has the same results", async () => {
  const network = networkOf();
  const code = compileSolidity(factory, "Factory");
  const { contractAddress: to } = await committed(network, { to: null, data: code });
  const nonce = network.nonceOf("alice");
  const data = hexToBytes(selectorOf("twice()"));
  const body = transferOf({ nonce, value: 0n, gasLimit: 3_000_000n, to, data });
  const transactions = [network.ethereum("alice", body)];
  const block = network.next();
  const once = async (): Promise<unknown> => {
    const reader = network.state;
    const outcome = await network.executor.executeBlock({
      reader,
      block,
      transactions,
      evidence: [],
    });
    assert(outcome.ok, "the block is valid");
    const { changes, receipts, jobReceipt, logsBloom } = outcome.value;
    const encoded = transactions.map((transaction) => transaction.encoded);
    const root = receiptsRoot(receipts, encoded, jobReceipt);
    return { root, state: reader.apply(changes).root, logsBloom };
  };
  const first = await once();
  expect(await Promise.all([once(), once(), once()])).toEqual([first, first, first]);
});

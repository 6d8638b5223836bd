import { expect, test } from "vitest";
import { textToAddressOrNull, textToDigestOrNull } from "../base/bytes.ts";
import * as client from "./client.ts";
import { LedgerClient } from "./client.ts";
import * as errors from "./errors.ts";
import { ProtocolError, TimeoutError } from "./errors.ts";
import * as transport from "./transport.ts";
import * as units from "./units.ts";
import * as wallet from "./wallet.ts";

const hash = `0x${"ab".repeat(32)}`;
const address = textToAddressOrNull("2e833968e5bb786ae419c4d13189fb081cc43bab");
const digest = textToDigestOrNull(hash);
if (address === null || digest === null) throw new Error("test data");

/** A client whose node answers each method from a table; functions are called per request. */
function clientOf(methods: Readonly<Record<string, (params: object) => unknown>>): LedgerClient {
  return new LedgerClient({
    url: "http://node.test/rpc",
    fetch: async (_url, init) => {
      const request = (await new Response(init?.body).json()) as {
        id: number;
        method: string;
        params: object;
      };
      const method = methods[request.method];
      const answer =
        method === undefined
          ? { error: { code: -32_601, message: "no such method" } }
          : { result: method(request.params) };
      return Response.json({ jsonrpc: "2.0", id: request.id, ...answer });
    },
  });
}

const account = { address, sequence: "7", coins: { thetawei: "10", tfuelwei: `${2n ** 80n}` } };

test("amounts and sequences become bigints without passing through a number", async () => {
  const client = clientOf({ "theta.GetAccount": () => account });
  expect(await client.account(address)).toEqual({
    address,
    sequence: 7n,
    coins: { thetaWei: 10n, tfuelWei: 2n ** 80n },
  });
});

test("the next sequence counts pending transactions", async () => {
  const asked: object[] = [];
  const client = clientOf({
    "theta.GetAccount": (params) => {
      asked.push(params);
      return account;
    },
  });
  expect(await client.nextSequence(address)).toBe(8n);
  expect(asked).toEqual([{ address, preview: true }]);
});

test("an account that is not there is null, and its first sequence is 1", async () => {
  const client = new LedgerClient({
    url: "http://node.test/rpc",
    fetch: async () =>
      Response.json({
        id: 1,
        error: { code: -32_000, message: `Account with address ${address} is not found` },
      }),
  });
  expect(await client.account(address)).toBeNull();
});

test.each([["-1"], ["1.5"], ["1e18"], [" 1"], [""], [2 ** 60], [null]])(
  "the sequence %o is refused",
  async (sequence) => {
    const client = clientOf({ "theta.GetAccount": () => ({ ...account, sequence }) });
    await expect(client.account(address)).rejects.toBeInstanceOf(ProtocolError);
  },
);

test("waiting ends when the transaction is committed, and tells a failed one", async () => {
  const answers = [
    { status: "not_found" },
    { status: "pending" },
    { status: "finalized", block_hash: hash, block_height: "5", receipt: { EvmErr: "no funds" } },
  ];
  const client = clientOf({ "theta.GetTransaction": () => answers.shift() });
  const found = await client.waitCommitted(digest);
  expect([found.status, found.height, found.failure]).toEqual(["finalized", 5, "no funds"]);
});

test("waiting for ever ends with a timeout that names the hash", async () => {
  const client = clientOf({ "theta.GetTransaction": () => ({ status: "pending" }) });
  const failure = await client
    .waitCommitted(digest, { timeoutMs: 1 })
    .catch((thrown: unknown) => thrown);
  expect(failure).toBeInstanceOf(TimeoutError);
  expect(String(failure)).toContain(hash);
});

test("the suggested fee is above the floor that the node's gas price sets", async () => {
  const client = clientOf({ eth_gasPrice: () => "0x5f5e100" });
  const floor = 10n ** 12n; // Theta's old minimum: 10,000 gas at 10^8.
  expect(await client.suggestedFee(10_000n)).toBe(2n * floor);
});

test("the public names of the sdk", () => {
  const names = [client, errors, transport, units, wallet].map((file) =>
    Object.keys(file).toSorted(),
  );
  expect(names.flat()).toMatchInlineSnapshot(`
    [
      "LedgerClient",
      "KeystoreError",
      "ProtocolError",
      "RpcError",
      "TimeoutError",
      "UnreachableError",
      "Transport",
      "answerBytesMax",
      "batchCallsMax",
      "formatCoins",
      "parseAmount",
      "weiPerCoin",
      "weiPerGwei",
      "encodeSmartContractCall",
      "keySigner",
      "nativeGasMax",
      "signDepositStake",
      "signEthereumCall",
      "signEthereumTransfer",
      "signOperation",
      "signRegisterKey",
      "signReleaseFund",
      "signReserveFund",
      "signRewardDistribution",
      "signSend",
      "signSettlement",
      "signSmartContract",
      "signSplitRule",
      "signWithdrawStake",
      "walletSignature",
    ]
  `);
});

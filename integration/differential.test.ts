import { getCreateAddress, HDNodeWallet, JsonRpcProvider, type TransactionReceipt } from "ethers";
import { afterAll, beforeAll, expect, test } from "vitest";

import { Prng } from "../test/sim/prng.ts";
import { cleanUp, startLedger } from "./harness.ts";
import { startAnvil } from "./tools.ts";

/*
 * Goal: contracts do here what they do on Ethereum at the newest fork, for which there are no
 * official state tests. Method: the same signed transactions, random programs in them, go to this
 * node and to anvil; receipts, logs, code, storage and what calls return must be equal. Numbers
 * come from a seed, so that a difference can be looked at again.
 */

const count = Number(process.env["DIFFERENTIAL_TRANSACTIONS"] ?? "60");
const seedText = process.env["DIFFERENTIAL_SEED"] ?? "1";

function hex(dice: Prng, bytes: number): string {
  const digits = Array.from({ length: bytes }, () => dice.below(256).toString(16).padStart(2, "0"));
  return digits.join("");
}

const signature = [
  "456e9aea5e197a1f1af7a3e85a3212fa4049a3ba34c2289b4c860fc0b0c64ef3",
  "1c".padStart(64, "0"),
  "9242685bf161793cc25603c231bc2f568eb630ea16aa137d2664ac8038825608",
  "4f8ae3bd7535248d0bd448298cc2e2071e56992d0774dc340c368ae950852ada",
];

/** Instructions whose results are the same on both chains: nothing of the block, no balances. */
const plain = "01 02 03 04 05 06 07 08 09 0a 0b 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e".split(
  " ",
);
const others = "30 32 33 34 36 38 3d 46 47 50 51 54 58 59 5a 5c 80 81 82 83 90 91 92".split(" ");

function push(dice: Prng): string {
  const size = dice.pick([1, 1, 1, 1, 2, 4, 20, 32]);
  return `${(0x5f + size).toString(16)}${hex(dice, size)}`;
}

/** A call into a contract or a precompile, its answer on the stack and in memory. */
function call(dice: Prng, targets: readonly string[]): string {
  const precompile = dice.pick([1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 15, 16, 256]).toString(16);
  const known = targets[dice.below(Math.max(1, targets.length))];
  const to =
    known === undefined || dice.below(2) === 0
      ? `61${precompile.padStart(4, "0")}`
      : `73${known.slice(2)}`;
  const sizes = `604060${hex(dice, 1)}60${hex(dice, 1)}60${hex(dice, 1)}`;
  const gas = `61${(dice.below(40_000) + 100).toString(16).padStart(4, "0")}`;
  const opcode = dice.pick(["f1", "f2", "f4", "fa"]);
  const value =
    opcode === "f1" || opcode === "f2" ? `60${dice.below(3).toString(16).padStart(2, "0")}` : "";
  return `${sizes}${value}${to}${gas}${opcode}`;
}

/** A program that mostly runs to its end, and then returns part of its memory. */
function program(dice: Prng, targets: readonly string[]): string {
  // A signature, so that ecrecover sometimes has one.
  let code = signature
    .map((word, i) => `7f${word}60${(32 * i).toString(16).padStart(2, "0")}52`)
    .join("");
  code += Array.from({ length: 8 }, () => push(dice)).join("");
  const steps = 5 + dice.below(40);
  for (let i = 0; i < steps; i += 1) {
    const kind = dice.below(20);
    if (kind < 6) code += push(dice);
    else if (kind < 11) code += dice.pick(["01", ...plain]);
    else if (kind < 14) code += dice.pick(["50", ...others]);
    else if (kind === 14) code += `60${hex(dice, 1)}52`; // MSTORE
    else if (kind === 15) code += `60${dice.below(8).toString(16).padStart(2, "0")}55`; // SSTORE
    else if (kind === 16) code += `60${hex(dice, 1)}60${hex(dice, 1)}20`; // KECCAK256
    else if (kind === 17) code += `60${hex(dice, 1)}60${hex(dice, 1)}a1`; // LOG1
    else if (kind === 18) code += `60${dice.below(4).toString(16).padStart(2, "0")}5d`; // TSTORE
    else code += call(dice, targets);
  }
  const end = dice.below(12);
  if (end === 0) return `${code}60${hex(dice, 1)}5ffd`; // REVERT
  if (end === 1) return `${code}33ff`; // SELFDESTRUCT to the caller
  return `${code}60${hex(dice, 1)}5ff3`;
}

/** Init code that leaves a program as a contract. */
function creation(code: string): string {
  const size = (code.length / 2).toString(16).padStart(4, "0");
  return `61${size}80600a5f395ff3${code}`;
}

const mnemonic = "test test test test test test test test test test test junk";
const providers: JsonRpcProvider[] = [];

beforeAll(async () => {
  const node = await startLedger(["devnet", "--eth-port=0"]);
  for (const url of [node.url, await startAnvil()]) {
    providers.push(new JsonRpcProvider(url, undefined, { pollingInterval: 20, cacheTimeout: -1 }));
  }
});
afterAll(async () => {
  for (const provider of providers) provider.destroy();
  await cleanUp();
});

/** The same question to both. */
function both<T>(ask: (provider: JsonRpcProvider) => Promise<T>): Promise<readonly T[]> {
  return Promise.all(providers.map(ask));
}

/** Asks until it is there: ethers itself looks again only when one more block has come. */
async function receiptOf(provider: JsonRpcProvider, hash: string): Promise<TransactionReceipt> {
  for (;;) {
    const receipt = await provider.getTransactionReceipt(hash);
    if (receipt !== null) return receipt;
  }
}

/** What must be equal of a receipt. */
function facts(receipt: TransactionReceipt) {
  const { status, gasUsed, type, contractAddress, logsBloom } = receipt;
  const logs = receipt.logs.map(({ address, topics, data }) => ({ address, topics, data }));
  return { status, gasUsed, type, contractAddress, logsBloom, logs };
}

test(`random programs do the same here and on anvil, seed ${seedText}`, async () => {
  const dice = new Prng(Number(seedText), "differential");
  const wallet = HDNodeWallet.fromPhrase(mnemonic);
  const contracts: string[] = [];
  const outcomes = { done: 0, failed: 0 };
  for (let nonce = 0; nonce < count; nonce += 1) {
    const creates = contracts.length < 3 || dice.below(3) === 0;
    const target = contracts[dice.below(Math.max(1, contracts.length))] ?? null;
    const data = creates ? creation(program(dice, contracts)) : hex(dice, dice.below(100));
    const access = { address: target ?? wallet.address, storageKeys: [`0x${"00".repeat(32)}`] };
    const type = dice.pick([0, 1, 2]);
    const fees =
      type === 2
        ? { maxFeePerGas: 10n ** 12n, maxPriorityFeePerGas: 1n }
        : { gasPrice: 10n ** 12n };
    const raw = await wallet.signTransaction({
      ...fees,
      type,
      chainId: 366,
      nonce,
      gasLimit: 1_500_000n,
      ...(creates ? {} : { to: target }),
      value: creates ? 0n : BigInt(dice.below(5)),
      data: `0x${data}`,
      ...(type === 0 ? {} : { accessList: [access] }),
    });
    const receipts = await both(async (provider) => {
      const { hash } = await provider.broadcastTransaction(raw);
      return facts(await receiptOf(provider, hash));
    });
    const [ours, theirs] = receipts;
    expect(ours, `transaction ${nonce}`).toEqual(theirs);
    outcomes[ours?.status === 1 ? "done" : "failed"] += 1;
    if (creates) contracts.push(getCreateAddress({ from: wallet.address, nonce }));
  }
  for (const address of contracts) {
    const [code, other] = await both((provider) => provider.getCode(address));
    expect(code, address).toBe(other);
    for (let slot = 0; slot < 8; slot += 1) {
      const [word, same] = await both((provider) => provider.getStorage(address, slot));
      expect(word, `${address} ${slot}`).toBe(same);
    }
    const message = {
      from: wallet.address,
      to: address,
      data: `0x${hex(dice, 40)}`,
      gas: "0x30d40",
    };
    const results = await both(async (provider) => {
      const sent = provider.send("eth_call", [message, "latest"]) as Promise<string>;
      return sent.catch(() => "failed");
    });
    expect(results[0], `a call of ${address}`).toBe(results[1]);
  }
  const { done, failed } = outcomes;
  console.log(`differential, seed ${seedText}: ${done} done and ${failed} failed, all alike`);
  expect(done).toBeGreaterThan(count / 4);
}, 1_200_000);

type SimulatedBlock = {
  readonly calls: readonly { readonly [name: string]: unknown }[];
  readonly gasUsed: string;
};

test("eth_simulateV1 answers as anvil does", async () => {
  const code = "0x5f545f5260016001555f54600101805f5560205260405fa060405ff3"; // Counts.
  const address = `0x${"c1".repeat(20)}`;
  const from = `0x${"f1".repeat(20)}`;
  const reverter = `0x${"c2".repeat(20)}`;
  const payload = {
    blockStateCalls: [
      {
        stateOverrides: {
          [address]: { code },
          [reverter]: { code: "0x60aa5f5260205ffd" },
          [from]: { balance: "0xffffffff" },
        },
        calls: [
          { from, to: address },
          { from, to: address, value: "0x7" },
          { from, to: reverter },
          { from, to: `0x${"d1".repeat(20)}`, value: "0x9" },
        ],
      },
      { calls: [{ from, to: address }] },
    ],
    traceTransfers: true,
  };
  const [ours, theirs] = await both(async (provider) => {
    const blocks = (await provider.send("eth_simulateV1", [payload, "latest"])) as SimulatedBlock[];
    return blocks.map(({ calls, gasUsed }) => ({
      gasUsed,
      calls: calls.map(({ status, gasUsed: gas, returnData, logs }) => ({
        status,
        gas,
        returnData,
        logs: Array.isArray(logs)
          ? logs.map((log: { [name: string]: unknown }) => [log["topics"], log["data"]])
          : logs,
      })),
    }));
  });
  expect(ours).toEqual(theirs);
});

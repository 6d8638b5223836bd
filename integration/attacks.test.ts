import { fromRlp, hexToBigInt, isHex, type Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { WebSocket } from "ws";
import { afterAll, beforeAll, expect, test } from "vitest";

import { bombs, recursions } from "../test/fakes/bombs.ts";
import {
  checkoutFolder,
  cleanUp,
  fixturePassword,
  startLedger,
  waitFor,
  type RunningNode,
} from "./harness.ts";

/*
 * Goal: whatever clients ask for, blocks keep their pace and a good client is answered. Method: the
 * time between blocks, from their headers, before and under each attack; `npm run campaign --
 * attacks` keeps each up for longer.
 */

const seconds = process.env["ATTACK_SECONDS"];
const attackMs = Number(seconds ?? "1.5") * 1_000;
/** What outlasts an attack, as calls that wait for a thread do, is less of it in the short form. */
const sizes =
  seconds === undefined
    ? { callGas: 1_000_000, traced: "cold slots", traces: 100, blocks: 32 }
    : { callGas: 50_000_000, traced: "additions", traces: 1_000, blocks: 256 };
const idleMs = 200;
const account = privateKeyToAccount(`0x${"11".repeat(32)}`);

/**
 * Longest time between two blocks under attack, beside other tests. Without its limit an attack
 * stops the blocks for tens of seconds.
 */
const gapMsMax = 8_000;

let node: RunningNode;
beforeAll(async () => {
  const set = ["--set", `consensus.blockIntervalMsIdle=${idleMs}`];
  node = await startLedger(["start", "--config=integration/privatenet/node", ...set], {
    folder: checkoutFolder(),
    environment: { LEDGER_PASSWORD: fixturePassword },
  });
});
afterAll(cleanUp);

type Answer = { readonly result?: unknown; readonly error?: { readonly code: number } };

async function post(body: string): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(node.url, { method: "POST", headers, body });
  return response.json();
}

function callText(method: string, params: readonly unknown[]): string {
  return JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
}

async function call(method: string, params: readonly unknown[]): Promise<Answer> {
  return (await post(callText(method, params))) as Answer;
}

async function height(): Promise<number> {
  return Number((await call("eth_blockNumber", [])).result);
}

/** Milliseconds of a block, the ninth field of its header. */
async function timeOf(at: number): Promise<number> {
  const { result } = await call("debug_getRawHeader", [`0x${at.toString(16)}`]);
  const fields = fromRlp(String(result) as Hex);
  const time = Array.isArray(fields) ? fields[8] : undefined;
  if (!isHex(time)) throw new Error(`no header of ${at}: ${String(result)}`);
  return Number(hexToBigInt(time));
}

type Pace = { readonly blocks: number; readonly medianMs: number; readonly longestMs: number };

/** The pace of the blocks that come while `work` runs. */
async function paceDuring(work: () => Promise<void>): Promise<Pace> {
  const from = await height();
  await work();
  // One more, or the longest gap could be the one that is not over.
  await waitFor("the next block", async () => (await height()) > from + 1, 60_000);
  const to = await height();
  const times: number[] = [];
  for (let at = from; at <= to; at += 1) times.push(await timeOf(at));
  const gaps = times.slice(1).map((time, i) => time - (times[i] ?? time));
  const sorted = gaps.toSorted((a, b) => a - b);
  const medianMs = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return { blocks: gaps.length, medianMs, longestMs: sorted.at(-1) ?? 0 };
}

/** Does it again and again, so many at a time, until the attack is over; answers how often. */
async function repeat(atOnce: number, work: (i: number) => Promise<unknown>): Promise<number> {
  const end = performance.now() + attackMs;
  let count = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() < end) {
      count += 1;
      await work(count);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return count;
}

let nonce = 0;

/** Sends a bomb as a creation of a contract, without waiting for its block. */
async function sendBomb(code: string): Promise<Hex> {
  const raw = await account.signTransaction({
    type: "eip1559",
    chainId: 366,
    nonce,
    gas: 3_000_000n,
    maxFeePerGas: 10n ** 12n,
    maxPriorityFeePerGas: 1n,
    data: `0x${code}`,
  });
  nonce += 1;
  const { result, error } = await call("eth_sendRawTransaction", [raw]);
  if (error !== undefined) throw new Error(JSON.stringify(error));
  return String(result) as Hex;
}

const contract = `0x${"bb".repeat(20)}`;

/** Accounts with slots, all of which the state does not have. */
function hugeOverrides(): Readonly<Record<string, unknown>> {
  const slots = Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [
      `0x${i.toString(16).padStart(64, "0")}`,
      `0x${"ff".repeat(32)}`,
    ]),
  );
  const accounts = Array.from({ length: 1_000 }, (_, i) => [
    `0x${(i + 1_000).toString(16).padStart(40, "0")}`,
    { stateDiff: slots, code: "0x00" },
  ]);
  return Object.fromEntries(accounts);
}

function openSocket(): Promise<WebSocket> {
  const socket = new WebSocket(node.url.replace("http:", "ws:"), { perMessageDeflate: false });
  return new Promise((done, fail) => {
    socket.once("open", () => done(socket));
    socket.once("error", fail);
  });
}

type Attack = { readonly name: string; readonly run: () => Promise<unknown> };

const batchOf = (count: number, method: string, params: readonly unknown[]): string =>
  `[${Array.from({ length: count }, () => callText(method, params)).join(",")}]`;

const attacks: readonly Attack[] = [
  {
    name: "gas bombs in transactions",
    run: async () => {
      const codes = [...bombs.values()];
      let last: Hex = "0x";
      await repeat(1, async (i) => {
        last = await sendBomb(codes[i % codes.length] ?? "");
        await waitFor("room for the next", async () => nonce - (await mined()) < 12, 60_000);
      });
      await waitFor(
        "the last bomb is in a block",
        async () => (await receipt(last)) !== null,
        60_000,
      );
    },
  },
  {
    name: "deep recursion in eth_call",
    run: () => {
      const state = { [contract]: { code: `0x${recursions.get("calls of itself") ?? ""}` } };
      const message = { to: contract, gas: `0x${sizes.callGas.toString(16)}` };
      return repeat(4, () => call("eth_call", [message, "latest", state]));
    },
  },
  {
    name: "init code of 10 MB",
    run: () => {
      const data = `0x${"5b".repeat(10_000_000)}`;
      return repeat(2, () => call("eth_call", [{ data }, "latest"]));
    },
  },
  {
    name: "huge overrides in eth_call",
    run: () => {
      const text = callText("eth_call", [{ to: contract }, "latest", hugeOverrides()]);
      return repeat(4, () => post(text));
    },
  },
  {
    name: "eth_getLogs over everything",
    run: () => repeat(16, () => call("eth_getLogs", [{ fromBlock: "0x0", toBlock: "latest" }])),
  },
  {
    name: "10,000 filters that nobody polls",
    run: async () => {
      for (let i = 0; i < 10; i += 1) await post(batchOf(1_000, "eth_newFilter", [{}]));
    },
  },
  {
    name: "200 subscribers that never read",
    run: async () => {
      const sockets = await Promise.all(Array.from({ length: 200 }, openSocket));
      for (const socket of sockets) {
        for (const kind of ["newHeads", "logs", "newPendingTransactions"]) {
          socket.send(callText("eth_subscribe", kind === "logs" ? [kind, {}] : [kind]));
        }
        socket.pause();
      }
      await repeat(1, () => sendBomb(bombs.get("logs of 1,000 bytes") ?? ""));
      for (const socket of sockets) socket.terminate();
    },
  },
  {
    name: `a batch of ${sizes.traces} traces`,
    run: async () => {
      const hash = await sendBomb(bombs.get(sizes.traced) ?? "");
      await waitFor("the bomb is in a block", async () => (await receipt(hash)) !== null, 60_000);
      const batch = batchOf(sizes.traces, "debug_traceTransaction", [
        hash,
        { tracer: "callTracer" },
      ]);
      const stop = AbortSignal.timeout(attackMs);
      const headers = { "content-type": "application/json" };
      const options = { method: "POST", headers, body: batch, signal: stop };
      await fetch(node.url, options).then(
        (response) => response.text(),
        () => "given up",
      );
    },
  },
  {
    name: `${sizes.blocks} simulated blocks`,
    run: () => {
      const state = { [contract]: { code: `0x${bombs.get("cold slots") ?? ""}` } };
      const block = { stateOverrides: state, calls: [{ to: contract, gas: "0x30d40" }] };
      const blockStateCalls = Array.from({ length: sizes.blocks }, () => block);
      return repeat(4, () => call("eth_simulateV1", [{ blockStateCalls }, "latest"]));
    },
  },
];

async function mined(): Promise<number> {
  return Number((await call("eth_getTransactionCount", [account.address, "latest"])).result);
}

async function receipt(hash: Hex): Promise<unknown> {
  return (await call("eth_getTransactionReceipt", [hash])).result;
}

test("A2, A5: blocks keep their pace under each attack", async () => {
  const show = (name: string, { blocks, medianMs, longestMs }: Pace): void => {
    const numbers = `${blocks} blocks, ${medianMs} ms apart, at most ${longestMs} ms`;
    console.log(`${name.padEnd(34)}${numbers}`);
  };
  const wait = (): Promise<void> => repeat(1, () => height()).then(() => undefined);
  show("in peace", await paceDuring(wait));
  for (const { name, run } of attacks) {
    const pace = await paceDuring(async () => void (await run()));
    show(name, pace);
    expect(pace.longestMs, name).toBeLessThan(gapMsMax);
    expect((await call("eth_chainId", [])).result, name).toBe("0x16e");
  }
  expect(node.err()).not.toContain("assert");
}, 600_000);

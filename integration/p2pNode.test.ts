import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { hexToBytes } from "../base/bytes.ts";
import { encodeRlp, rlpNumber } from "../base/rlp.ts";
import { bytesCodec } from "../p2p/codec.ts";
import { envelopeCodec } from "../p2p/envelope.ts";
import { createP2pHost } from "../p2p/host.ts";
import type { Network } from "../p2p/network.ts";
import type { PeerId } from "../p2p/peerId.ts";
import type { Protocol } from "../p2p/protocols.ts";
import { cleanUp, freePort, startLedger, waitFor, type LaunchedNode } from "./harness.ts";

/*
 * Goal: a node of the network refuses what no honest node sends, parts with whoever goes on, serves
 * within its quotas, and makes blocks meanwhile.
 */

/** Longest wait for what a node does at once, in milliseconds; the machine may be busy. */
const soonMs = 30_000;

let node: LaunchedNode;
let address = "";
let genesis = new Uint8Array(32);
let runtime = new Uint8Array(32);
const strangers: Network[] = [];

type ChainAnswer = {
  readonly genesisHash: string;
  readonly runtimeHash: string;
  readonly epoch: number;
  readonly view: number;
};

beforeAll(async () => {
  const port = await freePort();
  address = `/ip4/127.0.0.1/tcp/${port}`;
  const settings = [`--set=p2p.listen=${address}`, "--block-time=1000", "--log-level=info"];
  node = await startLedger(["devnet", "--eth-port=0", ...settings]);
  const chain = (await node.client.call("ledger.chain", {})) as ChainAnswer;
  genesis = new Uint8Array(hexToBytes(chain.genesisHash));
  runtime = new Uint8Array(hexToBytes(chain.runtimeHash));
});

afterEach(async () => {
  await Promise.all(strangers.splice(0).map((stranger) => stranger.stop()));
  const { height } = await node.client.status();
  const goesOn = async (): Promise<boolean> => (await node.client.status()).height > height + 2;
  await waitFor("the node makes blocks", goesOn, soonMs);
});

afterAll(cleanUp);

/** A peer of another identity each time; with the node's own chain unless told otherwise. */
async function stranger(
  chain: { readonly genesis?: Uint8Array; readonly runtime?: Uint8Array } = {},
): Promise<{ readonly network: Network; readonly events: string[] }> {
  const events: string[] = [];
  const network = await createP2pHost({
    seed: crypto.getRandomValues(new Uint8Array(32)),
    listen: [],
    bootstrap: [address],
    chain: { genesis: chain.genesis ?? genesis, runtime: () => chain.runtime ?? runtime },
    observe: ({ type }) => void events.push(type),
  });
  strangers.push(network);
  return { network, events };
}

function rawProtocol(network: Network, name: string): Protocol<Uint8Array, Uint8Array> {
  return network.protocol(name, {
    request: bytesCodec,
    response: bytesCodec,
    requestBytesMax: 1024 * 1024,
    responseBytesMax: 4 * 1024 * 1024,
    timeoutMs: soonMs,
    rate: { perSecond: 10_000, burst: 10_000 },
    concurrencyMax: 64,
    handle: () => ({ verdict: "ignore" }),
  });
}

/** Connects and gives the node's name. */
async function meet(network: Network): Promise<PeerId> {
  await network.start();
  await waitFor("both have greeted", () => network.peers().length === 1, soonMs);
  const [met] = network.peers();
  if (met === undefined) throw new Error("the node has gone");
  return met.peer;
}

/** Sends again and again until the node hangs up, which it must. */
async function sendUntilBanned(network: Network, name: string, message: Uint8Array): Promise<void> {
  const protocol = rawProtocol(network, name);
  const peer = await meet(network);
  await waitFor(
    "the node hangs up",
    () => {
      if (network.peers().length > 0) protocol.send(peer, message);
      return network.peers().length === 0;
    },
    soonMs,
  );
  await waitFor("it says so", () => node.err().includes("peer banned"), soonMs);
}

test.each([
  ["genesis", { genesis: new Uint8Array(32).fill(1) }],
  ["runtime", { runtime: new Uint8Array(32).fill(1) }],
])("N10: a peer of another %s is not spoken to", async (_, chain) => {
  const { network, events } = await stranger(chain);
  await network.start();
  await waitFor("it was judged", () => events.includes("peerMisbehaved"), soonMs);
  expect(network.peers()).toEqual([]);
  expect(await node.client.call("ledger.peers", {})).toEqual([]);
});

test("E3: a peer that sends no envelopes is banned", async () => {
  const { network } = await stranger();
  await sendUntilBanned(network, "statements", new Uint8Array(64).fill(0xff));
});

test("K8: a peer that sends votes of strangers is banned", async () => {
  const { network } = await stranger();
  const { epoch, view } = (await node.client.call("ledger.chain", {})) as ChainAnswer;
  const slot = [rlpNumber(epoch), rlpNumber(view + 4)];
  const voted = [...slot, new Uint8Array(32).fill(7), rlpNumber(view)];
  const signed = [voted, rlpNumber(0), new Uint8Array(96).fill(9)];
  const message = envelopeCodec.encode({ kind: 1, body: encodeRlp(signed) });
  await sendUntilBanned(network, "statements", message);
});

test("N11: who asks for the whole chain again and again is served at the node's pace", async () => {
  const { network } = await stranger();
  const protocol = rawProtocol(network, "blocks");
  const peer = await meet(network);
  const range = encodeRlp([rlpNumber(1), rlpNumber(64)]);
  const answers = await Promise.all(
    Array.from({ length: 60 }, () => protocol.request(peer, range)),
  );
  const codes = answers.map((answer) => (answer.ok ? "ok" : answer.refusal.code));
  expect(codes.filter((code) => code === "ok").length).toBeGreaterThan(0);
  expect(new Set(codes).size).toBeLessThanOrEqual(2);
  // What is not there yet is no fault of the one who asks.
  const beyond = encodeRlp([rlpNumber(1_000_000_000), rlpNumber(64)]);
  const answer = await protocol.request(peer, beyond);
  expect(answer).toMatchObject({ ok: false, refusal: { code: "declined", reason: "ignored" } });
  expect(network.peers()).toHaveLength(1);
});

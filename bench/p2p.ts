import { randomBytes } from "node:crypto";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { parseArgs } from "node:util";
import { bytesCodec } from "../p2p/codec.ts";
import { createP2pHost } from "../p2p/host.ts";
import type { Network } from "../p2p/network.ts";
import type { Protocol } from "../p2p/protocols.ts";
import type { Topic } from "../p2p/topics.ts";
import { percentile, printTable } from "./measure.ts";

/*
 * What the network costs: a request over a long-lived stream and gossip, between four hosts of this
 * process on loopback, against the same bytes over bare TCP sockets of the same run.
 */

const usage = `usage: npm run bench -- p2p [flags]
  --requests N   requests of each size, one after another (2000)
  --messages N   gossiped messages, one after another, then at once (1000)`;

const flags = {
  requests: { type: "string", default: "2000" },
  messages: { type: "string", default: "1000" },
  help: { type: "boolean", default: false },
} as const;

const hostCount = 4;
const sizes = [32, 1_024, 100_000] as const;
const gossipBytes = 1_024;
const plenty = { perSecond: 1_000_000, burst: 1_000_000 };

type Host = {
  readonly network: Network;
  readonly echo: Protocol<Uint8Array, Uint8Array>;
  readonly topic: Topic;
  onHeard: () => void;
};

async function startHost(bootstrap: readonly string[]): Promise<Host> {
  const network = await createP2pHost({
    seed: randomBytes(32),
    listen: ["/ip4/127.0.0.1/tcp/0"],
    chain: { genesis: new Uint8Array(32), runtime: () => new Uint8Array(32) },
    observe: () => {},
    bootstrap,
  });
  const echo = network.protocol("bench/echo", {
    request: bytesCodec,
    response: bytesCodec,
    requestBytesMax: 1_000_000,
    responseBytesMax: 1_000_000,
    timeoutMs: 10_000,
    rate: plenty,
    concurrencyMax: 64,
    handle: (request) => ({ verdict: "accept", response: request }),
  });
  const topic = network.topic("bench", "gossip", {
    bytesMax: gossipBytes,
    rate: plenty,
    validate: () => {
      host.onHeard();
      return "accept";
    },
  });
  const host: Host = { network, echo, topic, onHeard: () => {} };
  await network.start();
  return host;
}

/** Looks at a condition each few milliseconds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function timeEach(count: number, work: () => Promise<void>): Promise<readonly number[]> {
  const tookMs: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const begunMs = performance.now();
    await work();
    tookMs.push(performance.now() - begunMs);
  }
  return tookMs.slice(count / 10); // The first tenth warms up.
}

async function timeSockets(size: number, count: number): Promise<readonly number[]> {
  const server = createServer({ noDelay: true }, (socket) => socket.pipe(socket));
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const socket: Socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const message = new Uint8Array(size);
  const tookMs = await timeEach(count, () => {
    let left = size;
    return new Promise<void>((resolve) => {
      const onData = (bytes: Uint8Array): void => {
        left -= bytes.length;
        if (left > 0) return;
        socket.off("data", onData);
        resolve();
      };
      socket.on("data", onData);
      socket.write(message);
    });
  });
  socket.destroy();
  server.close();
  return tookMs;
}

/** Publishes and waits until every other host has judged the message. */
async function gossip(hosts: readonly Host[], count: number): Promise<void> {
  const [first, ...others] = hosts;
  if (first === undefined) return;
  let missing = count * others.length;
  await new Promise<void>((resolve, reject) => {
    for (const host of others)
      host.onHeard = (): void => {
        missing -= 1;
        if (missing === 0) resolve();
      };
    const publishAll = async (): Promise<void> => {
      for (let i = 0; i < count; i += 1) await first.topic.publish(randomBytes(gossipBytes));
    };
    publishAll().catch(reject);
  });
}

/** Half a round trip of a request over a long-lived stream between two hosts, in milliseconds. */
export async function measureMessageDelay(requests: number): Promise<number> {
  const one = await startHost([]);
  const other = await startHost(one.network.addresses());
  await until(() => one.network.peers().length === 1 && other.network.peers().length === 1);
  const tookMs = await timeEach(requests, async () => {
    const answer = await one.echo.request(other.network.self, new Uint8Array(sizes[1]));
    if (!answer.ok) throw new Error(`no answer: ${answer.refusal.code}`);
  });
  await Promise.all([one.network.stop(), other.network.stop()]);
  return percentile(tookMs, 0.5) / 2;
}

const text = (ms: number): string => `${ms.toFixed(3)} ms`;

function row(name: string, tookMs: readonly number[], baseMs: number | null): readonly string[] {
  const middle = percentile(tookMs, 0.5);
  const ratio = baseMs === null ? "" : `${(middle / baseMs).toFixed(1)}x`;
  return [name, text(middle), text(percentile(tookMs, 0.9)), text(percentile(tookMs, 0.99)), ratio];
}

/** `npm run bench -- p2p`. */
export async function run(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...argv], options: flags });
  if (values.help) return console.log(usage);
  const hosts: Host[] = [];
  for (let i = 0; i < hostCount; i += 1)
    hosts.push(await startHost(hosts.flatMap(({ network }) => network.addresses())));
  const peersEach = hostCount - 1;
  await until(() =>
    hosts.every(
      ({ network, topic }) =>
        network.peers().length === peersEach && topic.listeners().length === peersEach,
    ),
  );
  const rows: (readonly string[])[] = [];
  const [first, second] = hosts;
  if (first === undefined || second === undefined) return;
  for (const size of sizes) {
    const body = new Uint8Array(size);
    const bare = await timeSockets(size, Number(values.requests));
    rows.push(row(`bare TCP, ${size} B and back`, bare, null));
    const stream = await timeEach(Number(values.requests), async () => {
      const answer = await first.echo.request(second.network.self, body);
      if (!answer.ok) throw new Error(`no answer: ${answer.refusal.code}`);
    });
    rows.push(row(`request, ${size} B and back`, stream, percentile(bare, 0.5)));
  }
  const messages = Number(values.messages);
  const oneByOne = await timeEach(messages, () => gossip(hosts, 1));
  rows.push(row(`gossip, ${gossipBytes} B to ${peersEach}`, oneByOne, null));
  const begunMs = performance.now();
  await gossip(hosts, messages);
  const tookMs = performance.now() - begunMs;
  printTable(["between two of four hosts", "p50", "p90", "p99", "to bare TCP"], rows);
  console.log(`\ngossip at once: ${((messages * 1_000) / tookMs).toFixed(0)} messages a second`);
  for (const { network } of hosts) await network.stop();
}

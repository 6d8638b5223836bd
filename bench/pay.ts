import { fork, type ChildProcess } from "node:child_process";
import { mkdtempSync, openSync, closeSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent, request } from "node:http";
import { keccak256 } from "../crypto/keccak.ts";
import { recoverAddress, signDigest } from "../crypto/secp256k1.ts";
import { SigningThread } from "../crypto/signThread.node.ts";
import type { VoucherSigner } from "../ledger/voucher.ts";
import { createP2pHost } from "../p2p/host.ts";
import type { Network } from "../p2p/network.ts";
import { openNodeStream, sha256InPlace } from "../sdk/pay/byteStream.node.ts";
import { FileCatalog } from "../sdk/pay/catalog.node.ts";
import { nodePayDisk } from "../sdk/pay/disk.node.ts";
import { PayGate } from "../sdk/pay/gate.ts";
import { openJournal } from "../sdk/pay/journal.node.ts";
import { chunkCount, chunkRange, isChunk, type Manifest } from "../sdk/pay/manifest.ts";
import { paymentHeaders } from "../sdk/pay/offer.ts";
import { Payer } from "../sdk/pay/payer.ts";
import { payProtocol, relayFetch } from "../sdk/pay/relay.ts";
import { openSource, type Chunk, type Source } from "../sdk/pay/source.ts";
import { paymentHeader, poolScheme, tfuelAsset } from "../sdk/pay/x402.ts";
import { FakePayChain } from "../test/fakes/payChain.ts";
import { testAddress, testSigner } from "../test/fakes/payWorld.ts";
import { calibrate, printCalibration, processUsage } from "./measure.ts";
import { printSettlementCost } from "./payCost.ts";
import { benchIncrements } from "./payIncrements.ts";
import { benchPeer } from "./payPeer.ts";
import { benchJournals, openBenchReceiver } from "./payServer.ts";
import { alternate, inParallel, measured, printRates, type Rate } from "./rates.ts";

/*
 * What paying costs. Vouchers per second, signed, checked and synced, against bare signatures on
 * one core; the same over HTTP between two processes; and a file of 1 GB with a voucher for each
 * chunk against the same server without payment. All on loopback, without TLS on either side.
 */

const resourceId = "bench";
const target = testAddress(2);

/** Vouchers in flight at a time: as many share one sync. */
const inFlight = 256;

/** Requests in flight over HTTP. */
const window = 32;

/** Chunks in one answer. */
const runChunks = 1_024;

function bareSignatures(count: number): Promise<Rate> {
  const key = new Uint8Array(32).fill(1);
  return measured(count, () => {
    for (let i = 0; i < count; i += 1) {
      const digest = keccak256(Uint8Array.of(i & 255, i >> 8, i >> 16));
      recoverAddress(digest, signDigest(digest, key));
    }
  });
}

async function openBenchPayer(
  folder: string,
  signer: VoucherSigner = testSigner(1),
): Promise<Payer> {
  const held: { payer: Payer | null } = { payer: null };
  const live = (): readonly Uint8Array[] => held.payer?.live() ?? [];
  const chain = new FakePayChain().names;
  const options = { chain: chain.genesisHash, live };
  const { journal } = await openJournal(nodePayDisk, join(folder, "payer.log"), options);
  benchJournals.push(journal);
  const payer = new Payer({ signer, chain, store: journal });
  held.payer = payer;
  const fund = 10n ** 30n;
  await payer.addPool({
    sequence: 1n,
    fund,
    collateral: 2n * fund,
    resourceIds: [resourceId],
    endHeight: 1_000_000,
  });
  return payer;
}

function inProcess(folder: string, count: number): () => Promise<Rate> {
  const opened = Promise.all([openBenchPayer(folder), openBenchReceiver(folder)]);
  return async () => {
    const [payer, receiver] = await opened;
    return measured(count, () =>
      inParallel(count, inFlight, async () => {
        const paid = await payer.pay({ target, resourceId, cost: 1n, range: null });
        if (!paid.ok) throw new Error(paid.refusal.code);
        const { voucher } = paid.value;
        const charged = await receiver.charge({ voucher, resourceId, cost: 1n, range: null });
        if (!charged.ok) throw new Error(charged.refusal.code);
      }),
    );
  };
}

type Server = { readonly child: ChildProcess; readonly port: number };

function startServer(folder: string, chunkBytes: number, mode: "free" | "paid"): Promise<Server> {
  const script = join(import.meta.dirname, "payServer.ts");
  const child = fork(script, [folder, `${chunkBytes}`, mode]);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("message", (port) => resolve({ child, port: Number(port) }));
  });
}

/** The header of a chunk's payment. */
function headerMaker(): ReturnType<typeof paymentHeaders> {
  const { names } = new FakePayChain();
  return paymentHeaders({
    scheme: poolScheme,
    network: `eip155:${names.id}`,
    asset: tfuelAsset,
    amount: "1",
    payTo: target,
    maxTimeoutSeconds: 60,
    extra: { resourceId },
  });
}

type Fetch = (start: number, end: number, payment: string | null) => Promise<number>;

/** Ranges by `node:http` with connections kept: what a relay's peers would use. */
function rangeFetcher(port: number): Fetch {
  const agent = new Agent({ keepAlive: true, maxSockets: window });
  return (start, end, payment) =>
    new Promise((resolve, reject) => {
      const headers: Record<string, string> = { range: `bytes=${start}-${end - 1}` };
      if (payment !== null) headers[paymentHeader] = payment;
      const asked = request(
        { host: "127.0.0.1", port, path: "/file.bin", headers, agent },
        (response) => {
          let bytes = 0;
          response.on("data", (data: Uint8Array) => (bytes += data.length));
          response.on("end", () => {
            if (response.statusCode === 206) resolve(bytes);
            else reject(new Error(`status ${response.statusCode}`));
          });
          response.on("error", reject);
        },
      );
      asked.on("error", reject);
      asked.end();
    });
}

/** Brings a file for nothing, in one answer at a time as the payer does, and checks it as he does. */
async function streamFree(url: string, manifest: Manifest): Promise<void> {
  for (let first = 0; first < chunkCount(manifest); first += runChunks) {
    const end = Math.min(first + runChunks, chunkCount(manifest));
    const range = `bytes=${first * manifest.chunkBytes}-${chunkRange(manifest, end - 1).end - 1}`;
    const stream = openNodeStream(`${url}?stream`, { headers: { range }, timeoutMs: 30_000 });
    stream.end();
    const { status, body } = await stream.answer;
    if (status !== 206) throw new Error(`status ${status}`);
    const chunk = new Uint8Array(manifest.chunkBytes);
    let filled = 0;
    let index = first;
    for await (const bytes of body)
      for (let at = 0; at < bytes.length;) {
        const part = bytes.subarray(at, at + chunk.length - filled);
        chunk.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled < chunk.length) continue;
        if (!(await isChunk(manifest, index, chunk, sha256InPlace))) throw new Error("wrong bytes");
        index += 1;
        filled = 0;
      }
    if (index !== end) throw new Error("cut short");
  }
}

/** Brings a file with the payer's own client, and drops it. */
async function streamPaid(source: Source, payer: Payer): Promise<void> {
  const chunks = chunkCount(source.manifest);
  let arrived: string[] = [];
  const keep = async ({ range }: Chunk): Promise<void> => {
    arrived.push(range);
    if (arrived.length < 32) return;
    const ranges = arrived;
    arrived = [];
    await payer.served(source.offer.payTo, ranges);
  };
  for (let first = 0; first < chunks; first += runChunks) {
    const end = Math.min(first + runChunks, chunks);
    const refusal = await source.run(first, end, { keep, signal: new AbortController().signal });
    if (refusal !== null)
      throw new Error(
        JSON.stringify(refusal, (_, v: unknown) => (typeof v === "bigint" ? `${v}` : v)),
      );
  }
  await payer.served(source.offer.payTo, arrived);
}

function writeFile(path: string, sizeBytes: number): void {
  const file = openSync(path, "w");
  const block = new Uint8Array(1 << 20);
  for (let i = 0; i < block.length; i += 1) block[i] = (i * 2_654_435_761) >>> 24;
  for (let at = 0; at < sizeBytes; at += block.length) {
    block.set(new TextEncoder().encode(`${at}`));
    writeSync(file, block, 0, Math.min(block.length, sizeBytes - at));
  }
  closeSync(file);
}

const sizeOf = (flags: readonly string[], name: string, otherwise: number): number => {
  const given = flags.find((flag) => flag.startsWith(`--${name}=`));
  return given === undefined ? otherwise : Number(given.split("=")[1]);
};

/**
 * `npm run bench -- pay [--only=vouchers|peer|cost|http|stream|relay] [--vouchers=20000]
 * [--megabytes=1024] [--credit-kb=4096]`.
 */
export async function run(flags: readonly string[]): Promise<void> {
  const vouchers = sizeOf(flags, "vouchers", 20_000);
  const megabytes = sizeOf(flags, "megabytes", 1_024);
  const creditKib = sizeOf(flags, "credit-kb", 4_096);
  const folder = mkdtempSync(join(tmpdir(), "ledger-bench-pay-"));
  try {
    const before = calibrate();
    printCalibration("before", before);
    const only = flags.find((flag) => flag.startsWith("--only="))?.slice(7);
    const parts: Readonly<Record<string, () => Promise<void>>> = {
      vouchers: () => benchVouchers(folder, vouchers),
      peer: () => benchPeer(folder, Math.ceil(vouchers / 4), Math.ceil(vouchers / 40)),
      cost: () => Promise.resolve(printSettlementCost()),
      http: () => benchHttp(folder, vouchers),
      stream: () => benchStream(folder, megabytes, creditKib),
      relay: () => benchRelay(folder, Math.min(megabytes, 128)),
    };
    for (const [name, part] of Object.entries(parts))
      if (only === undefined || only === name) await part();
    printCalibration("after", calibrate(), before);
  } finally {
    for (const journal of benchJournals) await journal.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function benchVouchers(folder: string, count: number): Promise<void> {
  console.log(`\n${count} vouchers in one process: sign, keep, check, sync (${inFlight} a group)`);
  const bare = "bare sign and recover";
  const rates = await alternate([
    [bare, () => bareSignatures(count)],
    ["voucher, durable", inProcess(folder, count)],
    ["increment, durable", await benchIncrements(folder, 5 * count, openBenchPayer)],
  ]);
  printRates(rates, "vouchers", bare);
}

async function benchHttp(folder: string, count: number): Promise<void> {
  console.log(`\n${count} vouchers over HTTP, two processes, ${window} requests in flight`);
  const sub = mkdtempSync(join(folder, "http-"));
  writeFile(join(sub, "file.bin"), 4_096);
  const server = await startServer(sub, 1_024, "paid");
  const payer = await openBenchPayer(sub);
  const file = { chunks: count, chunkBytes: 1 };
  const fetchRange = rangeFetcher(server.port);
  const header = headerMaker();
  const bare = "bare sign and recover";
  const rates = await alternate([
    [bare, () => bareSignatures(count)],
    [
      "voucher over HTTP",
      () =>
        measured(count, () =>
          inParallel(file.chunks, window, async () => {
            const paid = await payer.pay({ target, resourceId, cost: 1n, range: null });
            if (!paid.ok) throw new Error(paid.refusal.code);
            await fetchRange(0, 1, header(paid.value.voucher));
          }),
        ),
    ],
  ]);
  printRates(rates, "vouchers", bare);
  printServer(server);
  server.child.kill("SIGKILL");
}

async function benchStream(folder: string, megabytes: number, creditKib: number): Promise<void> {
  const chunkBytes = 64 * 1_024;
  const sub = mkdtempSync(join(folder, "stream-"));
  writeFile(join(sub, "file.bin"), megabytes * 1_024 * 1_024);
  console.log(`\n${megabytes} MiB in chunks of 64 KiB, each checked, against the same for nothing`);
  const signer = new SigningThread(new Uint8Array(32).fill(1));
  const payer = await openBenchPayer(sub, signer);
  const free = await startServer(sub, chunkBytes, "free");
  const paid = await startServer(sub, chunkBytes, "paid");
  const signal = new AbortController().signal;
  const sourceOf = (increments: number): Promise<Source> => {
    const streaming = { open: openNodeStream, sha256: sha256InPlace, increments };
    const url = `http://127.0.0.1:${paid.port}/file.bin`;
    const limits = { weiPerByteMax: 1n, creditBytes: creditKib * 1_024, timeoutMs: 30_000 };
    const chain = new FakePayChain().names;
    return openSource({ url, payer, chain, streaming, ...limits }, { id: null, signal });
  };
  const signed = await sourceOf(0);
  const hashed = await sourceOf(256);
  const chunks = megabytes * 16;
  const url = `http://127.0.0.1:${free.port}/file.bin`;
  const servers = [free, paid].map(({ child }) => child.pid ?? 0);
  const cpu = (): number => servers.reduce((sum, pid) => sum + processUsage(pid).cpuMs, 0);
  const rateOf = async (work: () => Promise<void>): Promise<Rate> => {
    const before = cpu();
    const rate = await measured(chunks, work);
    return { ...rate, serverUs: ((cpu() - before) * 1_000) / chunks };
  };
  const rates = await alternate([
    ["without payment", () => rateOf(() => streamFree(url, signed.manifest))],
    ["a signed voucher each", () => rateOf(() => streamPaid(signed, payer))],
    ["a preimage each", () => rateOf(() => streamPaid(hashed, payer))],
  ]);
  printRates(rates, "chunks", "without payment");
  for (const { child } of [free, paid]) child.kill("SIGKILL");
  await signer.close();
}

/** Two libp2p hosts in this one process, so half of each processor-second is the server's. */
async function benchRelay(folder: string, megabytes: number): Promise<void> {
  const chunkBytes = 64 * 1_024;
  const sub = mkdtempSync(join(folder, "relay-"));
  writeFile(join(sub, "file.bin"), megabytes * 1_024 * 1_024);
  console.log(`\n${megabytes} MiB between two peers over TCP and TLS, both in this process`);
  const receiver = await openBenchReceiver(sub);
  const payer = await openBenchPayer(sub);
  const catalog = new FileCatalog(sub, { chunkBytes, resourceId });
  const price = { unit: "byte", weiPerUnit: 1n } as const;
  const gate = new PayGate({ receiver, chain: new FakePayChain().names, price });
  const start = async (number: number, bootstrap: readonly string[]): Promise<Network> =>
    createP2pHost({
      chain: { genesis: new Uint8Array(32), runtime: () => new Uint8Array(32) },
      seed: new Uint8Array(32).fill(number),
      listen: ["/ip4/127.0.0.1/tcp/0"],
      observe: () => {},
      bootstrap,
    });
  const shop = await start(1, []);
  payProtocol(shop, { catalog, gate });
  await shop.start();
  const buyer = await start(2, shop.addresses());
  const protocol = payProtocol(buyer, null);
  await buyer.start();
  while (buyer.peers().length === 0) await new Promise((done) => setImmediate(done));
  const fetchChunk = relayFetch(protocol, shop.self);
  const header = headerMaker();
  const cost = BigInt(chunkBytes);
  const rates = await alternate([
    [
      "with a voucher each",
      () =>
        measured(megabytes * 16, () =>
          inParallel(megabytes * 16, window, async (i) => {
            const paid = await payer.pay({ target, resourceId, cost, range: null });
            if (!paid.ok) throw new Error(paid.refusal.code);
            const from = i * chunkBytes;
            const range = `bytes=${from}-${from + chunkBytes - 1}`;
            const headers = { range, [paymentHeader]: header(paid.value.voucher) };
            const response = await fetchChunk("http://peer/file.bin", { headers });
            if (response.status !== 206) throw new Error(`status ${response.status}`);
          }),
        ),
    ],
  ]);
  printRates(rates, "chunks", "with a voucher each");
  await buyer.stop();
  await shop.stop();
  await catalog.close();
}

function printServer({ child }: Server): void {
  const { cpuMs, residentBytesPeak } = processUsage(child.pid ?? 0);
  console.log(`the server used ${cpuMs} ms of CPU and at most ${residentBytesPeak >> 20} MiB`);
}

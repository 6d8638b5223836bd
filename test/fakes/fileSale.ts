import { createServer, type Server } from "node:http";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { openNodeStream, sha256InPlace } from "../../sdk/pay/byteStream.node.ts";
import { FileCatalog } from "../../sdk/pay/catalog.node.ts";
import { download, type DownloadParts, type SourceReport } from "../../sdk/pay/download.ts";
import { openPartialFile } from "../../sdk/pay/fileSink.node.ts";
import { PayGate } from "../../sdk/pay/gate.ts";
import type { Payer } from "../../sdk/pay/payer.ts";
import type { Receiver } from "../../sdk/pay/receiver.ts";
import { createFileHandler, type RequestHandler } from "../../sdk/pay/serve.node.ts";
import { openSource, type Source, type SourceParts } from "../../sdk/pay/source.ts";
import { PayWorld, resourceId, testAddress } from "./payWorld.ts";

/* A file of 41 chunks that is sold on loopback: real sockets, a chain in memory. */

/** Bytes of a chunk. */
export const chunkBytes = 1_024;
/** Bytes of the file. */
export const sizeBytes = 40 * chunkBytes + 100;

let folder = "";
const catalogs: FileCatalog[] = [];

/** The servers that listen, in the order of their start. */
export const servers: Server[] = [];

/** Makes the file before each test, and ends what was started after it. */
export function useFileSale(): void {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ledger-serve-"));
    const bytes = Uint8Array.from({ length: sizeBytes }, (_, i) => (i * 31 + (i >> 8)) & 255);
    writeFileSync(join(folder, "film.bin"), bytes);
  });

  afterEach(async () => {
    for (const server of servers) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
    for (const catalog of catalogs) await catalog.close();
    servers.length = 0;
    catalogs.length = 0;
    rmSync(folder, { recursive: true });
  });
}

/** Where a file of this name is. */
export function pathOf(name: string): string {
  return join(folder, name);
}

/** Starts a server; the URL of the file there. */
export function listen(handler: RequestHandler): Promise<string> {
  return new Promise((done) => {
    const server = createServer(handler);
    servers.push(server);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      done(`http://127.0.0.1:${port}/film.bin`);
    });
  });
}

/** A pool of 1,000,000 wei with an exposure of 100,000 per receiver; a byte costs 1 wei. */
export function richWorld(): PayWorld {
  const world = new PayWorld();
  world.chain.open(testAddress(1), {
    sequence: 1n,
    fund: 1_000_000n,
    collateral: 1_600_000n,
    resourceIds: [resourceId],
    endHeight: 500,
  });
  return world;
}

/** A payer with that pool. */
export async function richPayer(world: PayWorld): Promise<Payer> {
  const payer = await world.payer({}, []);
  await payer.addPool({
    sequence: 1n,
    fund: 1_000_000n,
    collateral: 1_600_000n,
    resourceIds: [resourceId],
    endHeight: 500,
  });
  return payer;
}

/** A server that sells the file. */
export async function relay(
  world: PayWorld,
  options: { readonly weiPerByte?: bigint; readonly key?: number } = {},
): Promise<{ url: string; receiver: Receiver; handler: RequestHandler }> {
  const receiver = await world.receiver({}, options.key ?? 2);
  const price = { unit: "byte", weiPerUnit: options.weiPerByte ?? 1n } as const;
  const gate = new PayGate({ receiver, chain: world.chain.names, price });
  const catalog = new FileCatalog(folder, { chunkBytes, resourceId });
  catalogs.push(catalog);
  const handler = createFileHandler({ catalog, gate });
  return { url: await listen(handler), receiver, handler };
}

/** What a payer buys with: a credit of four chunks. */
export function sourceParts(world: PayWorld, payer: Payer, url: string): SourceParts {
  return {
    url,
    payer,
    chain: world.chain.names,
    weiPerByteMax: 10n,
    creditBytes: 4 * chunkBytes,
    // A machine that stands still for a moment is no server that does not answer.
    timeoutMs: 60_000,
  };
}

/** A signal that never comes. */
export const never = new AbortController().signal;

/** Brings the file from these servers; by streams where `increments` is given. */
export async function bring(
  world: PayWorld,
  payer: Payer,
  urls: readonly string[],
  options: Partial<DownloadParts & Pick<SourceParts, "timeoutMs"> & { increments: number }> = {},
): Promise<readonly SourceReport[]> {
  const sources: Source[] = [];
  const { increments } = options;
  for (const url of urls) {
    const expected = { id: sources[0]?.id ?? null, signal: never };
    const usual = sourceParts(world, payer, url);
    const parts = { ...usual, timeoutMs: options.timeoutMs ?? usual.timeoutMs };
    const streaming = { open: openNodeStream, sha256: sha256InPlace, increments: increments ?? 0 };
    const all = increments === undefined ? parts : { ...parts, streaming };
    sources.push(await openSource(all, expected));
  }
  const [first] = sources;
  if (first === undefined) throw new Error("no source");
  const sink = await openPartialFile(join(folder, "copy.bin"), first.manifest);
  let isDone = false;
  try {
    const reports = await download({ payer, sources, sink, window: 4, signal: never, ...options });
    await sink.finish();
    isDone = true;
    return reports;
  } finally {
    if (!isDone) await sink.close();
  }
}

/** Whether the copy is the file. */
export function isCopied(): boolean {
  const [from, to] = ["film.bin", "copy.bin"].map((name) => readFileSync(join(folder, name)));
  return from !== undefined && to !== undefined && from.equals(to);
}

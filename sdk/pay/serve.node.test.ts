import { createServer, type Server } from "node:http";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PayWorld, resourceId, testAddress } from "../../test/fakes/payWorld.ts";
import { openNodeStream, sha256InPlace } from "./byteStream.node.ts";
import type { StreamOpener } from "./byteStream.ts";
import { FileCatalog } from "./catalog.node.ts";
import { download, type DownloadParts, type SourceReport } from "./download.ts";
import { openPartialFile } from "./fileSink.node.ts";
import { PayGate } from "./gate.ts";
import type { Payer } from "./payer.ts";
import type { Receiver } from "./receiver.ts";
import { createFileHandler, type RequestHandler } from "./serve.node.ts";
import { openSource, type Source, type SourceParts } from "./source.ts";
import { decodeHeader, paymentHeader, requiredHeader, responseHeader } from "./x402.ts";

/*
 * Goal: files are sold by the chunk over HTTP, each chunk for one round trip, and neither side can
 * be cheated of more than its window. Method: real sockets on loopback, a chain in memory, servers
 * that lie where it helps.
 */

const chunkBytes = 1_024;
const sizeBytes = 40 * chunkBytes + 100;

let folder = "";
let servers: Server[] = [];
let catalogs: FileCatalog[] = [];

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
  servers = [];
  catalogs = [];
  rmSync(folder, { recursive: true });
});

function listen(handler: RequestHandler): Promise<string> {
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
function richWorld(): PayWorld {
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

async function richPayer(world: PayWorld): Promise<Payer> {
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

async function relay(
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

function sourceParts(world: PayWorld, payer: Payer, url: string): SourceParts {
  return {
    url,
    payer,
    chain: world.chain.names,
    weiPerByteMax: 10n,
    creditBytes: 4 * chunkBytes,
    timeoutMs: 2_000,
  };
}

const never = new AbortController().signal;

async function bring(
  world: PayWorld,
  payer: Payer,
  urls: readonly string[],
  options: Partial<DownloadParts & { readonly increments: number }> = {},
): Promise<readonly SourceReport[]> {
  const sources: Source[] = [];
  const { increments } = options;
  for (const url of urls) {
    const expected = { id: sources[0]?.id ?? null, signal: never };
    const parts = sourceParts(world, payer, url);
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

function isCopied(): boolean {
  const [from, to] = ["film.bin", "copy.bin"].map((name) => readFileSync(join(folder, name)));
  return from !== undefined && to !== undefined && from.equals(to);
}

test("without a voucher the answer is 402 with an offer of x402 version 2", async () => {
  const world = richWorld();
  const { url } = await relay(world);
  const response = await fetch(url, { headers: { range: "bytes=0-99" } });
  expect(response.status).toBe(402);
  expect(response.headers.get("cache-control")).toBe("no-store");
  const header = decodeHeader(response.headers.get(requiredHeader) ?? "");
  expect(header.ok && header.value).toEqual(await response.json());
  expect(header).toMatchObject({
    ok: true,
    value: {
      x402Version: 2,
      resource: { url: "/film.bin" },
      accepts: [
        {
          scheme: "pool",
          network: "eip155:366",
          asset: "native:tfuel",
          amount: "100",
          payTo: testAddress(2),
          extra: { resourceId, unit: "byte", weiPerUnit: "1", sizeBytes, chunkBytes },
        },
      ],
    },
  });
});

test("a file comes whole, for its price to the wei, one round trip a chunk", async () => {
  const world = richWorld();
  const payer = await richPayer(world);
  const { url, receiver } = await relay(world);
  let requests = 0;
  servers[0]?.on("request", () => (requests += 1));
  const [report] = await bring(world, payer, [url]);
  expect(isCopied()).toBe(true);
  expect(report).toMatchObject({ bytes: sizeBytes, spent: BigInt(sizeBytes), lost: 0n });
  expect(requests).toBe(2 + 41);
  await receiver.settle();
  expect(world.chain.balances.get(testAddress(2))).toBe(BigInt(sizeBytes));
});

test("three servers at three prices; one dies, and the file still comes", async () => {
  const world = richWorld();
  const payer = await richPayer(world);
  const relays = [
    await relay(world, { weiPerByte: 1n, key: 2 }),
    await relay(world, { weiPerByte: 2n, key: 3 }),
    await relay(world, { weiPerByte: 3n, key: 4 }),
  ];
  let chunks = 0;
  const reports = await bring(
    world,
    payer,
    relays.map(({ url }) => url),
    {
      onChunk: () => {
        chunks += 1;
        if (chunks === 10) {
          servers[1]?.closeAllConnections();
          servers[1]?.close();
        }
      },
    },
  );
  expect(isCopied()).toBe(true);
  expect(reports.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(sizeBytes);
  expect(reports[1]?.failure).toMatchObject({ code: "unreachable" });
  expect(reports[1]?.lost).toBeLessThanOrEqual(2n * 4n * BigInt(chunkBytes));
  for (const { receiver } of relays) await receiver.settle();
  const signed = payer.pools()[0]?.signed;
  const got = [2, 3, 4].reduce((sum, key) => {
    return sum + (world.chain.balances.get(testAddress(key)) ?? 0n);
  }, 0n);
  // A voucher that was signed for the dead one and never reached it is nobody's.
  const lost = reports[1]?.lost ?? 0n;
  expect(got).toBeLessThanOrEqual(signed ?? 0n);
  expect(got).toBeGreaterThanOrEqual((signed ?? 0n) - lost);
});

test("a server that takes money and serves nothing gets no more than the window", async () => {
  const world = richWorld();
  const payer = await richPayer(world);
  const { handler } = await relay(world);
  const url = await listen((request, response) => {
    if (request.headers[paymentHeader] === undefined) handler(request, response);
    else response.writeHead(500).end();
  });
  await expect(bring(world, payer, [url])).rejects.toThrow(/no server is left/);
  const window = 4n * BigInt(chunkBytes);
  expect(payer.pools()[0]?.signed).toBeLessThanOrEqual(window);
  // Nor on the next try: what it owes stays owed.
  for (let i = 0; i < 3; i += 1)
    await expect(bring(world, payer, [url])).rejects.toThrow(/no server is left/);
  expect(payer.pools()[0]?.signed).toBeLessThanOrEqual(window);
});

test("a server that serves wrong bytes is left at the first", async () => {
  const world = richWorld();
  const payer = await richPayer(world);
  const good = await relay(world);
  const liar = await listen((request, response) => {
    const end = response.end.bind(response);
    if (request.headers[paymentHeader] !== undefined)
      response.end = ((bytes: Uint8Array) => end(bytes.fill(7))) as typeof response.end;
    good.handler(request, response);
  });
  await expect(bring(world, payer, [liar])).rejects.toThrow(/not what the hash list says/);
  expect(payer.unserved(testAddress(2))).toBeLessThanOrEqual(4n * BigInt(chunkBytes));
});

test("a truncated answer is no chunk", async () => {
  const world = richWorld();
  const payer = await richPayer(world);
  const good = await relay(world);
  const short = await listen((request, response) => {
    const end = response.end.bind(response);
    if (request.headers[paymentHeader] !== undefined)
      response.end = ((bytes: Uint8Array) => {
        response.write(bytes.subarray(0, bytes.length - 1));
        response.destroy();
        return end();
      }) as typeof response.end;
    good.handler(request, response);
  });
  await expect(bring(world, payer, [short])).rejects.toThrow(/unreachable/);
});

test("another file, another chain, and a price above the limit are not bought", async () => {
  const world = richWorld();
  const payer = await richPayer(world);
  const dear = await relay(world, { weiPerByte: 11n });
  await expect(bring(world, payer, [dear.url])).rejects.toThrow(/above the limit/);
  const parts = sourceParts(world, payer, dear.url);
  const elsewhere = { ...parts, chain: { ...world.chain.names, id: 1 } };
  await expect(openSource(elsewhere, { id: null, signal: never })).rejects.toThrow(/another chain/);
  await expect(openSource(parts, { id: "0x00", signal: never })).rejects.toThrow(/another file/);
  expect(payer.pools()[0]?.signed).toBe(0n);
});

test("stopped half way it goes on, and pays nothing twice", async () => {
  const world = richWorld();
  const payer = await richPayer(world);
  const { url, receiver } = await relay(world);
  const controller = new AbortController();
  let chunks = 0;
  const onChunk = (): void => {
    chunks += 1;
    if (chunks === 20) controller.abort(new Error("killed"));
  };
  const stopped = bring(world, payer, [url], { signal: controller.signal, onChunk });
  await expect(stopped).rejects.toThrow("killed");
  const again = await world.payer({}, []);
  await bring(world, again, [url]);
  expect(isCopied()).toBe(true);
  await receiver.settle();
  expect(world.chain.balances.get(testAddress(2))).toBe(BigInt(sizeBytes));
});

test("a payer that lost its state takes over its own voucher and goes on", async () => {
  const world = richWorld();
  const payer = await richPayer(world);
  const { url, receiver } = await relay(world);
  await bring(world, payer, [url]);
  world.payerStore.records.length = 0;
  rmSync(join(folder, "copy.bin"));
  const forgetful = await richPayer(world);
  // The ranges that it paid for before are sent again for nothing, what is beyond costs.
  await bring(world, forgetful, [url]);
  expect(isCopied()).toBe(true);
  await receiver.settle();
  expect(world.chain.balances.get(testAddress(2))).toBe(forgetful.pools()[0]?.signed);
});

test("what is not for sale is not found, and nothing outside the folder ever is", async () => {
  const world = richWorld();
  const { url } = await relay(world);
  writeFileSync(join(folder, ".secret"), "x");
  const base = url.slice(0, url.lastIndexOf("/"));
  for (const path of ["/", "/none", "/.secret", "/%2e%2e/etc/passwd", "/%00", "/a%5c..%5cb", "/%"])
    expect((await fetch(`${base}${path}`)).status).toBe(404);
  expect((await fetch(url, { method: "POST" })).status).toBe(405);
  expect((await fetch(url, { headers: { range: "bytes=999999-" } })).status).toBe(416);
});

test("payments that are no payments are refused with a reason of x402", async () => {
  const world = richWorld();
  const { url } = await relay(world);
  const accepted = { scheme: "pool", network: "eip155:366" };
  const cases: [unknown, string][] = [
    ["!", "invalid_payload"],
    [{ x402Version: 1 }, "invalid_x402_version"],
    [{ x402Version: 2, accepted: { scheme: "exact" } }, "invalid_scheme"],
    [{ x402Version: 2, accepted: { ...accepted, network: "eip155:1" } }, "invalid_network"],
    [{ x402Version: 2, accepted, payload: { voucher: { amount: "-1" } } }, "invalid_payload"],
  ];
  for (const [value, reason] of cases) {
    const header = typeof value === "string" ? value : btoa(JSON.stringify(value));
    const response = await fetch(url, { headers: { [paymentHeader]: header } });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: reason });
    expect(response.headers.get(responseHeader)).toBeNull();
  }
});

describe.each([
  ["a signed voucher each", 0],
  ["steps along hash chains", 8],
])("many chunks in one answer, %s", (_name, increments) => {
  test("a file comes whole in one request, for its price to the wei", async () => {
    const world = richWorld();
    const payer = await richPayer(world);
    const { url, receiver } = await relay(world);
    const asked: string[] = [];
    servers[0]?.on("request", ({ method = "" }: { method?: string }) => asked.push(method));
    const [report] = await bring(world, payer, [url], { increments });
    expect(isCopied()).toBe(true);
    expect(report).toMatchObject({ bytes: sizeBytes, spent: BigInt(sizeBytes), lost: 0n });
    // Runs become shorter towards the end: 21, 16 and 4 chunks.
    expect(asked).toEqual(["GET", "GET", "POST", "POST", "POST"]);
    await receiver.settle();
    expect(world.chain.balances.get(testAddress(2))).toBe(BigInt(sizeBytes));
  });

  test("a receiver that is killed has all but its window, and is paid on", async () => {
    const world = richWorld();
    const payer = await richPayer(world);
    const { url } = await relay(world);
    await bring(world, payer, [url], { increments });
    const restarted = await world.receiver();
    await restarted.settle();
    expect(world.chain.balances.get(testAddress(2))).toBe(BigInt(sizeBytes));
  });

  test("a server that takes money and serves nothing gets no more than the window", async () => {
    const world = richWorld();
    const payer = await richPayer(world);
    const { handler } = await relay(world);
    const url = await listen((request, response) => {
      if (request.headers[paymentHeader] === undefined) handler(request, response);
      else {
        response.writeHead(206, { "content-length": `${sizeBytes}` }).flushHeaders();
        let bytes = 0;
        request.on("data", (data: Uint8Array) => {
          bytes += data.length;
          if (bytes >= (increments === 0 ? 3 * 98 : 162 + 3 * 33)) response.destroy();
        });
      }
    });
    await expect(bring(world, payer, [url], { increments })).rejects.toThrow(/no server is left/);
    const window = 4n * BigInt(chunkBytes);
    expect(payer.pools()[0]?.signed).toBe(window);
    await expect(bring(world, payer, [url], { increments })).rejects.toThrow(/no server is left/);
    expect(payer.pools()[0]?.signed).toBe(window);
  });

  test("a server that serves wrong bytes is left at the first", async () => {
    const world = richWorld();
    const payer = await richPayer(world);
    const good = await relay(world);
    const liar = await listen((request, response) => {
      const write = response.write.bind(response);
      response.write = ((bytes: Uint8Array) => write(bytes.fill(7))) as typeof response.write;
      good.handler(request, response);
    });
    const bought = bring(world, payer, [liar], { increments });
    await expect(bought).rejects.toThrow(/not what the hash list says/);
    expect(payer.unserved(testAddress(2))).toBeLessThanOrEqual(4n * BigInt(chunkBytes));
  });

  test("three servers; one dies in the middle, and the file still comes", async () => {
    const world = richWorld();
    const payer = await richPayer(world);
    const relays = [
      await relay(world, { weiPerByte: 1n, key: 2 }),
      await relay(world, { weiPerByte: 2n, key: 3 }),
      await relay(world, { weiPerByte: 3n, key: 4 }),
    ];
    let chunks = 0;
    const onChunk = (): void => {
      chunks += 1;
      if (chunks === 5) servers[1]?.closeAllConnections();
      if (chunks === 5) servers[1]?.close();
    };
    const urls = relays.map(({ url }) => url);
    const reports = await bring(world, payer, urls, { increments, onChunk });
    expect(isCopied()).toBe(true);
    expect(reports.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(sizeBytes);
    expect(reports[1]?.lost).toBeLessThanOrEqual(2n * 4n * BigInt(chunkBytes));
    for (const { receiver } of relays) await receiver.settle();
    const signed = payer.pools()[0]?.signed ?? 0n;
    const got = [2, 3, 4].reduce((sum, key) => {
      return sum + (world.chain.balances.get(testAddress(key)) ?? 0n);
    }, 0n);
    expect(got).toBeLessThanOrEqual(signed);
    expect(got).toBeGreaterThanOrEqual(signed - (reports[1]?.lost ?? 0n));
  });

  test("stopped half way it goes on, and pays nothing twice", async () => {
    const world = richWorld();
    const payer = await richPayer(world);
    const { url, receiver } = await relay(world);
    const controller = new AbortController();
    let chunks = 0;
    const onChunk = (): void => {
      chunks += 1;
      if (chunks === 20) controller.abort(new Error("killed"));
    };
    const { signal } = controller;
    const stopped = bring(world, payer, [url], { signal, onChunk, increments });
    await expect(stopped).rejects.toThrow("killed");
    const again = await world.payer({}, []);
    await bring(world, again, [url], { increments });
    expect(isCopied()).toBe(true);
    await receiver.settle();
    expect(world.chain.balances.get(testAddress(2))).toBe(BigInt(sizeBytes));
    expect(again.pools()[0]?.signed).toBe(BigInt(sizeBytes));
  });

  test("when a pool is used up the next one pays", async () => {
    const world = new PayWorld();
    const payer = await world.payer({}, []);
    for (const sequence of [1n, 2n]) {
      const fund = sequence === 1n ? 12_288n : 1_000_000n;
      const collateral = 16n * fund;
      const terms = { sequence, fund, collateral, resourceIds: [resourceId], endHeight: 500 };
      world.chain.open(testAddress(1), terms);
      await payer.addPool(terms);
    }
    const { url, receiver } = await relay(world);
    await bring(world, payer, [url], { increments });
    expect(isCopied()).toBe(true);
    await receiver.settle();
    expect(world.chain.balances.get(testAddress(2))).toBe(BigInt(sizeBytes));
  });

  test("a server that streams nothing is asked chunk by chunk", async () => {
    const world = richWorld();
    const payer = await richPayer(world);
    const { handler } = await relay(world);
    const url = await listen((request, response) => {
      if (request.method === "POST") response.writeHead(405, { connection: "close" }).end();
      else handler(request, response);
    });
    const [report] = await bring(world, payer, [url], { increments });
    expect(isCopied()).toBe(true);
    expect(report).toMatchObject({ spent: BigInt(sizeBytes), lost: 0n });
  });

  test("a forged top-up ends the stream", async () => {
    const world = richWorld();
    const payer = await richPayer(world);
    const { url, receiver } = await relay(world);
    const forging: StreamOpener = (address, options) => {
      const stream = openNodeStream(address, options);
      const send = (bytes: Uint8Array): void => {
        const forged = bytes.slice();
        forged[forged.length - 20] = (forged[forged.length - 20] ?? 0) ^ 1;
        stream.send(forged);
      };
      return { answer: stream.answer, send, end: () => stream.end(), close: () => stream.close() };
    };
    const parts = sourceParts(world, payer, url);
    const streaming = { open: forging, sha256: sha256InPlace, increments };
    const source = await openSource({ ...parts, streaming }, { id: null, signal: never });
    const keep = (): Promise<void> => Promise.resolve();
    expect(await source.run(0, 41, { keep, signal: never })).toMatchObject({ code: "unreachable" });
    await receiver.settle();
    expect(world.chain.balances.get(testAddress(2)) ?? 0n).toBeLessThan(3n * BigInt(chunkBytes));
  });
});

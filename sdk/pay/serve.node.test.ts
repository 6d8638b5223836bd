import { rmSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { NodeError } from "../../base/nodeError.ts";
import {
  bring,
  chunkBytes,
  isCopied,
  listen,
  never,
  pathOf,
  relay,
  richPayer,
  richWorld,
  servers,
  sizeBytes,
  sourceParts,
  useFileSale,
} from "../../test/fakes/fileSale.ts";
import { resourceId, testAddress } from "../../test/fakes/payWorld.ts";
import { paymentHeaders } from "./offer.ts";
import { openSource } from "./source.ts";
import { decodeHeader, paymentHeader, requiredHeader, responseHeader } from "./x402.ts";

/*
 * Goal: files are sold by the chunk over HTTP, each chunk for one round trip, and neither side can
 * be cheated of more than its window. Method: real sockets on loopback, a chain in memory, servers
 * that lie where it helps.
 */

useFileSale();

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

test.each([
  ["chunk by chunk", {}],
  ["by signed vouchers", { increments: 0 }],
  ["by steps", { increments: 8 }],
])("three servers at three prices; one dies, and the file still comes %s", async (_, ways) => {
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
      ...ways,
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
  rmSync(pathOf("copy.bin"));
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
  writeFileSync(pathOf(".secret"), "x");
  const base = url.slice(0, url.lastIndexOf("/"));
  for (const path of ["/", "/none", "/.secret", "/%2e%2e/etc/passwd", "/%00", "/a%5c..%5cb", "/%"])
    expect((await fetch(`${base}${path}`)).status).toBe(404);
  expect((await fetch(url, { method: "POST" })).status).toBe(405);
  expect((await fetch(url, { headers: { range: "bytes=999999-" } })).status).toBe(416);
});

test("a chain that cannot be reached: 503, and when to ask again", async () => {
  const world = richWorld();
  const payer = await richPayer(world);
  const { url } = await relay(world);
  const source = await openSource(sourceParts(world, payer, url), { id: null, signal: never });
  world.chain.failure = new NodeError("E_NODE_UNREACHABLE", "no node answers");
  const { payTo: to, requirements } = source.offer;
  const paid = await payer.pay({ target: to, resourceId, cost: 1_024n, range: null });
  const header = paid.ok ? paymentHeaders(requirements)(paid.value.voucher) : "";
  for (const [method, query] of [["GET", ""] as const, ["POST", "?stream"] as const]) {
    const headers = { range: "bytes=0-1023", [paymentHeader]: header };
    const response = await fetch(`${url}${query}`, { method, headers });
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "5"]);
  }
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

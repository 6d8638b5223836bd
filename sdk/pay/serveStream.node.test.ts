import type { IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import {
  bring,
  chunkBytes,
  isCopied,
  listen,
  never,
  relay,
  richPayer,
  richWorld,
  servers,
  sizeBytes,
  sourceParts,
  useFileSale,
} from "../../test/fakes/fileSale.ts";
import { PayWorld, resourceId, testAddress } from "../../test/fakes/payWorld.ts";
import { openNodeStream, sha256InPlace } from "./byteStream.node.ts";
import type { StreamOpener } from "./byteStream.ts";
import { openSource } from "./source.ts";
import { paymentHeader } from "./x402.ts";

/*
 * Goal: many chunks come in one answer and are paid for while they come, and neither side can be
 * cheated of more than its window. Method: as in `serve.node.test.ts`.
 */

useFileSale();

describe.each([
  ["a signed voucher each", 0],
  ["steps along hash chains", 8],
])("many chunks in one answer, %s", (_name, increments) => {
  test("a file comes whole in one request, for its price to the wei", async () => {
    const world = richWorld();
    const payer = await richPayer(world);
    const { url, receiver } = await relay(world);
    const asked: string[] = [];
    const ports = new Set<number | undefined>();
    servers[0]?.on("request", ({ method = "", socket }: IncomingMessage) => {
      asked.push(method);
      if (method === "POST") ports.add(socket.remotePort);
    });
    const [report] = await bring(world, payer, [url], { increments });
    expect(isCopied()).toBe(true);
    expect(report).toMatchObject({ bytes: sizeBytes, spent: BigInt(sizeBytes), lost: 0n });
    // Runs become shorter towards the end: 21, 16 and 4 chunks.
    expect(asked).toEqual(["GET", "GET", "POST", "POST", "POST"]);
    expect(ports.size, "connections of the streams").toBe(1);
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
          if (bytes >= (increments === 0 ? 2 * 98 : 162 + 2 * 33)) response.destroy();
        });
      }
    });
    const options = { increments, timeoutMs: 2_000 }; // In the end it is silent.
    await expect(bring(world, payer, [url], options)).rejects.toThrow(/no server is left/);
    // The first and a group of two; another group would be more than the window of four.
    const signed = 3n * BigInt(chunkBytes);
    expect(payer.pools()[0]?.signed).toBe(signed);
    await expect(bring(world, payer, [url], options)).rejects.toThrow(/no server is left/);
    expect(payer.pools()[0]?.signed).toBe(signed);
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

  test("out of a pool with a small collateral no more is paid ahead than may be owed", async () => {
    const world = new PayWorld();
    const payer = await world.payer({}, []);
    // Three chunks may be unsettled, and the payer's own window is four.
    const collateral = 16n * 3n * BigInt(chunkBytes);
    const pool = { sequence: 1n, fund: collateral - 1n, collateral, endHeight: 500 };
    const terms = { ...pool, resourceIds: [resourceId] };
    world.chain.open(testAddress(1), terms);
    await payer.addPool(terms);
    const { url, receiver } = await relay(world);
    const [report] = await bring(world, payer, [url], { increments });
    expect(isCopied()).toBe(true);
    expect(report).toMatchObject({ spent: BigInt(sizeBytes), lost: 0n });
    await receiver.settle();
    expect(world.chain.balances.get(testAddress(2))).toBe(BigInt(sizeBytes));
  });

  test("with most of the credit owed for something else the rest of it is enough", async () => {
    const world = richWorld();
    const payer = await richPayer(world);
    const { url } = await relay(world);
    const cost = 3n * BigInt(chunkBytes);
    await payer.pay({ target: testAddress(2), resourceId, cost, range: "another file" });
    await bring(world, payer, [url], { increments, timeoutMs: 2_000 });
    expect(isCopied()).toBe(true);
  });

  test("two servers of one receiver take turns: they share what he was paid", async () => {
    const world = richWorld();
    const payer = await richPayer(world);
    const { url, receiver, handler } = await relay(world);
    const other = await listen(handler);
    const reports = await bring(world, payer, [url, other], { increments });
    expect(isCopied()).toBe(true);
    expect(reports.map(({ failure, lost }) => ({ failure, lost }))).toEqual([
      { failure: null, lost: 0n },
      { failure: null, lost: 0n },
    ]);
    expect(reports.reduce((sum, { spent }) => sum + spent, 0n)).toBe(BigInt(sizeBytes));
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

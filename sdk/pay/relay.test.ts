import { afterEach, expect, test } from "vitest";
import { createTestNode, type TestNode } from "../../test/fakes/testNetwork.ts";
import { HandClock, settle } from "../../test/fakes/handClock.ts";
import { MemoryNet } from "../../test/fakes/memoryTransport.ts";
import { PayWorld, resourceId, testAddress } from "../../test/fakes/payWorld.ts";
import { download, type FileSink } from "./download.ts";
import { PayGate } from "./gate.ts";
import { chunkCount, manifestId, sha256, type Manifest } from "./manifest.ts";
import { payProtocol, relayFetch } from "./relay.ts";
import { openSource } from "./source.ts";

/*
 * Goal: what is sold over HTTP is sold between peers as well, by the same rules. Method: two nodes
 * on a network in memory; the buyer's code is the one that buys over HTTP.
 */

const nodes: TestNode[] = [];
afterEach(async () => {
  for (const { network } of nodes.splice(0)) await network.stop();
});

const chunkBytes = 1_024;
const film = Uint8Array.from({ length: 10 * chunkBytes + 7 }, (_, i) => (i * 7) & 255);

async function manifestOf(bytes: Uint8Array): Promise<Manifest> {
  const manifest = { sizeBytes: bytes.length, chunkBytes };
  const hashes = new Uint8Array(32 * chunkCount(manifest));
  for (let i = 0; i < chunkCount(manifest); i += 1) {
    const chunk = Uint8Array.from(bytes.subarray(i * chunkBytes, (i + 1) * chunkBytes));
    hashes.set(await sha256(chunk), 32 * i);
  }
  return { ...manifest, hashes };
}

test("a file is bought from a peer, chunk by chunk, for its price", async () => {
  const world = new PayWorld();
  world.chain.open(testAddress(1), {
    sequence: 1n,
    fund: 100_000n,
    collateral: 1_600_000n,
    resourceIds: [resourceId],
    endHeight: 500,
  });
  const receiver = await world.receiver();
  const price = { unit: "byte", weiPerUnit: 1n } as const;
  const gate = new PayGate({ receiver, chain: world.chain.names, price });
  const manifest = await manifestOf(film);
  const id = await manifestId(manifest);
  const readInto = (bytes: Uint8Array, start: number): Promise<void> =>
    Promise.resolve(bytes.set(film.subarray(start, start + bytes.length)));
  const file = { manifest, id, resourceId, readInto };
  const catalog = {
    find: (path: string) => Promise.resolve(path === "/film" ? file : null),
  };

  const clock = new HandClock();
  const net = new MemoryNet(clock);
  const seller = createTestNode(net.transport("seller"), clock, {});
  payProtocol(seller.network, { catalog, gate });
  await seller.network.start();
  const bootstrap = seller.network.addresses();
  const buyer = createTestNode(net.transport("buyer"), clock, { bootstrap });
  const protocol = payProtocol(buyer.network, null);
  await buyer.network.start();
  nodes.push(seller, buyer);
  for (let turn = 0; turn < 100 && buyer.network.peers().length === 0; turn += 1) await settle();

  const payer = await world.payer({}, []);
  const pool = { sequence: 1n, fund: 100_000n, collateral: 1_600_000n };
  await payer.addPool({ ...pool, resourceIds: [resourceId], endHeight: 500 });
  const parts = {
    url: "http://peer/film",
    payer,
    chain: world.chain.names,
    weiPerByteMax: 1n,
    creditBytes: 4 * chunkBytes,
    timeoutMs: 10_000,
    fetch: relayFetch(protocol, seller.network.self),
  };
  const { signal } = new AbortController();
  const source = await openSource(parts, { id, signal });
  const copy = new Uint8Array(film.length);
  const sink: FileSink = {
    has: () => false,
    write: (index, bytes) => {
      copy.set(bytes, index * chunkBytes);
      return Promise.resolve();
    },
    sync: () => Promise.resolve(),
  };
  const [report] = await download({ payer, sources: [source], sink, window: 4, signal });
  expect(copy).toEqual(film);
  expect(report).toMatchObject({ bytes: film.length, spent: BigInt(film.length), lost: 0n });
  await receiver.settle();
  expect(world.chain.balances.get(testAddress(2))).toBe(BigInt(film.length));
  const missing = { ...parts, url: "http://peer/other" };
  await expect(openSource(missing, { id, signal })).rejects.toThrow(/answers 404/);
});

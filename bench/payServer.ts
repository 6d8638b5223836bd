import { createServer } from "node:http";
import { join } from "node:path";
import { zeroAddress } from "../base/bytes.ts";
import { FileCatalog } from "../sdk/pay/catalog.node.ts";
import { nodePayDisk } from "../sdk/pay/disk.node.ts";
import { PayGate } from "../sdk/pay/gate.ts";
import { openJournal, type Journal } from "../sdk/pay/journal.node.ts";
import { Receiver } from "../sdk/pay/receiver.ts";
import { createFileHandler } from "../sdk/pay/serve.node.ts";
import { FakePayChain } from "../test/fakes/payChain.ts";
import { testAddress } from "../test/fakes/payWorld.ts";

/*
 * The server's process of `bench/pay.ts`: `node bench/payServer.ts FOLDER CHUNK_BYTES free|paid`.
 * Vouchers are checked, and synced before anything is served, as in a real relay; the chain is in
 * memory and settles in no time, because settling is another benchmark.
 */

/** A pool that no run of this benchmark uses up. */
export function openEndlessPool(chain: FakePayChain): void {
  const fund = 10n ** 30n;
  const collateral = 2n * fund;
  const terms = { sequence: 1n, fund, collateral, resourceIds: ["bench"], endHeight: 1_000_000 };
  chain.open(testAddress(1), terms);
}

/** Journals of this process, to be closed at its end. */
export const benchJournals: Journal[] = [];

/** A receiver with a journal in this folder. */
export async function openBenchReceiver(folder: string): Promise<Receiver> {
  const chain = new FakePayChain();
  openEndlessPool(chain);
  const held: { receiver: Receiver | null } = { receiver: null };
  const live = (): readonly Uint8Array[] => held.receiver?.live() ?? [];
  const path = join(folder, "receiver.log");
  const { journal, records } = await openJournal(nodePayDisk, path, {
    chain: chain.names.genesisHash,
    live,
  });
  benchJournals.push(journal);
  const receiver = new Receiver({
    address: testAddress(2),
    chain,
    store: journal,
    now: () => Date.now(),
  });
  held.receiver = receiver;
  receiver.load(records);
  await receiver.tick();
  setInterval(() => void receiver.tick(), 5_000).unref();
  return receiver;
}

async function serve(folder: string, chunkBytes: number, isPaid: boolean): Promise<void> {
  const receiver = isPaid ? await openBenchReceiver(folder) : null;
  const catalog = new FileCatalog(folder, { chunkBytes, resourceId: "bench" });
  const price = { unit: "byte", weiPerUnit: 1n } as const;
  const names = new FakePayChain().names;
  const gate = receiver !== null ? new PayGate({ receiver, chain: names, price }) : null;
  const server = createServer(createFileHandler({ catalog, gate }));
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    process.send?.(typeof address === "object" && address !== null ? address.port : zeroAddress);
  });
}

const [folder, chunkBytes, mode] = process.argv.slice(2);
if (process.send !== undefined && folder !== undefined)
  await serve(folder, Number(chunkBytes), mode === "paid");

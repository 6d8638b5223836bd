import { accept, refuse, type Outcome } from "../base/outcome.ts";
import type { Receipt } from "../ledger/receiptTypes.ts";
import type { BlockHead, FoundLog, LogFilter, LogLimits, LogRefusal } from "../rpc/api.ts";
import { isLogWanted } from "../rpc/subscriptions.ts";
import { logTermsOf } from "../store/logIndex.ts";
import { missingBlock } from "./chain.ts";
import type { DiskStore } from "./diskStore.ts";
import type { Reads } from "./reads.ts";

/** A block whose receipts are at hand. */
type OpenBlock = { readonly head: BlockHead; readonly receipt: (index: number) => Receipt };

/** Reads the logs of committed blocks that fit, in order: by the index, receipt by receipt. */
export async function readLogs(
  { store, reads }: { readonly store: DiskStore; readonly reads: Reads },
  filter: LogFilter,
  limits: LogLimits,
): Promise<Outcome<readonly FoundLog[], LogRefusal>> {
  const { from, to } = filter;
  const found: FoundLog[] = [];
  let open: OpenBlock | null = null;
  let receiptsRead = 0;
  for await (const place of store.logPlaces(logTermsOf(filter), { from, to })) {
    if (open?.head.header.height !== place.height) open = openBlock({ store, reads }, place.height);
    receiptsRead += 1;
    if (receiptsRead > limits.receiptsMax) {
      return refuse({ code: "receiptsMax", max: limits.receiptsMax, height: place.height });
    }
    const { head, receipt } = open;
    const { transactionHash, logs } = receipt(place.receipt);
    for (const [i, log] of logs.entries()) {
      if (!isLogWanted(log, filter)) continue;
      if (found.length === limits.logsMax) {
        return refuse({ code: "logsMax", max: limits.logsMax, height: place.height });
      }
      const index = place.logFirst + i;
      found.push({ log, index, block: head, transactionHash, transactionIndex: place.receipt });
    }
  }
  return accept(found);
}

function openBlock(
  { store, reads }: { readonly store: DiskStore; readonly reads: Reads },
  height: number,
): OpenBlock {
  const head = reads.headAtHeight(height);
  const receipt = head === null ? null : store.receiptReader(head.hash);
  if (head === null || receipt === null) throw missingBlock(`the receipts of block ${height}`);
  return { head, receipt };
}

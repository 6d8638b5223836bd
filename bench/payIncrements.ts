import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import type { IncrementChain } from "../ledger/voucherIncrements.ts";
import type { Payer } from "../sdk/pay/payer.ts";
import { openTab, type Tab } from "../sdk/pay/tab.ts";
import { testAddress } from "../test/fakes/payWorld.ts";
import { openBenchReceiver } from "./payServer.ts";
import { measured, type Rate } from "./rates.ts";

/*
 * Steps along hash chains in one process: shown by a payer, checked and credited one by one by a
 * receiver, and a range served for each; both sides keep their records, a group at a time.
 */

const groupSize = 256;
const resourceId = "bench";
const target = testAddress(2);

/** So many increments of one payer and one receiver. */
export async function benchIncrements(
  folder: string,
  count: number,
  openPayer: (folder: string) => Promise<Payer>,
): Promise<() => Promise<Rate>> {
  const sub = mkdtempSync(join(folder, "increments-"));
  const payer = await openPayer(sub);
  const receiver = await openBenchReceiver(sub);
  const first = await payer.pay({ target, resourceId, cost: 1n, range: null });
  if (!first.ok) throw new Error(first.refusal.code);
  const opened = await openTab(receiver, first.value.voucher, resourceId);
  if (!opened.ok) throw new Error(opened.refusal.code);
  let served = 0;
  return () =>
    measured(count, async () => {
      for (let done = 0; done < count; done += groupSize) {
        await payGroup(payer, opened.value, served);
        served += groupSize;
      }
    });
}

async function payGroup(payer: Payer, tab: Tab, served: number): Promise<void> {
  const ranges = Array.from({ length: groupSize }, (_, i) => {
    return { range: `bench ${served + i}-${served + i + 1}`, cost: 1n };
  });
  const ahead = await payer.payAhead({ target, resourceId, ranges });
  if (!ahead.ok) throw new Error(ahead.refusal.code);
  const { terms, amounts } = ahead.value;
  const start = (amounts[0] ?? 0n) - 1n;
  const chain: IncrementChain = payer.startChain(terms, start, 1n, groupSize);
  const { signature, token: anchor, step } = chain;
  await taken(tab.offer([{ type: "chain", amount: start, step, anchor, signature }]));
  for (const { range, cost } of ranges) {
    chain.advance();
    await taken(tab.offer([{ type: "token", token: chain.token }]));
    const bought = tab.take(cost, range);
    if (!bought.ok) throw new Error(bought.refusal.code);
  }
  await tab.keep();
  await payer.served(
    target,
    ranges.map(({ range }) => range),
  );
}

async function taken(offer: ReturnType<Tab["offer"]>): Promise<void> {
  const refusal = await offer;
  if (refusal !== null) throw new Error(refusal.code);
}

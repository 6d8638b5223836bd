import { readFileSync } from "node:fs";
import { NodeError } from "../../base/nodeError.ts";
import type { AccountSummary } from "../../sdk/pay/receiver.ts";
import { openReceiver, storedVouchers } from "../../sdk/pay/stores.node.ts";
import { readVoucherJson, type SignedVoucher } from "../../sdk/pay/voucherJson.ts";
import { Watcher } from "../../sdk/pay/watcher.ts";
import type { Action } from "../commandTree.ts";
import { printDocument, type Context } from "../context.ts";
import { UsageError } from "../failure.ts";
import { addressFlag, integerFlag, requiredFlag } from "../flags.ts";
import { paySession } from "./pay.ts";
import { untilAborted } from "./payServe.ts";

function accountJson({ id, best, balance, unsettled, view }: AccountSummary): object {
  return {
    payer: id.owner,
    reserve_sequence: `${id.sequence}`,
    state: view.isCondemned ? "condemned" : "open",
    end_height: view.endHeight,
    amount: `${best?.amount ?? 0n}`,
    unsettled: `${unsettled}`,
    settled: `${view.settled.total}`,
    unused: `${balance}`,
    resource: best?.resourceId ?? null,
  };
}

/** `pay receive list`: what payers owe this account. */
export const receiveListCommand: Action = async (context, flags) => {
  const address = addressFlag("--address", requiredFlag("--address", flags.text("address")));
  const { chain } = await paySession(context, flags, address);
  const receiver = await openReceiver(context.settings.folder, { address, chain });
  try {
    await receiver.value.tick();
    const accounts = await receiver.value.summaries();
    printDocument(context, { accounts: accounts.map(accountJson) });
  } finally {
    await receiver.close();
  }
};

/** `pay receive settle`: hands in all that is owed, or one voucher from a file. */
export const receiveSettleCommand: Action = async (context, flags) => {
  const address = addressFlag("--address", requiredFlag("--address", flags.text("address")));
  const file = flags.text("voucher");
  const { chain } = await paySession(context, flags, address);
  // Nothing is served for it and it is handed in at once: there is no exposure to bound.
  const policy = { exposureDivisor: 1n };
  const receiver = await openReceiver(context.settings.folder, { address, chain, policy });
  try {
    await receiver.value.tick();
    if (file !== undefined) {
      const voucher = readVoucher(file);
      const { resourceId } = voucher;
      const taken = await receiver.value.charge({ voucher, resourceId, cost: 0n, range: null });
      if (!taken.ok)
        throw new NodeError("E_VOUCHER", `the voucher is not good: ${taken.refusal.code}`);
    }
    const settled = await receiver.value.settle();
    printDocument(context, {
      settled: settled.map(({ voucher, paid }) => {
        return {
          payer: voucher.source,
          amount: `${voucher.amount}`,
          paid: paid?.toString() ?? null,
        };
      }),
    });
  } finally {
    await receiver.close();
  }
};

/** Largest voucher file, in bytes. */
const voucherBytesMax = 65_536;

function readVoucher(file: string): SignedVoucher {
  const text = readFileSync(file === "-" ? 0 : file, "utf8");
  let json: unknown = null;
  try {
    json = text.length > voucherBytesMax ? null : JSON.parse(text);
  } catch {
    json = null; // Told below.
  }
  const voucher = readVoucherJson(json);
  if (voucher === null) throw new UsageError(`${file} does not hold a voucher`);
  return voucher;
}

/** Between two looks at the chain, in ms. */
const watchMs = 5_000;

/** `pay watch`: stands in for receivers of this wallet folder that do not run. */
export const watchCommand: Action = async (context, flags) => {
  const from = addressFlag("--from", requiredFlag("--from", flags.text("from")));
  const receivers = requiredFlag("--address", flags.text("address"))
    .split(",")
    .map((text) => addressFlag("--address", text));
  const text = flags.text("blocksLeft") ?? "60";
  const blocksLeftMin = Number(integerFlag("--blocks-left", text, { min: 1n, max: 100_000n }));
  const { chain } = await paySession(context, flags, from);
  const { folder } = context.settings;
  const vouchers = async (): Promise<readonly SignedVoucher[]> =>
    (
      await Promise.all(receivers.map((address) => storedVouchers(folder, address, chain.names)))
    ).flat();
  const watcher = new Watcher({ chain, vouchers, blocksLeftMin });
  const look = async (): Promise<void> => report(context, await watcher.tick());
  await look();
  if (!flags.has("once")) await untilAborted(context, watchMs, look);
};

function report(
  context: Context,
  done: { readonly settled: readonly SignedVoucher[]; readonly slashed: readonly string[] },
): void {
  for (const pool of done.slashed) context.print(`overspent, proof handed in: pool ${pool}`);
  for (const { source, target, amount } of done.settled)
    context.print(`settled for ${target}: ${amount} wei of ${source}`);
}

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Address } from "../../base/brand.ts";
import type { SignedVoucher, VoucherChain, VoucherSigner } from "../../ledger/voucher.ts";
import { decodeAccountRecord, type ReceiverPolicy } from "./account.ts";
import { nodePayDisk } from "./disk.node.ts";
import { PayStateError } from "./errors.ts";
import { openJournal, readJournal } from "./journal.node.ts";
import { Payer, type PayerParts } from "./payer.ts";
import { poolOf, poolText, type PayChain } from "./pool.ts";
import { Receiver } from "./receiver.ts";

/* Payers and receivers whose records are in files of a wallet's folder. */

/** What was opened, to be closed by whoever opened it. */
export type Opened<T> = { readonly value: T; readonly close: () => Promise<void> };

function fileOf(folder: string, role: "payer" | "receiver", address: Address): string {
  return join(folder, "pay", `${role}-${address}.log`);
}

/** How long a payer waits for another process that pays from the same account, in ms. */
const payerLockMsMax = 10_000;

/** The payer of an account; one process at a time, a second one waits its turn for a while. */
export async function openPayer(
  folder: string,
  parts: Omit<PayerParts, "store"> & {
    readonly signer: VoucherSigner;
    readonly chain: VoucherChain;
  },
): Promise<Opened<Payer>> {
  mkdirSync(join(folder, "pay"), { recursive: true, mode: 0o700 });
  const held: { value: Payer | null } = { value: null };
  const live = (): readonly Uint8Array[] => held.value?.live() ?? [];
  const path = fileOf(folder, "payer", parts.signer.address);
  const options = { chain: parts.chain.genesisHash, live, lockMsMax: payerLockMsMax };
  const { journal, records } = await openJournal(nodePayDisk, path, options);
  const payer = new Payer({ ...parts, store: journal });
  payer.load(records);
  held.value = payer;
  const close = async (): Promise<void> => {
    await payer.trim();
    await journal.close();
  };
  return { value: payer, close };
}

/** The receiver of an account; one process at a time. */
export async function openReceiver(
  folder: string,
  parts: {
    readonly address: Address;
    readonly chain: PayChain;
    readonly policy?: Partial<ReceiverPolicy>;
  },
): Promise<Opened<Receiver>> {
  mkdirSync(join(folder, "pay"), { recursive: true, mode: 0o700 });
  const held: { value: Receiver | null } = { value: null };
  const live = (): readonly Uint8Array[] => held.value?.live() ?? [];
  const path = fileOf(folder, "receiver", parts.address);
  const chain = parts.chain.names.genesisHash;
  const { journal, records } = await openJournal(nodePayDisk, path, { chain, live });
  const receiver = new Receiver({ ...parts, store: journal, now: () => Date.now() });
  receiver.load(records);
  held.value = receiver;
  return { value: receiver, close: () => journal.close() };
}

/** The best voucher of each pool that a receiver has on disk, whether or not it runs. */
export async function storedVouchers(
  folder: string,
  address: Address,
  chain: VoucherChain,
): Promise<readonly SignedVoucher[]> {
  const best = new Map<string, SignedVoucher>();
  const path = fileOf(folder, "receiver", address);
  for (const bytes of await readJournal(nodePayDisk, path, chain.genesisHash)) {
    const record = decodeAccountRecord(bytes);
    if (!record.ok)
      throw new PayStateError("E_PAY_STATE_CORRUPT", `a voucher record: ${record.refusal}`);
    if ("end" in record.value) best.delete(poolText(record.value.end));
    else if (record.value.best !== null)
      best.set(poolText(poolOf(record.value.best)), record.value.best);
  }
  return [...best.values()];
}

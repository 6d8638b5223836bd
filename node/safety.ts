import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Address, Digest } from "../base/brand.ts";
import { bytesToHex, concatBytes, equalBytes, hexToBytes, textToBytes } from "../base/bytes.ts";
import { NodeError } from "../base/nodeError.ts";
import { decodeRlp, encodeRlp, readBytes, readList, readNumber, rlpNumber } from "../base/rlp.ts";
import { decodeSafetyRecord, encodeSafetyRecord } from "../consensus/codec.ts";
import { indexOfValidator } from "../consensus/committee.ts";
import { emptySafetyRecord } from "../consensus/rules.ts";
import { hasSigner } from "../consensus/signers.ts";
import type { Certificate, EpochInfo, SafetyRecord } from "../consensus/types.ts";
import { keccak256 } from "../crypto/keccak.ts";
import type { Header } from "../ledger/blockTypes.ts";
import { CorruptionError } from "../store/failures.ts";
import { nodeFileSystem } from "../store/fileSystem.ts";
import {
  createSafetyFile as createFile,
  openSafetyFile,
  safetyRecordBytesMax,
  type SafetyFile,
} from "../store/safetyFile.ts";
import { missingBlock } from "./chain.ts";
import type { Config } from "./config.ts";
import type { GenesisNames } from "./genesis.ts";
import type { ValidatorKeys } from "./keys.ts";
import type { Log } from "./log.ts";
import type { SafetyRecords } from "./world.ts";

/*
 * Which safety file may be trusted: one that was written for this key, this chain and this very
 * data
 * folder. A copy on another machine, or one that came back from a backup, may not know of votes
 * that
 * were sent after it was made, so its key stays silent until the next epoch (DESIGN 5).
 *
 * A record: [binding, safety record or empty, first epoch to sign in]. An empty one promises
 * nothing: it
 * comes with a new key, or with the silence of an old one until that epoch.
 */

/** Name of the file in the data folder. */
export const safetyFileName = "safety";

/** The safety file of a running validator. */
export type OpenedSafety = SafetyRecords & {
  /** What was last promised; `null` if nothing may be signed in this epoch. */
  readonly record: SafetyRecord | null;
  close(): Promise<void>;
};

/** What a safety file is for. */
export type SafetySubject = { readonly genesis: Digest; readonly publicKey: Uint8Array };

/**
 * Names this machine and this folder on it: a copy of the folder, restored or carried elsewhere,
 * has
 * another inode.
 */
function placeOf(folder: string): Uint8Array {
  const path = "/etc/machine-id";
  const machine = existsSync(path) ? readFileSync(path, "utf8").trim() : hostname();
  const { ino } = statSync(folder, { bigint: true });
  return textToBytes(`${machine}/${ino}`);
}

function bindingOf(folder: string, { genesis, publicKey }: SafetySubject): Uint8Array {
  return keccak256(
    concatBytes(textToBytes("ledger.safety.1"), hexToBytes(genesis), publicKey, placeOf(folder)),
  );
}

/**
 * Instead of a binding to a place, in the first record of a network that is made on one machine for
 * several.
 */
function portableOf({ genesis, publicKey }: SafetySubject): Uint8Array {
  return keccak256(concatBytes(textToBytes("ledger.safety.new.1"), hexToBytes(genesis), publicKey));
}

function encodeBound(binding: Uint8Array, record: Uint8Array, firstEpoch = 0): Uint8Array {
  return encodeRlp([binding, record, rlpNumber(firstEpoch)]);
}

/**
 * Makes the file with its first, empty record: only together with a new key. A portable one is
 * bound to the place where it is first opened, and is worth nothing after the network's first
 * epoch.
 */
export async function createSafetyFile(
  dataFolder: string,
  subject: SafetySubject & { readonly isPortable: boolean },
): Promise<void> {
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  const binding = subject.isPortable ? portableOf(subject) : bindingOf(dataFolder, subject);
  const first = encodeBound(binding, new Uint8Array(0));
  await createFile(nodeFileSystem, join(dataFolder, safetyFileName), first);
}

/** What opening a safety file needs. */
export type SafetyOptions = {
  readonly genesis: Pick<GenesisNames, "hash">;
  readonly keys: ValidatorKeys;
  readonly store: SafetyView;
  readonly epoch: EpochInfo;
  readonly log: Log;
  readonly allowMissing: boolean;
};

/** What the safety file needs of a header. */
export type SeenHeader = Pick<Header, "height" | "epoch" | "view" | "parentCertificate">;

/** The stored blocks, as far as they show what a key signed; `DiskStore` is one. */
export interface SafetyView {
  readonly head: { readonly header: SeenHeader };
  hashAtHeight(height: number): Digest | null;
  committedHeader(hash: Digest): SeenHeader | null;
  uncommittedBlocks(): readonly { readonly block: { readonly header: SeenHeader } }[];
  headProof(): { readonly certificate: Certificate } | null;
  /** Whether a block is stored, committed or not: `null` if it is not. */
  block(hash: Digest): object | null;
}

/** The settings that decide where the file is and whether it may be missing. */
export type SafetySettings = Pick<Config, "dataFolder"> & {
  readonly consensus: Pick<Config["consensus"], "soleValidator">;
};

/** What a safety file says of this key in this epoch. */
type Found =
  | { readonly type: "trusted"; readonly record: SafetyRecord }
  /** The file itself says that the key is silent until this epoch. */
  | { readonly type: "silent"; readonly firstEpoch: number }
  /** Made with its key for this network, and never opened before. */
  | { readonly type: "new" }
  | { readonly type: "untrusted"; readonly why: string };

/** Opens the file, or makes one that promises nothing where none can be trusted. */
export async function openSafety(
  config: SafetySettings,
  options: SafetyOptions,
): Promise<OpenedSafety> {
  const { genesis, keys, epoch } = options;
  const folder = config.dataFolder;
  const path = join(folder, safetyFileName);
  const binding = bindingOf(folder, { genesis: genesis.hash, publicKey: keys.blsPublicKey });
  const file = await openFile(path);
  let record: SafetyRecord | null;
  try {
    const found = file === null ? missing : readNewest(file, binding, options);
    if (file !== null && found.type === "trusted") {
      checkStore(found.record, options);
      return opened(file, binding, found.record);
    }
    if (found.type === "new") {
      record = emptySafetyRecord(epoch);
    } else {
      record = startsAfresh(config, options) ? freshRecord(options.store, epoch) : null;
      announce(path, { found, record }, options);
    }
    if (file !== null && found.type === "silent" && record === null) {
      return opened(file, binding, null);
    }
  } catch (error) {
    await file?.close();
    throw error;
  }
  await file?.close();
  if (file !== null) await nodeFileSystem.remove(path);
  const first =
    record === null
      ? encodeBound(binding, new Uint8Array(0), epoch.epoch + 1)
      : encodeBound(binding, encodeSafetyRecord(record));
  await createFile(nodeFileSystem, path, first);
  const made = await openFile(path);
  if (made === null) throw new NodeError("E_SAFETY_FILE", `cannot open ${path}`);
  return opened(made, binding, record);
}

const missing: Found = { type: "untrusted", why: "there is no safety file" };

/** A damaged file is not replaced by itself: what it promised is not known. */
async function openFile(path: string): Promise<SafetyFile | null> {
  try {
    return await openSafetyFile(nodeFileSystem, path);
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    throw new NodeError("E_SAFETY_FILE", error.message, {
      cause: error,
      hint: "move it away, never back: its key then signs nothing until the next epoch",
    });
  }
}

/** What the newest record says, if the file is of this key, chain and place, and no old copy. */
function readNewest(
  file: SafetyFile,
  binding: Uint8Array,
  { genesis, store, keys, epoch }: SafetyOptions,
): Found {
  const decoded = file.newest === null ? null : decodeRlp(file.newest);
  const fields = decoded?.ok === true ? readList(decoded.value, 3) : null;
  const found = readBytes(fields?.[0], 32);
  const bytes = readBytes(fields?.[1], safetyRecordBytesMax);
  const firstEpoch = readNumber(fields?.[2]);
  const portable = portableOf({ genesis: genesis.hash, publicKey: keys.blsPublicKey });
  if (found !== null && bytes?.length === 0 && equalBytes(found, portable)) {
    const isFirst = epoch.epoch === 0 && newestOwnView(store, epoch, keys.address) === 0;
    return isFirst
      ? { type: "new" }
      : { type: "untrusted", why: "the safety file is that of a start long ago" };
  }
  if (found === null || bytes === null || firstEpoch === null || !equalBytes(found, binding)) {
    return { type: "untrusted", why: "the safety file is of another place, key or chain" };
  }
  if (bytes.length === 0 && epoch.epoch < firstEpoch) return { type: "silent", firstEpoch };
  const record = bytes.length === 0 ? null : decodeSafetyRecord(bytes);
  if (record?.ok === false)
    throw new NodeError("E_SAFETY_FILE", `the safety file is unreadable: ${record.refusal.detail}`);
  const read = record === null ? emptySafetyRecord(epoch) : record.value;
  const votedView = read.epoch < epoch.epoch ? 0 : read.votedView;
  const ownView = newestOwnView(store, epoch, keys.address);
  if (read.epoch <= epoch.epoch && ownView > votedView) {
    const views = `it ends at view ${votedView}, and the chain holds a vote in view ${ownView}`;
    return { type: "untrusted", why: `the safety file is an old copy: ${views}` };
  }
  return { type: "trusted", record: read };
}

/** The newest view in which a stored certificate of the epoch holds this key's vote; 0 for none. */
function newestOwnView(store: SafetyView, epoch: EpochInfo, self: Address): number {
  const index = indexOfValidator(epoch.committee, self);
  if (index === null) return 0;
  const proof = store.headProof();
  return [
    ...(proof === null ? [] : [proof.certificate]),
    ...storedHeaders(store, epoch).map((header) => header.parentCertificate),
  ]
    .filter((held) => held.epoch === epoch.epoch && hasSigner(held.signers, index))
    .reduce((newest, { view }) => Math.max(newest, view), 0);
}

/** Headers of the epoch's stored blocks, committed or not. */
function storedHeaders(store: SafetyView, epoch: EpochInfo): readonly SeenHeader[] {
  const headers = store.uncommittedBlocks().map(({ block }) => block.header);
  for (let at = epoch.rootHeight + 1; at <= store.head.header.height; at += 1) {
    const hash = store.hashAtHeight(at);
    const header = hash === null ? null : store.committedHeader(hash);
    if (header === null) throw missingBlock(`the block at height ${at}`);
    headers.push(header);
  }
  return headers.filter((header) => header.epoch === epoch.epoch);
}

/**
 * A block is synced before the vote for it is recorded, so a record that names one which is not
 * there shows that the store lost what it held. Other validators still have it; the only one does
 * not.
 */
function checkStore(record: SafetyRecord, { store, epoch, keys, log }: SafetyOptions): void {
  const { vote } = record;
  const { header } = store.head;
  const isBehind =
    record.epoch > epoch.epoch ||
    (vote !== null &&
      record.epoch === epoch.epoch &&
      store.block(vote.block) === null &&
      (header.epoch < vote.epoch || header.view < vote.view));
  if (!isBehind) return;
  const voted = `epoch ${record.epoch}, view ${record.votedView}`;
  const lost = `the store ends at block ${header.height}, and this key voted later (${voted})`;
  if (!isSoleValidator(epoch, keys)) {
    log.warn(`${lost}: what is missing is to come from other validators`);
    return;
  }
  throw new NodeError("E_DATA_CORRUPT", lost, {
    hint: "restore the store from the disk that lost it; no other validator has these blocks",
  });
}

function announce(
  path: string,
  {
    found,
    record,
  }: {
    readonly found: Exclude<Found, { readonly type: "new" }>;
    readonly record: SafetyRecord | null;
  },
  { epoch, keys, log }: SafetyOptions,
): void {
  const why =
    found.type === "untrusted" ? found.why : "an earlier start found no safety file to trust";
  if (record !== null) {
    log.warn(`${why}: starting afresh, as the only validator may`, { file: path });
    return;
  }
  const firstEpoch = found.type === "silent" ? found.firstEpoch : epoch.epoch + 1;
  const standsStill = isSoleValidator(epoch, keys)
    ? ", and its network of one stands still: start once with --set=consensus.soleValidator=true"
    : "";
  log.warn(`${why}: this key signs nothing until the next epoch${standsStill}`, {
    file: path,
    firstEpoch,
    nextEpochAfterHeight: epoch.lastHeight,
  });
}

function opened(file: SafetyFile, binding: Uint8Array, record: SafetyRecord | null): OpenedSafety {
  return {
    record,
    append: (bytes) => file.append(encodeBound(binding, bytes)),
    close: () => file.close(),
  };
}

function isSoleValidator({ committee }: EpochInfo, { address }: ValidatorKeys): boolean {
  const { validators } = committee;
  return validators.length === 1 && validators[0]?.address === address;
}

/** Whether no other validator could have seen a vote of this key that the file would not know. */
function startsAfresh(
  config: SafetySettings,
  { keys, epoch, allowMissing }: SafetyOptions,
): boolean {
  if (!allowMissing && !config.consensus.soleValidator) return false;
  if (isSoleValidator(epoch, keys)) return true;
  const key = bytesToHex(keys.blsPublicKey).slice(0, 18);
  throw new NodeError(
    "E_SAFETY_FILE",
    `key ${key}… is not the only validator: without its safety file it is silent this epoch`,
    { hint: "start without consensus.soleValidator and --allow-missing-safety-file" },
  );
}

/**
 * A record that promises not to vote again where stored blocks show that this key may have voted.
 */
function freshRecord(store: SafetyView, epoch: EpochInfo): SafetyRecord {
  const seen = storedHeaders(store, epoch);
  const newest = seen.reduce((max, header) => Math.max(max, header.view), 0);
  const high = seen
    .map((header) => header.parentCertificate)
    .reduce(
      (max, held) => (held.view > max.view ? held : max),
      emptySafetyRecord(epoch).highCertificate,
    );
  return {
    ...emptySafetyRecord(epoch),
    votedView: newest,
    lockView: high.view,
    highCertificate: high,
  };
}

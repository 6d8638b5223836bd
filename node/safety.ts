import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Digest } from "../base/brand.ts";
import { bytesToHex, concatBytes, equalBytes, hexToBytes, textToBytes } from "../base/bytes.ts";
import { NodeError } from "../base/nodeError.ts";
import { decodeRlp, encodeRlp, readBytes, readList, readNumber, rlpNumber } from "../base/rlp.ts";
import { decodeSafetyRecord, encodeSafetyRecord } from "../consensus/codec.ts";
import { emptySafetyRecord } from "../consensus/rules.ts";
import type { EpochInfo, SafetyRecord } from "../consensus/types.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { nodeFileSystem } from "../store/fileSystem.ts";
import {
  createSafetyFile as createFile,
  openSafetyFile,
  safetyRecordBytesMax,
  type SafetyFile,
} from "../store/safetyFile.ts";
import type { Config } from "./config.ts";
import type { DiskStore } from "./diskStore.ts";
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

function encodeBound(binding: Uint8Array, record: Uint8Array, firstEpoch = 0): Uint8Array {
  return encodeRlp([binding, record, rlpNumber(firstEpoch)]);
}

/** Makes the file with its first, empty record: only together with a new key. */
export async function createSafetyFile(dataFolder: string, subject: SafetySubject): Promise<void> {
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  const first = encodeBound(bindingOf(dataFolder, subject), new Uint8Array(0));
  await createFile(nodeFileSystem, join(dataFolder, safetyFileName), first);
}

/** Opens the file, or makes one that promises nothing where none can be trusted. */
export async function openSafety(
  config: Config,
  options: {
    readonly genesis: GenesisNames;
    readonly keys: ValidatorKeys;
    readonly store: DiskStore;
    readonly epoch: EpochInfo;
    readonly log: Log;
    readonly allowMissing: boolean;
  },
): Promise<OpenedSafety> {
  const { genesis, keys, epoch, log } = options;
  const folder = config.dataFolder;
  const path = join(folder, safetyFileName);
  const subject = { genesis: genesis.hash, publicKey: keys.blsPublicKey };
  const binding = bindingOf(folder, subject);
  let file = await openSafetyFile(nodeFileSystem, path);
  const found = file === null ? null : readNewest(file, binding, epoch);
  if (file !== null && found !== null) return opened(file, binding, found);
  const why = file === null ? "there is no safety file" : "the safety file is of another place";
  await file?.close();
  const record = startsAfresh(config, options) ? freshRecord(options.store, epoch) : null;
  if (record === null) {
    log.warn(`${why}: this key signs nothing until the next epoch`, {
      file: path,
      nextEpochAfterHeight: epoch.lastHeight,
    });
  } else {
    log.warn(`${why}: starting afresh, as the only validator may`, { file: path });
  }
  if (file !== null) await nodeFileSystem.remove(path);
  const first =
    record === null
      ? encodeBound(binding, new Uint8Array(0), epoch.epoch + 1)
      : encodeBound(binding, encodeSafetyRecord(record));
  await createFile(nodeFileSystem, path, first);
  file = await openSafetyFile(nodeFileSystem, path);
  if (file === null) throw new NodeError("E_SAFETY_FILE", `cannot open ${path}`);
  return opened(file, binding, { record });
}

type Found = { readonly record: SafetyRecord | null };

/** What the newest record says; `null` if the file belongs to another key, chain or place. */
function readNewest(file: SafetyFile, binding: Uint8Array, epoch: EpochInfo): Found | null {
  const decoded = file.newest === null ? null : decodeRlp(file.newest);
  const fields = decoded?.ok === true ? readList(decoded.value, 3) : null;
  const found = readBytes(fields?.[0], 32);
  const bytes = readBytes(fields?.[1], safetyRecordBytesMax);
  const firstEpoch = readNumber(fields?.[2]);
  if (found === null || bytes === null || firstEpoch === null) return null;
  if (!equalBytes(found, binding)) return null;
  if (bytes.length === 0) {
    return { record: epoch.epoch < firstEpoch ? null : emptySafetyRecord(epoch) };
  }
  const record = decodeSafetyRecord(bytes);
  if (!record.ok)
    throw new NodeError("E_SAFETY_FILE", `the safety file is unreadable: ${record.refusal.detail}`);
  return { record: record.value };
}

function opened(file: SafetyFile, binding: Uint8Array, { record }: Found): OpenedSafety {
  return {
    record,
    append: (bytes) => file.append(encodeBound(binding, bytes)),
    close: () => file.close(),
  };
}

/** Whether no other validator could have seen a vote of this key that the file would not know. */
function startsAfresh(
  config: Config,
  { keys, epoch, allowMissing }: Parameters<typeof openSafety>[1],
): boolean {
  if (!allowMissing && !config.consensus.soleValidator) return false;
  const { validators } = epoch.committee;
  const isSole = validators.length === 1 && validators[0]?.address === keys.address;
  if (isSole) return true;
  const key = bytesToHex(keys.blsPublicKey).slice(0, 18);
  throw new NodeError(
    "E_SAFETY_FILE",
    `key ${key}… is not the only validator: without its safety file it must stay silent this epoch`,
    { hint: "start without consensus.soleValidator and --allow-missing-safety-file" },
  );
}

/**
 * A record that promises not to vote again where stored blocks show that this key may have voted.
 */
function freshRecord(store: DiskStore, epoch: EpochInfo): SafetyRecord {
  const seen = [...store.committedSince(epoch.rootHeight + 1), ...store.uncommittedBlocks()]
    .map(({ block }) => block.header)
    .filter((header) => header.epoch === epoch.epoch);
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

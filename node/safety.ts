import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Address, Digest } from "../base/brand.ts";
import {
  bytesToHex,
  concatBytes,
  emptyBytes,
  equalBytes,
  hexToBytes,
  textToBytes,
} from "../base/bytes.ts";
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
import { SafetyWitness, sessionSize, witnessFolder } from "./safetyWitness.ts";
import type { SafetyRecords } from "./world.ts";

/*
 * Which safety file may be trusted: one that was written for this key, this chain and this very
 * data folder, and that is as new as what the machine remembers since it was started
 * (node/safetyWitness.ts). Any other may not know of votes that were sent after it was made, so its
 * key is silent (docs/adr/017). What a record says in the doubt is kept: a roll call of the other
 * validators may show that it is as new as theirs (node/rollCall.ts).
 *
 * A record: [binding, safety record or empty, silent until, session]. `silent until` is 0 for a
 * record that was promised; else the key speaks only in an epoch whose root has a later timestamp,
 * in milliseconds. An empty one with 0 comes with a new key.
 */

/** Name of the file in the data folder. */
export const safetyFileName = "safety";

/** The safety file of a running validator. */
export type OpenedSafety = Pick<SafetyRecords, "append"> & {
  /** What was last promised; `null` if the key is silent. */
  readonly record: SafetyRecord | null;
  /** `null` if the key speaks. */
  readonly silence: Silence | null;
  /** Makes the key silent, over restarts too. */
  fallSilent(silence: Silence): Promise<void>;
  close(): Promise<void>;
};

/** What a safety file is for. */
export type SafetySubject = { readonly genesis: Digest; readonly publicKey: Uint8Array };

/**
 * Names this machine and this folder on it: a copy of the folder, restored or carried elsewhere,
 * has another inode.
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

/** Where the file says when the key speaks, and in which run of records it stands. */
type Standing = { readonly silentUntilMs: number; readonly session: Uint8Array };

/** Empty for a record that says nothing. */
function encodeKept(record: SafetyRecord | null): Uint8Array {
  return record === null ? emptyBytes : encodeSafetyRecord(record);
}

function encodeBound(
  binding: Uint8Array,
  record: Uint8Array,
  { silentUntilMs, session }: Standing,
): Uint8Array {
  return encodeRlp([binding, record, rlpNumber(silentUntilMs), session]);
}

/**
 * Makes the file with its first, empty record: only together with a new key. A portable one is
 * bound to the place where it is first opened; what its copies signed is for the others to say.
 */
export async function createSafetyFile(
  dataFolder: string,
  subject: SafetySubject & { readonly isPortable: boolean },
  witnesses = witnessFolder(),
): Promise<void> {
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  const { isPortable } = subject;
  const binding = isPortable ? portableOf(subject) : bindingOf(dataFolder, subject);
  const witness = isPortable ? null : new SafetyWitness(binding, witnesses);
  const session = witness?.session ?? emptyBytes;
  const first = encodeBound(binding, emptyBytes, { silentUntilMs: 0, session });
  await createFile(nodeFileSystem, join(dataFolder, safetyFileName), first);
  witness?.note(0);
  witness?.close();
}

/** What opening a safety file needs. */
export type SafetyOptions = {
  readonly genesis: Pick<GenesisNames, "hash">;
  readonly keys: ValidatorKeys;
  readonly store: SafetyView;
  readonly epoch: EpochInfo;
  readonly log: Log;
  readonly allowMissing: boolean;
  /** This machine's wall clock. */
  readonly nowMs: () => number;
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
  readonly data: Pick<Config["data"], "witness">;
  readonly consensus: Pick<
    Config["consensus"],
    "soleValidator" | "trustSafetyFile" | "clockDriftMsMax"
  >;
};

/** Why and until when a key signs nothing. */
export type Silence = {
  /** Timestamp that an epoch's root must exceed for the key to speak in that epoch. */
  readonly untilMs: number;
  /** What the key speaks with at once if it is shown to be all that was signed; else `null`. */
  readonly candidate: SafetyRecord | null;
};

/**
 * An epoch whose root's timestamp exceeds this began after now: an honest voter takes a block at
 * most `clockDriftMsMax` ahead of its clock, and honest clocks are at most so far from this one.
 */
export function doubtUntilMs(settings: SafetySettings, nowMs: number): number {
  return nowMs + 2 * settings.consensus.clockDriftMsMax;
}

/** What a safety file says of this key in this epoch. */
type Found =
  | { readonly type: "trusted"; readonly record: SafetyRecord }
  /** The file itself says that the key is silent. */
  | { readonly type: "silent"; readonly silence: Silence }
  /** Bound to this place and not known to be old: it may be all that was signed, or not. */
  | { readonly type: "unsure"; readonly candidate: SafetyRecord; readonly why: string }
  | { readonly type: "untrusted"; readonly why: string };

/** Opens the file, or makes one that promises nothing where none can be trusted. */
export async function openSafety(
  config: SafetySettings,
  options: SafetyOptions,
): Promise<OpenedSafety> {
  const { genesis, keys } = options;
  const path = join(config.dataFolder, safetyFileName);
  const subject = { genesis: genesis.hash, publicKey: keys.blsPublicKey };
  const binding = bindingOf(config.dataFolder, subject);
  const file = await openFile(path);
  const { witness: witnesses } = config.data;
  const witness = new SafetyWitness(binding, witnesses === "" ? witnessFolder() : witnesses);
  const parts = { path, binding, witness };
  try {
    const found = file === null ? missing : readNewest(file, parts, options);
    const opening = decide(config, found, options);
    if (opening.record !== null) checkStore(opening.record, options);
    announce(parts.path, opening, options);
    if (file !== null && opening.isWritten) return opened(file, parts, opening);
    witness.renew();
    const { record, silence } = opening;
    const kept = encodeKept(record ?? silence?.candidate ?? null);
    const standing = { silentUntilMs: silence?.untilMs ?? 0, session: witness.session };
    const first = encodeBound(binding, kept, standing);
    if (file === null) await createFile(nodeFileSystem, path, first);
    else await file.append(first);
    const made = file ?? (await openFile(path));
    if (made === null) throw new NodeError("E_SAFETY_FILE", `cannot open ${path}`);
    witness.note(made.newestNumber);
    return opened(made, parts, opening);
  } catch (error) {
    await file?.close();
    witness.close();
    throw error;
  }
}

/** What an opened file means for the key, and why; at most one of the two is set. */
type Opening = {
  readonly record: SafetyRecord | null;
  readonly silence: Silence | null;
  /** Whether the file says so already. */
  readonly isWritten: boolean;
  /** What is wrong with the file; `null` if nothing is. */
  readonly why: string | null;
};

function decide(config: SafetySettings, found: Found, options: SafetyOptions): Opening {
  const { keys, epoch, store } = options;
  if (found.type === "trusted") {
    return { record: found.record, silence: null, isWritten: true, why: null };
  }
  const candidate =
    found.type === "unsure"
      ? found.candidate
      : found.type === "silent"
        ? found.silence.candidate
        : null;
  const isTaken = isSoleValidator(epoch, keys) || config.consensus.trustSafetyFile;
  if (candidate !== null && isTaken) {
    return { record: candidate, silence: null, isWritten: false, why: null };
  }
  const why =
    found.type === "silent" ? "an earlier start found no safety file to trust" : found.why;
  if (found.type !== "unsure" && startsAfresh(config, options)) {
    return { record: freshRecord(store, epoch), silence: null, isWritten: false, why };
  }
  if (found.type === "silent") {
    return { record: null, silence: found.silence, isWritten: true, why };
  }
  const untilMs = doubtUntilMs(config, options.nowMs());
  return { record: null, silence: { untilMs, candidate }, isWritten: false, why };
}

const missing: Found = { type: "untrusted", why: "there is no safety file" };

const restarted =
  "this machine was started since the safety file was written, and may have been put back to an " +
  "older state";

/** The one doubt that is no fault: a testnet's folder that is started for the first time. */
const newKey = "the key is new here";

type Parts = {
  readonly path: string;
  readonly binding: Uint8Array;
  readonly witness: SafetyWitness;
};

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
  { binding, witness }: Parts,
  { genesis, store, keys, epoch }: SafetyOptions,
): Found {
  const decoded = file.newest === null ? null : decodeRlp(file.newest);
  const fields = decoded?.ok === true ? readList(decoded.value, 4) : null;
  const found = readBytes(fields?.[0], 32);
  const bytes = readBytes(fields?.[1], safetyRecordBytesMax);
  const untilMs = readNumber(fields?.[2]);
  const session = readBytes(fields?.[3], sessionSize);
  const portable = portableOf({ genesis: genesis.hash, publicKey: keys.blsPublicKey });
  if (found !== null && bytes?.length === 0 && equalBytes(found, portable)) {
    const isFirst = epoch.epoch === 0 && newestOwnView(store, epoch, keys.address) === 0;
    return isFirst
      ? { type: "unsure", candidate: emptySafetyRecord(epoch), why: newKey }
      : { type: "untrusted", why: "the safety file is that of a start long ago" };
  }
  const isOurs = found !== null && equalBytes(found, binding);
  if (!isOurs || bytes === null || untilMs === null || session === null) {
    return { type: "untrusted", why: "the safety file is of another place, key or chain" };
  }
  const age = witness.judge(session, file.newestNumber);
  if (age === "older") {
    const why = "the safety file is an old copy: this machine has written a newer one";
    return { type: "untrusted", why };
  }
  if (bytes.length === 0 && untilMs > 0) {
    return age === "newest"
      ? { type: "silent", silence: { untilMs, candidate: null } }
      : { type: "untrusted", why: restarted };
  }
  const read = readRecord(bytes, epoch);
  const votedView = read.epoch < epoch.epoch ? 0 : read.votedView;
  const ownView = newestOwnView(store, epoch, keys.address);
  if (read.epoch <= epoch.epoch && ownView > votedView) {
    const views = `it ends at view ${votedView}, and the chain holds a vote in view ${ownView}`;
    return { type: "untrusted", why: `the safety file is an old copy: ${views}` };
  }
  if (age === "unknown") return { type: "unsure", candidate: read, why: restarted };
  return untilMs > 0
    ? { type: "silent", silence: { untilMs, candidate: read } }
    : { type: "trusted", record: read };
}

function readRecord(bytes: Uint8Array, epoch: EpochInfo): SafetyRecord {
  if (bytes.length === 0) return emptySafetyRecord(epoch);
  const record = decodeSafetyRecord(bytes);
  if (record.ok) return record.value;
  const { detail } = record.refusal;
  throw new NodeError("E_SAFETY_FILE", `the safety file is unreadable: ${detail}`);
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
  { record, silence, why }: Opening,
  { epoch, keys, log }: SafetyOptions,
): void {
  if (why === null) return;
  if (silence === null || record !== null) {
    log.warn(`${why}: starting afresh, as the only validator may`, { file: path });
    return;
  }
  const { candidate, untilMs } = silence;
  if (why === newKey) {
    return log.info(
      "a new key: it signs when the other validators are known to know no vote of it",
    );
  }
  const standsStill = isSoleValidator(epoch, keys)
    ? ", and its network of one stands still: start once with --set=consensus.soleValidator=true"
    : "";
  const orSooner =
    candidate === null ? "" : ", or until the other validators say that it promised nothing later";
  log.warn(`${why}: this key signs nothing until the next epoch${orSooner}${standsStill}`, {
    file: path,
    nextEpochAfterHeight: epoch.lastHeight,
    nextEpochAfter: new Date(untilMs).toISOString(),
  });
}

function opened(
  file: SafetyFile,
  { binding, witness }: Parts,
  { record, silence }: Opening,
): OpenedSafety {
  const append = async (bytes: Uint8Array, silentUntilMs: number): Promise<void> => {
    const { session } = witness;
    await file.append(encodeBound(binding, bytes, { silentUntilMs, session }));
    witness.note(file.newestNumber);
  };
  return {
    record,
    silence,
    append: (bytes) => append(bytes, 0),
    fallSilent: ({ untilMs, candidate }) => append(encodeKept(candidate), untilMs),
    close: async () => {
      witness.close();
      await file.close();
    },
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

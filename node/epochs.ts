import { assert } from "../base/assert.ts";
import type { Digest } from "../base/brand.ts";
import { bytesToDigest, hexToBytes } from "../base/bytes.ts";
import {
  decodeRlp,
  encodeRlp,
  rlpNumber,
  readBytes,
  readFixed,
  readList,
  readNumber,
} from "../base/rlp.ts";
import { absentMembers, attendedBlocks } from "../consensus/attendance.ts";
import { decodeCommittee, encodeCommittee } from "../consensus/codec.ts";
import { isCanonicalBitmap, signersOf, signersToBitmap } from "../consensus/signers.ts";
import type { Committee, EpochInfo } from "../consensus/types.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import type { Header } from "../ledger/blockTypes.ts";

/** Largest encoded committee, in bytes. */
const committeeBytesMax = 65_536;

/** Hash of a committee, as an epoch's last header names it. */
export function committeeHash(committee: Committee): Digest {
  return keccakDigest(encodeCommittee(committee));
}

/** The first epoch: its root is the genesis block, whose randomness is also its seed. */
export function firstEpoch(facts: {
  readonly genesisHeader: Header;
  readonly genesisBlock: Digest;
  readonly committee: Committee;
  readonly epochBlocks: number;
}): EpochInfo {
  return {
    epoch: 0,
    committee: facts.committee,
    root: facts.genesisBlock,
    rootHeight: 0,
    lastHeight: facts.epochBlocks,
    seed: facts.genesisHeader.randomness,
    absent: [],
  };
}

/**
 * The epoch that begins once `last` is committed. Its seed is the randomness of this epoch's root:
 * the block that ended the epoch before, so that nobody chooses a seed when its leaders are known
 * (DESIGN 5).
 */
export function nextEpoch(facts: {
  readonly current: EpochInfo;
  readonly currentRoot: Header;
  readonly last: Header;
  readonly lastHash: Digest;
  readonly committee: Committee;
  readonly epochBlocks: number;
  /** Header of a block of the epoch that ends, by its hash. */
  readonly headerOf: (hash: Digest) => Header;
}): EpochInfo {
  const { current, last, committee, headerOf } = facts;
  const headers = attendedBlocks(last, current.rootHeight, ({ parentHash }) =>
    headerOf(parentHash),
  );
  return {
    epoch: current.epoch + 1,
    committee,
    root: facts.lastHash,
    rootHeight: last.height,
    lastHeight: last.height + facts.epochBlocks,
    seed: facts.currentRoot.randomness,
    absent: absentMembers({ ending: current.committee, next: committee }, headers),
  };
}

/** `[epoch, root, rootHeight, lastHeight, seed, committee, absent]`, the last as a bitmap. */
export function encodeEpoch(info: EpochInfo): Uint8Array {
  return encodeRlp([
    rlpNumber(info.epoch),
    hexToBytes(info.root),
    rlpNumber(info.rootHeight),
    rlpNumber(info.lastHeight),
    hexToBytes(info.seed),
    encodeCommittee(info.committee),
    signersToBitmap(info.absent, info.committee.validators.length),
  ]);
}

/** Reads what `encodeEpoch` wrote; `null` if the bytes are anything else. */
export function decodeEpoch(bytes: Uint8Array): EpochInfo | null {
  const decoded = decodeRlp(bytes);
  const fields = decoded.ok ? readList(decoded.value, 7) : null;
  if (fields === null) return null;
  const epoch = readNumber(fields[0]);
  const root = readFixed(fields[1], 32);
  const rootHeight = readNumber(fields[2]);
  const lastHeight = readNumber(fields[3]);
  const seed = readFixed(fields[4], 32);
  const committeeBytes = readBytes(fields[5], committeeBytesMax);
  if (epoch === null || root === null || rootHeight === null || lastHeight === null) return null;
  if (seed === null || committeeBytes === null) return null;
  const committee = decodeCommittee(committeeBytes);
  if (!committee.ok) return null;
  const absent = readBytes(fields[6], committeeBytesMax);
  if (absent === null || !isCanonicalBitmap(absent, committee.value.validators.length)) return null;
  assert(committee.value.epoch === epoch, "an epoch is stored with its own committee");
  return {
    epoch,
    committee: committee.value,
    root: bytesToDigest(root),
    rootHeight,
    lastHeight,
    seed: bytesToDigest(seed),
    absent: signersOf(absent),
  };
}

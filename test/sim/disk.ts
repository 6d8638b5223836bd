import { assert } from "../../base/assert.ts";
import type { Digest } from "../../base/brand.ts";
import { concatBytes } from "../../base/bytes.ts";
import { decodeSafetyRecord, encodeSafetyRecord } from "../../consensus/codec.ts";
import type {
  CommitProofSummary,
  Effect,
  EpochInfo,
  SafetyRecord,
  StartPoint,
} from "../../consensus/types.ts";
import type { SimBlock } from "./fakeLedger.ts";
import type { Prng } from "./prng.ts";
import { stubHash } from "./stubs.ts";
import type { Swarm } from "./swarm.ts";

const checksumSize = 4;

function checksum(bytes: Uint8Array): Uint8Array {
  return stubHash(bytes).subarray(0, checksumSize);
}

/**
 * What survives a crash. A torn write of the safety file is noticed by its checksum and left out.
 */
export type Disk = {
  persist(record: SafetyRecord): void;
  /** The write was under way when the power went: some first part of it is on disk. */
  tear(record: SafetyRecord, dice: Prng): void;
  /** What a restart reads: the newest intact record. */
  readRecord(): SafetyRecord;
  storeBlock(block: SimBlock): void;
  commit(blocks: readonly SimBlock[], proof: CommitProofSummary, next: EpochInfo | null): void;
  readonly blocks: ReadonlyMap<Digest, SimBlock>;
  readonly committed: readonly Digest[];
  readonly epochs: ReadonlyMap<number, EpochInfo>;
  /** The commit proof of the last block of each epoch. */
  readonly epochProofs: ReadonlyMap<number, CommitProofSummary>;
  readonly newestProof: CommitProofSummary | null;
};

/** A disk on which `persist` and `storeBlock` return once the data is safe. */
export class SimDisk implements Disk {
  #record: SafetyRecord;
  #torn: Uint8Array | null = null;
  readonly #blocks = new Map<Digest, SimBlock>();
  readonly #committed: Digest[] = [];
  readonly #epochs = new Map<number, EpochInfo>();
  readonly #epochProofs = new Map<number, CommitProofSummary>();
  #newestProof: CommitProofSummary | null = null;

  constructor(first: EpochInfo, record: SafetyRecord) {
    this.#epochs.set(first.epoch, first);
    this.#record = record;
  }

  get blocks(): ReadonlyMap<Digest, SimBlock> {
    return this.#blocks;
  }

  get committed(): readonly Digest[] {
    return this.#committed;
  }

  get epochs(): ReadonlyMap<number, EpochInfo> {
    return this.#epochs;
  }

  get epochProofs(): ReadonlyMap<number, CommitProofSummary> {
    return this.#epochProofs;
  }

  get newestProof(): CommitProofSummary | null {
    return this.#newestProof;
  }

  persist(record: SafetyRecord): void {
    this.#record = record;
    this.#torn = null;
  }

  tear(record: SafetyRecord, dice: Prng): void {
    const bytes = encodeSafetyRecord(record);
    const entry = concatBytes(bytes, checksum(bytes));
    this.#torn = entry.slice(0, dice.below(entry.length + 1));
  }

  readRecord(): SafetyRecord {
    // Through bytes, as a real file: what the codec loses is lost here too.
    const decoded = decodeSafetyRecord(encodeSafetyRecord(this.#record));
    assert(decoded.ok, "a record reads back");
    const torn = this.#torn;
    this.#torn = null;
    if (torn === null || torn.length <= checksumSize) return decoded.value;
    const bytes = torn.subarray(0, torn.length - checksumSize);
    const isIntact = checksum(bytes).every((byte, at) => byte === torn[bytes.length + at]);
    const whole = isIntact ? decodeSafetyRecord(bytes) : null;
    if (whole?.ok === true) this.#record = whole.value;
    return whole?.ok === true ? whole.value : decoded.value;
  }

  storeBlock(block: SimBlock): void {
    this.#blocks.set(block.summary.hash, block);
  }

  commit(blocks: readonly SimBlock[], proof: CommitProofSummary, next: EpochInfo | null): void {
    for (const block of blocks) {
      this.storeBlock(block);
      this.#committed.push(block.summary.hash);
    }
    this.#newestProof = proof;
    if (next === null) return;
    this.#epochs.set(next.epoch, next);
    this.#epochProofs.set(next.epoch - 1, proof);
  }
}

/** What a restart tells the replica: stored blocks of the epoch whose parents are stored too. */
export function startPoint(
  disk: Disk,
  found: {
    readonly epoch: EpochInfo;
    readonly record: SafetyRecord;
    readonly doubtUntilMs: number;
    /** A planted loss of what is not committed. */
    readonly losesBlocks: boolean;
  },
): StartPoint {
  const { epoch, record, doubtUntilMs } = found;
  const kept = new Set(found.losesBlocks ? disk.committed : disk.blocks.keys());
  const known = new Set<Digest>([epoch.root]);
  const blocks = [...disk.blocks.values()]
    .map(({ summary }) => summary)
    .filter((summary) => summary.epoch === epoch.epoch && kept.has(summary.hash))
    .sort((a, b) => a.height - b.height)
    .filter((summary) => {
      if (known.has(summary.parent)) known.add(summary.hash);
      return known.has(summary.hash);
    });
  const proof = disk.newestProof?.certificate;
  return {
    epoch,
    committed: disk.committed.at(-1) ?? epoch.root,
    blocks,
    certificates: proof?.epoch === epoch.epoch ? [proof] : [],
    record,
    doubtUntilMs,
  };
}

/** How long a disk takes for what must be on it before anything follows; 0 for other orders. */
export function writeUs(effect: Effect, { diskMsMax }: Swarm, dice: Prng): number {
  const isWrite =
    effect.type === "storeBlock" || effect.type === "persist" || effect.type === "commit";
  return diskMsMax > 0 && isWrite ? dice.below(diskMsMax * 1_000) : 0;
}

import type { Address, Digest } from "../base/brand.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import type { Evidence } from "../consensus/types.ts";
import { blockEvidenceMax } from "../ledger/block.ts";
import {
  decodeReport,
  encodeReport,
  evidenceHash,
  type EvidenceReport,
} from "../ledger/blockEvidence.ts";
import type { Offence } from "../ledger/module.ts";
import type { Refusal } from "../ledger/refusal.ts";
import type { PendingEvidence } from "../rpc/api.ts";
import type { Log } from "./log.ts";

/** Most pieces that wait: every one is proved, and of one offender in one epoch there is one. */
export const evidencePoolMax = 256;

/** Says what a report proves against the committed state. */
export type Judge = (report: EvidenceReport) => Outcome<readonly Offence[], Refusal>;

type Entry = PendingEvidence & { readonly encoded: Uint8Array };

/** A piece that is here, and whether it was before. */
type Added = { readonly hash: Digest; readonly isNew: boolean };

/** Where what waits is kept over restarts. */
export interface EvidenceRecords {
  read(): readonly Uint8Array[];
  write(reports: readonly Uint8Array[]): void;
}

/**
 * Evidence that waits for a block: found here, submitted by clients, or heard from peers. It is on
 * disk from the moment that it is taken until a block has settled it or it is too old.
 */
export class EvidencePool {
  readonly #judge: Judge;
  readonly #records: EvidenceRecords;
  #onAdded: (encoded: Uint8Array) => void = () => {};
  readonly #entries = new Map<Digest, Entry>();
  #epoch = 0;

  private constructor(judge: Judge, records: EvidenceRecords) {
    this.#judge = judge;
    this.#records = records;
  }

  /** Takes up what an earlier run left waiting and what still proves something. */
  static open(judge: Judge, records: EvidenceRecords, log: Pick<Log, "info">): EvidencePool {
    const pool = new EvidencePool(judge, records);
    for (const encoded of records.read().slice(0, evidencePoolMax)) {
      const report = decodeReport(encoded);
      if (report.ok) pool.#take(report.value);
    }
    if (pool.size > 0) log.info("pending evidence restored", { count: pool.size });
    return pool;
  }

  /** Tells of each piece that is found here or submitted, as it is to be gossiped. */
  watch(onAdded: (encoded: Uint8Array) => void): void {
    this.#onAdded = onAdded;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What waits, oldest first. */
  pending(): readonly PendingEvidence[] {
    return [...this.#entries.values()];
  }

  /** Encoded reports for a block, oldest first. */
  forBlock(): readonly Uint8Array[] {
    return this.#encoded().slice(0, blockEvidenceMax);
  }

  /** Takes a report as peers carry it, who also pass it on; says whether it was new. */
  addEncoded(encoded: Uint8Array): Outcome<Added, Refusal> {
    const report = decodeReport(encoded);
    if (report.ok) return this.#add(report.value);
    const { code } = report.refusal;
    return refuse({ code: "evidenceMalformed", got: code, expected: "a report" });
  }

  /** Takes a piece if it proves something that waits not yet; gives its hash. */
  add(evidence: Evidence, reporter: Address): Outcome<Digest, Refusal> {
    const added = this.#add({ evidence, reporter });
    if (!added.ok) return added;
    const { hash, isNew } = added.value;
    if (isNew) this.#onAdded(encodeReport({ evidence, reporter }));
    return accept(hash);
  }

  #add(report: EvidenceReport): Outcome<Added, Refusal> {
    const taken = this.#take(report);
    if (taken.ok && taken.value.isNew) this.#records.write(this.#encoded());
    return taken;
  }

  #encoded(): readonly Uint8Array[] {
    return [...this.#entries.values()].map(({ encoded }) => encoded);
  }

  #take(report: EvidenceReport): Outcome<Added, Refusal> {
    const { evidence, reporter } = report;
    const hash = evidenceHash(evidence);
    if (this.#entries.has(hash)) return accept({ hash, isNew: false });
    if (this.#entries.size >= evidencePoolMax) {
      return refuse({ code: "evidenceFull", got: evidencePoolMax, expected: "fewer" });
    }
    const judged = this.#judge(report);
    if (!judged.ok) return judged;
    const [first] = judged.value.filter((offence) => !this.#waits(offence));
    if (first === undefined) {
      const got = `epoch ${judged.value[0]?.epoch}`;
      return refuse({ code: "evidenceKnown", got, expected: "a new offence" });
    }
    const encoded = encodeReport(report);
    const accused = judged.value.map(({ offender }) => offender);
    const { epoch, view } = first;
    this.#entries.set(hash, { hash, evidence, reporter, epoch, view, accused, encoded });
    return accept({ hash, isNew: true });
  }

  #waits({ offender, epoch }: Offence): boolean {
    return [...this.#entries.values()].some(
      (entry) => entry.epoch === epoch && entry.accused.includes(offender),
    );
  }

  /**
   * Drops what a committed block has settled, and what an epoch's end made too old. What waits
   * beyond its epoch is told again: those who were to put it into a block may not have heard it.
   */
  onCommitted(block: { readonly epoch: number; readonly holdsEvidence: boolean }): void {
    const isNewEpoch = block.epoch !== this.#epoch;
    if (!block.holdsEvidence && !isNewEpoch) return;
    this.#epoch = block.epoch;
    const before = this.size;
    for (const { hash, evidence, reporter } of this.#entries.values()) {
      if (!this.#judge({ evidence, reporter }).ok) this.#entries.delete(hash);
    }
    if (this.size < before) this.#records.write(this.#encoded());
    if (!isNewEpoch) return;
    for (const encoded of this.#encoded()) this.#onAdded(encoded);
  }
}

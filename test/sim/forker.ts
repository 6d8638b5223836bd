import type { Digest } from "../../base/brand.ts";
import { soundRules } from "../../consensus/rules.ts";
import { Tally } from "../../consensus/tally.ts";
import type {
  BlockSummary,
  Certificate,
  EpochInfo,
  SignedTimeout,
  TimeoutCertificate,
} from "../../consensus/types.ts";
import type { SimBlock } from "./fakeLedger.ts";
import { stubAggregate } from "./stubs.ts";

/** What is needed to build the forked block. */
export type Fork = {
  readonly view: number;
  readonly parentCertificate: Certificate;
  readonly timeoutCertificate: TimeoutCertificate;
};

/**
 * The attack that the lock is for. As leader of view v + 1 with a certificate that commits a block,
 * show it to one node, which commits; let the others leave view v; then propose to them a block
 * that forks off below the committed one. Under sound rules nobody votes for that.
 */
export class Forker {
  readonly #epoch: EpochInfo;
  readonly #view: number;
  readonly #forkFrom: Certificate;
  readonly #tally: Tally;
  #isDone = false;

  constructor(epoch: EpochInfo, view: number, forkFrom: Certificate) {
    this.#epoch = epoch;
    this.#view = view;
    this.#forkFrom = forkFrom;
    this.#tally = new Tally(epoch.committee, soundRules, stubAggregate);
  }

  /** The view that the others are made to leave. */
  get view(): number {
    return this.#view;
  }

  /**
   * Where to fork off if this own block holds a certificate that commits something; else `null`.
   */
  static aim(
    own: BlockSummary,
    blocks: ReadonlyMap<Digest, SimBlock>,
  ): { readonly forkFrom: Certificate; readonly below: Certificate } | null {
    const child = blocks.get(own.parent)?.summary;
    const victim = child === undefined ? undefined : blocks.get(child.parent)?.summary;
    if (child === undefined || victim === undefined || child.epoch !== own.epoch) return null;
    const isTwoChain = child.view === own.view - 1 && victim.view === child.view - 1;
    if (!isTwoChain || victim.epoch !== own.epoch) return null;
    return { forkFrom: victim.parentCertificate, below: child.parentCertificate };
  }

  /** Collects timeouts; the fork, once they make a certificate. */
  add(signed: SignedTimeout): Fork | null {
    const { epoch, view } = signed.timeout;
    if (this.#isDone || epoch !== this.#epoch.epoch || view !== this.#view) return null;
    this.#tally.addTimeout(signed);
    const timeoutCertificate = this.#tally.timeoutCertificateFor(view);
    if (timeoutCertificate === null) return null;
    this.#isDone = true;
    return { view: view + 1, parentCertificate: this.#forkFrom, timeoutCertificate };
  }
}

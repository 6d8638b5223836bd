import { encodeSafetyRecord } from "../consensus/codec.ts";
import { Guard } from "../consensus/guard.ts";
import { emptySafetyRecord } from "../consensus/rules.ts";
import type { EpochInfo, SafetyRecord } from "../consensus/types.ts";
import { blsSign } from "../crypto/bls.ts";
import type { DiskStore } from "./diskStore.ts";
import type { GenesisNames } from "./genesis.ts";
import type { ValidatorKeys } from "./keys.ts";
import type { Log } from "./log.ts";
import type { Signed } from "./messages.ts";
import {
  doubtUntilMs,
  openSafety,
  type OpenedSafety,
  type SafetySettings,
  type Silence,
} from "./safety.ts";
import { warnOfOtherKey, type Signing } from "./world.ts";

/** What signing needs. */
export type SignerOptions = {
  readonly config: SafetySettings;
  readonly genesis: GenesisNames;
  /** `null` for a node that only follows. */
  readonly keys: ValidatorKeys | null;
  readonly store: DiskStore;
  readonly log: Log;
  readonly allowMissing: boolean;
  /** This machine's wall clock. */
  readonly nowMs: () => number;
};

/**
 * This node's validator key with its safety file. The file is judged against the chain, so it is
 * opened when the chain has been followed to where the others are. A key without a record it can
 * trust is silent until an epoch in which it cannot have voted before, whatever others tell it.
 */
export class Signer {
  readonly #options: SignerOptions;
  #opened: { readonly safety: OpenedSafety; readonly signing: Signing } | null = null;
  /** `null` while the key speaks, as far as this node lets it. */
  #silence: Silence | null = null;
  /** An epoch whose root is later than this began after the file was opened. */
  #doubtUntilMs = 0;

  constructor(options: SignerOptions) {
    this.#options = options;
  }

  /** `null` for a node that only follows, and before the file is opened. */
  get signing(): Signing | null {
    return this.#opened?.signing ?? null;
  }

  /** Opens the safety file; the second time nothing happens. */
  async open(): Promise<void> {
    const { config, genesis, keys, store, log, allowMissing } = this.#options;
    if (keys === null || this.#opened !== null) return;
    const { epoch } = store;
    const { address, blsSecretKey, blsPublicKey } = keys;
    warnOfOtherKey(log, epoch, { address, blsKey: blsPublicKey });
    const { nowMs } = this.#options;
    this.#doubtUntilMs = doubtUntilMs(config, nowMs());
    const parts = { genesis, keys, store, epoch, log, allowMissing, nowMs };
    const safety = await openSafety(config, parts);
    this.#silence = safety.silence;
    const scope = { genesis: genesis.hash, scope: "" };
    const guard = new Guard(scope, blsPublicKey, (message) => blsSign(message, blsSecretKey));
    if (safety.record !== null) guard.onPersisted(safety.record);
    const records = {
      append: async (record: Uint8Array): Promise<void> => {
        await safety.append(record);
        this.#silence = null; // Who promises, speaks.
      },
      fallSilent: (): Promise<void> => this.#fallSilent(safety),
    };
    const signing = { address, blsSecretKey, blsPublicKey, guard, records };
    this.#opened = { safety, signing };
  }

  /** The timestamp beyond which an epoch's root shows that nothing was signed in it before. */
  get doubtUntilMs(): number {
    return this.#silence?.untilMs ?? this.#doubtUntilMs;
  }

  /** Whether it is still open what the key's file is worth. */
  get isUnsettled(): boolean {
    return this.#opened === null || this.isDoubted;
  }

  /** Whether the key waits for others to say that its record is as new as theirs. */
  get isDoubted(): boolean {
    return this.#opened !== null && (this.#silence?.candidate ?? null) !== null;
  }

  /** What this key's file says that it signed; `null` if no file is open, or it does not know. */
  get signed(): Signed | null {
    const promised = this.#silence === null ? this.signing?.guard.record : this.#silence.candidate;
    if (promised === null || promised === undefined) return null;
    return { epoch: promised.epoch, view: promised.votedView };
  }

  /** What was last promised; `null` if nothing may be signed in this epoch. */
  recordAt(epoch: EpochInfo): SafetyRecord | null {
    if (this.#opened === null) return null;
    if (this.#silence === null) return this.#opened.signing.guard.record;
    const rootMs = this.#options.store.committedHeader(epoch.root)?.timestampMs ?? 0;
    return rootMs > this.#silence.untilMs ? emptySafetyRecord(epoch) : null;
  }

  /** Ends the doubt: the record is as new as what the others know. */
  async trust(): Promise<void> {
    const record = this.#silence?.candidate ?? null;
    if (this.#opened === null || record === null) return;
    const { guard, records } = this.#opened.signing;
    await records.append(encodeSafetyRecord(record));
    guard.onPersisted(record);
  }

  async #fallSilent(safety: OpenedSafety): Promise<void> {
    this.#silence = { untilMs: this.doubtUntilMs, candidate: null };
    await safety.fallSilent(this.#silence);
  }

  async close(): Promise<void> {
    await this.#opened?.safety.close();
  }
}

import { Guard } from "../consensus/guard.ts";
import { emptySafetyRecord } from "../consensus/rules.ts";
import type { EpochInfo, SafetyRecord } from "../consensus/types.ts";
import { blsSign } from "../crypto/bls.ts";
import type { DiskStore } from "./diskStore.ts";
import type { GenesisNames } from "./genesis.ts";
import type { ValidatorKeys } from "./keys.ts";
import type { Log } from "./log.ts";
import { openSafety, type OpenedSafety, type SafetySettings } from "./safety.ts";
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
};

/**
 * This node's validator key with its safety file. The file is judged against the chain, so it is
 * opened when the chain has been followed to where the others are: a key without a record it can
 * trust is silent in the epoch that runs then, in which it may have voted before.
 */
export class Signer {
  readonly #options: SignerOptions;
  #opened: { readonly safety: OpenedSafety; readonly signing: Signing } | null = null;
  /** First epoch to sign in, where there was no record to be trusted. */
  #firstEpoch = 0;

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
    const safety = await openSafety(config, { genesis, keys, store, epoch, log, allowMissing });
    const scope = { genesis: genesis.hash, scope: "" };
    const guard = new Guard(scope, blsPublicKey, (message) => blsSign(message, blsSecretKey));
    if (safety.record === null) this.#firstEpoch = epoch.epoch + 1;
    else guard.onPersisted(safety.record);
    const signing = { address, blsSecretKey, blsPublicKey, guard, records: safety };
    this.#opened = { safety, signing };
  }

  /** What was last promised; `null` if nothing may be signed in this epoch. */
  recordAt(epoch: EpochInfo): SafetyRecord | null {
    if (this.#opened === null) return null;
    const { record } = this.#opened.signing.guard;
    if (record !== null) return record;
    return epoch.epoch >= this.#firstEpoch ? emptySafetyRecord(epoch) : null;
  }

  async close(): Promise<void> {
    await this.#opened?.safety.close();
  }
}

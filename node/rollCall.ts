import { bytesToHex } from "../base/bytes.ts";
import { isQuorum, stakeTotal } from "../consensus/committee.ts";
import type { EpochInfo } from "../consensus/types.ts";
import type { Network } from "../p2p/network.ts";
import type { PeerId } from "../p2p/peerId.ts";
import type { Protocol } from "../p2p/protocols.ts";
import type { Chain } from "./chain.ts";
import type { Log } from "./log.ts";
import { emptyCodec, signedCodec, type Signed } from "./messages.ts";
import type { Signer } from "./signer.ts";
import type { ValidatorPeers } from "./validatorPeers.ts";

/*
 * A machine that was started anew cannot know whether it was put back to an older state, in which
 * its safety file is whole and old. The other validators know: no view ends without more than two
 * thirds of the stake, so what they have signed shows how far this key can have come. Where all of
 * them were started anew, as after a power cut, nobody has come further, and all speak again at
 * once; where the others went on, this key waits for an epoch beyond doubt (docs/adr/017).
 */

/** Between two times of asking those who have not answered, in milliseconds. */
const askIntervalMs = 1_000;

/** How long an answer may take, in milliseconds. */
const answerMsMax = 5_000;

/**
 * Views by which another may be ahead of this key's record: as many may lie between two validators
 * when all of them stop at once. A key is wrong about itself by as many if a state that old is put
 * back at the very moment when nobody goes on.
 */
const viewsAheadMax = 1;

/**
 * Whether the answers show that a key signed no more than its record says: those who know nothing
 * later hold more than two thirds of the stake without it, or are all there are.
 */
export function isVouchedFor(
  { epoch, committee }: Pick<EpochInfo, "epoch" | "committee">,
  key: { readonly blsKey: Uint8Array; readonly signed: Signed },
  answers: ReadonlyMap<string, Signed>,
): boolean {
  const { signed } = key;
  if (signed.epoch > epoch) return false; // Where it signed last is not known here yet.
  const view = signed.epoch === epoch ? signed.view : 0;
  const own = bytesToHex(key.blsKey);
  const others = committee.validators.filter(({ blsKey }) => bytesToHex(blsKey) !== own);
  const vouching = others.filter(({ blsKey }) => {
    const answer = answers.get(bytesToHex(blsKey));
    if (answer === undefined || answer.epoch > epoch) return false;
    return answer.epoch < epoch || answer.view <= view + viewsAheadMax;
  });
  const stake = vouching.reduce((sum, member) => sum + member.stake, 0n);
  return vouching.length === others.length || isQuorum(stake, stakeTotal(committee));
}

/** What a roll call needs. */
export type RollCallParts = {
  readonly network: Network;
  readonly validators: ValidatorPeers;
  readonly chain: Pick<Chain, "epoch">;
  /** This node's BLS key; `null` if it only follows. */
  readonly self: Uint8Array | null;
  readonly signer: () => Pick<Signer, "isUnsettled" | "isDoubted" | "signed" | "trust">;
  /** Stops consensus, prepares, and begins it again; not while the chain is followed from afar. */
  readonly beginAgain: (prepare: () => Promise<void>) => Promise<void>;
  readonly log: Log;
};

/** Says what this key has signed, and asks others as long as this node does not know it itself. */
export class RollCall {
  readonly #parts: RollCallParts;
  readonly #signed: Protocol<null, Signed>;
  /** The most that any node of a key said, by the key; what was true since this start stays so. */
  readonly #answers = new Map<string, Signed>();
  readonly #asked = new Set<PeerId>();
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: RollCallParts) {
    this.#parts = parts;
    this.#signed = parts.network.protocol("signed", {
      request: emptyCodec,
      response: signedCodec,
      requestBytesMax: 16,
      responseBytesMax: 32,
      timeoutMs: answerMsMax,
      rate: { perSecond: 4, burst: 16 },
      concurrencyMax: 2,
      handle: () => {
        const { signed } = parts.signer();
        return signed === null ? { verdict: "ignore" } : { verdict: "accept", response: signed };
      },
    });
  }

  start(): void {
    if (this.#parts.self === null) return;
    this.#parts.network.watch({ joined: () => void this.#ask() });
    this.#timer = setInterval(() => void this.#ask(), askIntervalMs);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  async #ask(): Promise<void> {
    const { chain, validators, signer } = this.#parts;
    if (this.#timer === null) return;
    if (!signer().isUnsettled) return this.stop();
    const due = chain.epoch.committee.validators.flatMap(({ blsKey }) =>
      validators
        .of(blsKey)
        .filter((peer) => !this.#asked.has(peer))
        .map((peer) => this.#askOne(bytesToHex(blsKey), peer)),
    );
    await Promise.all(due);
    if (this.#isVouched()) {
      await this.#parts.beginAgain(async () => {
        if (!this.#isVouched()) return;
        this.#parts.log.info("the other validators know of no later vote: this key signs again");
        await signer().trust();
      });
    }
  }

  async #askOne(key: string, peer: PeerId): Promise<void> {
    this.#asked.add(peer);
    const answer = await this.#signed.request(peer, null);
    if (!answer.ok) return void this.#asked.delete(peer); // It may not know yet, as this node.
    const { epoch, view } = answer.value;
    const before = this.#answers.get(key);
    const isMore =
      before === undefined ||
      epoch > before.epoch ||
      (epoch === before.epoch && view > before.view);
    if (isMore) this.#answers.set(key, { epoch, view });
  }

  #isVouched(): boolean {
    const { self, chain, signer } = this.#parts;
    const { isDoubted, signed } = signer();
    if (self === null || !isDoubted || signed === null) return false;
    return isVouchedFor(chain.epoch, { blsKey: self, signed }, this.#answers);
  }
}

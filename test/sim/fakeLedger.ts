import { assert } from "../../base/assert.ts";
import type { Digest } from "../../base/brand.ts";
import { bytesToHex } from "../../base/bytes.ts";
import { absentMembers, attendedBlocks } from "../../consensus/attendance.ts";
import type {
  BlockSummary,
  Certificate,
  CommitProofSummary,
  Committee,
  EpochInfo,
  ExecutionResult,
  HeaderLink,
  TimeoutCertificate,
} from "../../consensus/types.ts";
import { Prng } from "./prng.ts";
import { stubAddress, stubDigest, stubKey } from "./stubs.ts";
import { applyOperation, registerOf, selectFrom, type Register } from "./register.ts";
import type { Swarm } from "./swarm.ts";

/** A block with contents: a text in place of transactions, and the hash-chained state after it. */
export type SimBlock = {
  readonly summary: BlockSummary;
  readonly payload: string;
  readonly state: Digest;
};

/** Contents of a block that takes longer than a view to execute. */
export const slowPayload = "slow";

/** What a builder decides. */
export type Draft = {
  readonly epoch: EpochInfo;
  readonly view: number;
  readonly height: number;
  readonly parent: Digest;
  readonly parentState: Digest;
  readonly parentCertificate: Certificate;
  readonly timeoutCertificate: TimeoutCertificate | null;
  readonly epochProof: CommitProofSummary | null;
  readonly timestampMs: number;
  readonly proposer: number;
  readonly payload: string;
};

function certificateId(certificate: Certificate): string {
  const { epoch, view, block, parentView, signers } = certificate;
  return `${epoch}.${view}.${block}.${parentView}.${bytesToHex(signers)}`;
}

function timeoutId(certificate: TimeoutCertificate | null): string {
  if (certificate === null) return "";
  const { epoch, view, highViews, signers, highCertificate } = certificate;
  const high = certificateId(highCertificate);
  return `${epoch}.${view}.${highViews.join(",")}.${bytesToHex(signers)}.${high}`;
}

/** The hash that a header with these fields has. */
export function hashOf(block: SimBlock): Digest {
  const { summary, payload, state } = block;
  const { epoch, view, height, parent, proposer, timestampMs, nextCommitteeHash } = summary;
  const certificates = `${certificateId(summary.parentCertificate)}|${timeoutId(summary.timeoutCertificate)}`;
  return stubDigest(
    `${epoch}|${view}|${height}|${parent}|${proposer}|${timestampMs}|${nextCommitteeHash}|${certificates}|${payload}|${state}`,
  );
}

/** What a commit proof takes of a block. */
export function linkOf({ summary }: SimBlock): HeaderLink {
  const { epoch, view, hash, parent, height, parentCertificate } = summary;
  return { epoch, view, hash, parent, height, parentCertificate };
}

/**
 * A deterministic executor: state is a hash chain over payloads, and an epoch's last block names
 * the next committee as a function of itself, so that two candidates for last block lead to two
 * committees.
 */
export class FakeLedger {
  readonly #seed: number;
  readonly #swarm: Swarm;
  /** Stakes and jail after each state, where operations change them. */
  readonly #registers = new Map<Digest, Register>();
  readonly genesis: Digest;

  constructor(seed: number, swarm: Swarm) {
    this.#seed = seed;
    this.#swarm = swarm;
    this.genesis = stubDigest(`genesis ${seed}`);
  }

  /** Epoch 0. */
  firstEpoch(): EpochInfo {
    const first = this.#epoch(0, this.genesis, 0, this.genesis);
    this.#registers.set(this.genesis, registerOf(this.#swarm, first.committee));
    return first;
  }

  /** The epoch after this one, if `last` is its committed last block. */
  nextEpoch(
    epoch: EpochInfo,
    { summary, state }: SimBlock,
    blockOf: (hash: Digest) => SimBlock,
  ): EpochInfo {
    const { hash, height } = summary;
    // The seed is two epochs old, as in DESIGN 5: nobody can bend it by the last block's contents.
    const drawn = this.#epoch(epoch.epoch + 1, hash, height, stubDigest(`seed ${epoch.root}`));
    const next = this.#committeeAfter(drawn, state);
    const parentOf = ({ parent }: BlockSummary) => blockOf(parent).summary;
    const blocks = attendedBlocks(summary, epoch.rootHeight, parentOf);
    const absent = absentMembers({ ending: epoch.committee, next }, blocks);
    return { ...drawn, committee: next, absent };
  }

  #committeeAfter({ committee, root }: EpochInfo, state: Digest): Committee {
    const { byOperations, committeeChanges } = this.#swarm;
    if (!byOperations || !committeeChanges) return committee;
    const register = this.#registerOf(state);
    // The epoch's first block has its root's hash as the state that it builds on.
    this.#registers.set(root, register);
    return { ...committee, validators: selectFrom(register) };
  }

  #registerOf(state: Digest): Register {
    const register = this.#registers.get(state);
    assert(register !== undefined, "a state was executed before it is built on");
    return register;
  }

  #stateAfter(parentState: Digest, payload: string): Digest {
    const state = stubDigest(`${parentState} ${payload}`);
    if (this.#swarm.byOperations && this.#swarm.committeeChanges && !this.#registers.has(state)) {
      const register = this.#registers.get(parentState);
      // An unknown parent: a liar builds on what nobody has executed.
      if (register !== undefined) {
        this.#registers.set(state, applyOperation(register, payload, this.#swarm.roles));
      }
    }
    return state;
  }

  #epoch(epoch: number, root: Digest, rootHeight: number, seed: Digest): EpochInfo {
    const lastHeight = rootHeight + this.#swarm.epochBlocks;
    const changes = this.#swarm.committeeChanges;
    const dice = new Prng(this.#seed, changes ? `stakes ${epoch} ${root}` : "stakes");
    return {
      epoch,
      committee: { epoch, validators: this.#draw(dice) },
      root,
      rootHeight,
      lastHeight,
      seed,
      absent: [],
    };
  }

  #draw(dice: Prng) {
    const { roles, stakes, isTight, committeeChanges } = this.#swarm;
    const drawn = roles.map((role) => {
      if (committeeChanges && dice.chance(1, 10)) return 0n;
      if (stakes === "equal") return 100n;
      if (stakes === "mixed") return BigInt(dice.between(50, 200));
      return 10n ** BigInt(dice.between(role.type === "honest" ? 1 : 0, 4));
    });
    const isFaulty = roles.map((role) => role.type !== "honest");
    if (drawn.every((stake, i) => isFaulty[i] === true || stake === 0n)) {
      drawn[isFaulty.indexOf(false)] = 100n;
    }
    const honest = drawn.reduce((sum, stake, i) => (isFaulty[i] === true ? sum : sum + stake), 0n);
    let faulty = drawn.reduce((sum, stake, i) => (isFaulty[i] === true ? sum + stake : sum), 0n);
    // Below a third of all: twice theirs is less than what the honest hold.
    drawn.forEach((stake, i) => {
      if (isFaulty[i] !== true || faulty === 0n) return;
      const most = (stake * ((honest - 1n) / 2n)) / faulty;
      drawn[i] = isTight || most < stake ? most : stake;
    });
    faulty = drawn.reduce((sum, stake, i) => (isFaulty[i] === true ? sum + stake : sum), 0n);
    assert(faulty * 2n < honest, "the faulty hold less than a third");
    return drawn.flatMap((stake, identity) =>
      stake === 0n ? [] : [{ address: stubAddress(identity), blsKey: stubKey(identity), stake }],
    );
  }

  /** Builds a valid block. */
  build(draft: Draft): SimBlock {
    const { epoch, view, height, parent, parentCertificate, timeoutCertificate } = draft;
    const block: SimBlock = {
      summary: {
        epoch: epoch.epoch,
        view,
        hash: parent,
        parent,
        height,
        proposer: stubAddress(draft.proposer),
        timestampMs: draft.timestampMs,
        parentCertificate,
        timeoutCertificate,
        epochProof: draft.epochProof,
        isEmpty: draft.payload === "",
        nextCommitteeHash: height === epoch.lastHeight ? stubDigest("next committee") : null,
      },
      payload: draft.payload,
      state: this.#stateAfter(draft.parentState, draft.payload),
    };
    return { ...block, summary: { ...block.summary, hash: hashOf(block) } };
  }

  /** Judges a block by its parent's state. */
  execute(
    epoch: EpochInfo,
    block: SimBlock,
    parent: { readonly state: Digest; readonly blockOf: (hash: Digest) => SimBlock },
  ): ExecutionResult {
    const { summary, payload, state } = block;
    const isValid =
      state === this.#stateAfter(parent.state, payload) && summary.isEmpty === (payload === "");
    if (!isValid) return { valid: false };
    const endsEpoch = summary.nextCommitteeHash !== null;
    return {
      valid: true,
      nextEpoch: endsEpoch ? this.nextEpoch(epoch, block, parent.blockOf) : null,
    };
  }
}

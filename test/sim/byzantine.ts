import type { Digest } from "../../base/brand.ts";
import { signersOf } from "../../consensus/signers.ts";
import type {
  Certificate,
  Signable,
  SignedTimeout,
  SignedVote,
  TimeoutCertificate,
} from "../../consensus/types.ts";
import { hashOf, linkOf, slowPayload, type SimBlock } from "./fakeLedger.ts";
import { Forker, type Fork } from "./forker.ts";
import type { SimNode } from "./node.ts";
import type { Prng } from "./prng.ts";
import { stubDigest } from "./stubs.ts";
import type { Strategy } from "./swarm.ts";
import type { Wire } from "./wire.ts";
import type { World } from "./world.ts";

/** A message and where it goes. */
type Outgoing = {
  readonly to: readonly number[] | "all";
  readonly wire: Wire;
  readonly delayUs?: number;
};

/** How many certificates and blocks a liar remembers. */
const memoryMax = 64;

/**
 * Wraps an honest node: changes what leaves it, and adds messages of its own, signed with its key
 * past the guard. It can do what a thief of the key can: everything but forge others' signatures.
 */
export class Liar {
  readonly #node: SimNode;
  readonly #world: World;
  readonly #dice: Prng;
  readonly #strategies: ReadonlySet<Strategy>;
  readonly #nodeCount: number;
  readonly #certificates: Certificate[] = [];
  readonly #timeouts: TimeoutCertificate[] = [];
  readonly #blocks = new Map<Digest, SimBlock>();
  #fork: Forker | null = null;

  constructor(
    node: SimNode,
    world: World,
    dice: Prng,
    options: { readonly strategies: readonly Strategy[]; readonly nodeCount: number },
  ) {
    this.#node = node;
    this.#world = world;
    this.#dice = dice;
    this.#strategies = new Set(options.strategies);
    this.#nodeCount = options.nodeCount;
  }

  #does(strategy: Strategy): boolean {
    return this.#strategies.has(strategy) && this.#dice.chance(2, 3);
  }

  #someNodes(): readonly number[] {
    return Array.from({ length: this.#nodeCount }, (_, id) => id).filter(() =>
      this.#dice.chance(1, 2),
    );
  }

  /** What leaves in place of this message. */
  outgoing(to: readonly number[] | "all", wire: Wire): readonly Outgoing[] {
    this.#learn(wire);
    if (this.#does("withholder") && wire.type !== "fetch") return [];
    const targets = this.#does("selectiveSender") ? this.#someNodes() : to;
    if (wire.type === "proposal") return this.#proposals(targets, wire);
    if (wire.type === "timeout" && this.#does("lowTimeouts")) {
      return [{ to: targets, wire: this.#lowTimeout(wire.timeout) ?? wire }];
    }
    if (wire.type === "vote" && this.#does("garbage")) {
      return [{ to: "all", wire: this.#garbledVote(wire.vote) }];
    }
    return [{ to: targets, wire }];
  }

  /** What it adds after hearing a message. */
  hear(wire: Wire): readonly Outgoing[] {
    this.#learn(wire);
    const added: Outgoing[] = [];
    if (wire.type === "proposal") {
      if (this.#does("doubleVoter")) added.push(...this.#voteFor(wire.block));
      if (this.#does("bareProver")) added.push(...this.#bareProofs(wire.block));
    }
    if (wire.type === "timeout") {
      const fork = this.#fork?.add(wire.timeout) ?? null;
      if (fork !== null) added.push(...this.#carryFork(fork));
    }
    if (this.#strategies.has("garbage") && this.#dice.chance(1, 20)) {
      const garbled = this.#garble(wire);
      if (garbled !== null) added.push({ to: this.#someNodes(), wire: garbled });
    }
    return added;
  }

  #learn(wire: Wire): void {
    if (wire.type === "proposal" || wire.type === "block") {
      const { summary } = wire.block;
      this.#blocks.set(summary.hash, wire.block);
      this.#remember(summary.parentCertificate, summary.timeoutCertificate);
    } else if (wire.type === "timeout") {
      this.#remember(wire.timeout.timeout.highCertificate, wire.timeout.timeout.entryCertificate);
    }
    for (const hash of this.#blocks.keys()) {
      if (this.#blocks.size <= memoryMax) break;
      this.#blocks.delete(hash);
    }
  }

  #remember(certificate: Certificate, timeout: TimeoutCertificate | null): void {
    if (!this.#certificates.includes(certificate)) this.#certificates.push(certificate);
    if (timeout !== null && !this.#timeouts.includes(timeout)) this.#timeouts.push(timeout);
    if (this.#certificates.length > memoryMax) this.#certificates.shift();
    if (this.#timeouts.length > memoryMax) this.#timeouts.shift();
  }

  #sign(signable: Signable): Uint8Array {
    return this.#node.signBytes(signable);
  }

  #proposals(
    to: readonly number[] | "all",
    wire: Extract<Wire, { readonly type: "proposal" }>,
  ): readonly Outgoing[] {
    const others = this.#someNodes();
    const sent: Outgoing[] = [];
    const delayUs = this.#does("hoarder") ? this.#dice.between(500_000, 5_000_000) : 0;
    if (this.#does("forker")) {
      const attack = this.#startFork(wire);
      if (attack !== null) return attack;
    }
    if (this.#does("staleProposer")) {
      const stale = this.#staleBlock(wire.block);
      if (stale !== null) sent.push({ to, wire: this.#proposalOf(stale), delayUs });
      if (stale !== null && this.#dice.chance(2, 3)) return sent;
    }
    if (this.#does("slowBlocks")) {
      const slow = this.#slowBlock(wire.block);
      if (slow !== null) return [{ to, wire: this.#proposalOf(slow), delayUs }];
    }
    if (this.#does("invalidBlocks")) {
      const summary = { ...wire.block.summary, timestampMs: wire.block.summary.timestampMs + 1 };
      const broken = { ...wire.block, summary, state: stubDigest("wrong") };
      return [{ to, wire: this.#proposalOf(this.#rehash(broken)), delayUs }];
    }
    if (this.#does("equivocator")) {
      const { summary } = wire.block;
      const twin = { ...summary, timestampMs: summary.timestampMs + 1 };
      const second = this.#rehash({ ...wire.block, summary: twin });
      const rest = Array.from({ length: this.#nodeCount }, (_, id) => id).filter(
        (id) => !others.includes(id),
      );
      sent.push({ to: others, wire, delayUs });
      const other = this.#proposalOf(second);
      sent.push({ to: rest, wire: other, delayUs });
      // Gossip crosses between the halves now and then.
      if (this.#dice.chance(1, 2)) sent.push({ to: others.slice(0, 1), wire: other, delayUs });
      return sent;
    }
    return [...sent, { to, wire, delayUs }];
  }

  /** Shows a commit to one node and denies it to the others. */
  #startFork(wire: Extract<Wire, { readonly type: "proposal" }>): readonly Outgoing[] | null {
    const { epoch } = this.#node;
    const { summary } = wire.block;
    const aim = Forker.aim(summary, this.#blocks);
    if (aim === null || summary.epoch !== epoch.epoch) return null;
    const view = summary.view - 1;
    this.#fork = new Forker(epoch, view, aim.forkFrom);
    const timeout = {
      epoch: summary.epoch,
      view,
      highCertificate: aim.below,
      entryCertificate: null,
    };
    const signature = this.#sign({ type: "timeout", timeout });
    const signed = { timeout, signer: this.#index(), signature };
    this.#fork.add(signed);
    const victim = this.#dice.below(this.#nodeCount);
    const others = Array.from({ length: this.#nodeCount }, (_, id) => id).filter(
      (id) => id !== victim,
    );
    return [
      { to: [victim], wire },
      { to: others, wire: { type: "timeout", timeout: signed } },
    ];
  }

  /** The others have left the view: propose the fork to everyone, and vote for it. */
  #carryFork({ view, parentCertificate, timeoutCertificate }: Fork): readonly Outgoing[] {
    const excuse = this.#dice.chance(1, 2) ? null : this.#excuseFor(parentCertificate);
    const block = this.#buildOn(parentCertificate, view, excuse ?? timeoutCertificate);
    return block === null
      ? []
      : [{ to: "all", wire: this.#proposalOf(block) }, ...this.#voteFor(block)];
  }

  #excuseFor(certificate: Certificate): TimeoutCertificate | null {
    const { epoch } = certificate;
    const excuses = this.#timeouts.filter(
      (timeout) => timeout.epoch === epoch && timeout.highCertificate.view <= certificate.view,
    );
    return excuses.at(-1) ?? null;
  }

  #rehash(block: SimBlock): SimBlock {
    const hash = hashOf(block);
    return { ...block, summary: { ...block.summary, hash } };
  }

  #proposalOf(block: SimBlock): Wire {
    const { epoch, view, hash } = block.summary;
    const statement = { epoch, view, block: hash };
    const signature = this.#sign({ type: "proposal", statement });
    const signer = this.#index();
    return { type: "proposal", proposal: { block: block.summary, signer, signature }, block };
  }

  /** Its index in the committee; a liar outside it signs as nobody. */
  #index(): number {
    const { validators } = this.#node.epoch.committee;
    return validators.findIndex(({ blsKey }) => blsKey[3] === this.#node.identity + 1);
  }

  /**
   * Another block for the same view, on an older certificate and with whatever excuse is at hand.
   */
  #staleBlock({ summary }: SimBlock): SimBlock | null {
    const { epoch } = this.#node;
    const older = this.#certificates.filter(
      (certificate) =>
        certificate.epoch === epoch.epoch && certificate.view < summary.parentCertificate.view,
    );
    const certificate = older.at(-1 - this.#dice.below(Math.min(4, Math.max(1, older.length))));
    if (certificate === undefined) return null;
    const excuse = this.#dice.chance(1, 2) ? null : this.#excuseFor(certificate);
    return this.#buildOn(certificate, summary.view, excuse ?? summary.timeoutCertificate);
  }

  /** A valid block in this one's place that takes very long to execute. */
  #slowBlock({ summary, payload }: SimBlock): SimBlock | null {
    const { parentCertificate, view, timeoutCertificate } = summary;
    if (payload === "") return null; // It may have to be empty.
    return this.#buildOn(parentCertificate, view, timeoutCertificate, slowPayload);
  }

  #buildOn(
    certificate: Certificate,
    view: number,
    timeoutCertificate: TimeoutCertificate | null,
    payload = "",
  ): SimBlock | null {
    const { epoch, disk } = this.#node;
    const isRoot = certificate.block === epoch.root;
    const parent = this.#blocks.get(certificate.block) ?? this.#node.blocks.get(certificate.block);
    if (certificate.epoch !== epoch.epoch || (parent === null && !isRoot)) return null;
    const proof = disk.epochProofs.get(epoch.epoch - 1) ?? null;
    return this.#world.ledger.build({
      epoch,
      view,
      height: isRoot || parent === null ? epoch.rootHeight + 1 : parent.summary.height + 1,
      parent: certificate.block,
      parentState: isRoot || parent === null ? epoch.root : parent.state,
      parentCertificate: certificate,
      timeoutCertificate,
      epochProof: isRoot && epoch.epoch > 0 ? proof : null,
      timestampMs: Math.max(this.#node.nowMs, (parent?.summary.timestampMs ?? 0) + 1),
      proposer: this.#node.identity,
      payload,
    });
  }

  /** Votes for what it hears of, whatever it voted for before. */
  #voteFor({ summary }: SimBlock): readonly Outgoing[] {
    const { epoch, view, hash, parentCertificate } = summary;
    if (epoch !== this.#node.epoch.epoch || this.#index() < 0) return [];
    const vote = { epoch, view, block: hash, parentView: parentCertificate.view };
    const signature = this.#sign({ type: "vote", vote });
    return [
      { to: "all", wire: { type: "vote", vote: { vote, signer: this.#index(), signature } } },
    ];
  }

  /** A certified block and its certificate, passed off as a commit proof. */
  #bareProofs({ summary }: SimBlock): readonly Outgoing[] {
    const certificate = summary.parentCertificate;
    const parent = this.#blocks.get(summary.parent);
    if (parent === undefined || certificate.block !== summary.parent) return [];
    const proof = { links: [linkOf(parent)], certificate };
    return [{ to: "all", wire: { type: "proof", proof } }];
  }

  /** A timeout that hides the highest certificate it knows. */
  #lowTimeout({ timeout }: SignedTimeout): Wire | null {
    if (timeout.entryCertificate === null) return null;
    const lower = this.#certificates.find(
      (certificate) =>
        certificate.epoch === timeout.epoch && certificate.view < timeout.highCertificate.view,
    );
    if (lower === undefined) return null;
    const changed = { ...timeout, highCertificate: lower };
    const signature = this.#sign({ type: "timeout", timeout: changed });
    return { type: "timeout", timeout: { timeout: changed, signer: this.#index(), signature } };
  }

  #garbledVote(vote: SignedVote): Wire {
    // No larger: a decoder refuses what is not a safe integer.
    const view = this.#dice.pick([0, Math.floor(vote.vote.view / 2), Number.MAX_SAFE_INTEGER]);
    const parentView = this.#dice.pick([vote.vote.parentView, 0, view]);
    const changed = { ...vote.vote, view, parentView };
    const signature = this.#dice.chance(1, 2)
      ? vote.signature
      : this.#sign({ type: "vote", vote: changed });
    const signer = this.#dice.pick([vote.signer, vote.signer + 1, 1_000_000]);
    return { type: "vote", vote: { vote: changed, signer, signature } };
  }

  /** A message it heard, with one thing wrong. */
  #garble(wire: Wire): Wire | null {
    switch (wire.type) {
      case "vote":
        return this.#garbledVote(wire.vote);
      case "timeout": {
        const { timeout } = wire.timeout;
        const { highCertificate } = timeout;
        const signers = highCertificate.signers.map((byte) => byte ^ 1);
        const changed = this.#dice.pick([
          { ...timeout, view: timeout.view + 1_000_000 },
          { ...timeout, highCertificate: { ...highCertificate, signers } },
          { ...timeout, highCertificate: { ...highCertificate, view: timeout.view - 1 } },
        ]);
        return { type: "timeout", timeout: { ...wire.timeout, timeout: changed } };
      }
      case "proposal": {
        const { block } = wire;
        const height = this.#dice.pick([0, block.summary.height + 1, Number.MAX_SAFE_INTEGER]);
        const broken = this.#rehash({ ...block, summary: { ...block.summary, height } });
        return this.#proposalOf(this.#dice.chance(1, 2) ? broken : { ...block, payload: "other" });
      }
      case "proof": {
        const { links, certificate } = wire.proof;
        const count = signersOf(certificate.signers).length;
        return { type: "proof", proof: { links: links.slice(count % 2), certificate } };
      }
      case "block":
        return { type: "block", block: { ...wire.block, payload: "other" } };
      case "catchUp":
      case "fetch":
      case "ask":
        return null;
    }
  }
}

import { assert, unreachable } from "../../base/assert.ts";
import {
  CatchUp,
  rangeBlocksMax,
  type CatchUpEffect,
  type Range,
} from "../../consensus/catchUp.ts";
import { zeroDigest } from "../../base/bytes.ts";
import type { CommitProofSummary } from "../../consensus/types.ts";
import type { Disk } from "./disk.ts";
import { hashOf, linkOf, type SimBlock } from "./fakeLedger.ts";
import type { SimNode } from "./node.ts";
import type { Prng } from "./prng.ts";
import type { CatchUpWire } from "./wire.ts";
import type { World } from "./world.ts";

/** Blocks ahead from which a proved chain is followed in ranges. */
export const farBlocksMax = 32;

/** How long peers may take to say how far they are, and to give a range, in microseconds. */
const standingsUs = 200_000;
const rangeUs = 500_000;

type Answer = { readonly blocks: readonly SimBlock[]; readonly proof: CommitProofSummary };

/** The proof of a committed block from what follows it; `null` if it is not committed. */
function proofAt(disk: Disk, height: number): CommitProofSummary | null {
  const blockAt = (at: number): SimBlock | undefined =>
    disk.blocks.get(disk.committed[at - 1] ?? zeroDigest);
  const first = blockAt(height);
  if (first === undefined) return null;
  const links = [linkOf(first)];
  for (let at = height; ; at += 1) {
    const last = blockAt(at);
    const next = blockAt(at + 1);
    if (last === undefined) return null;
    const { epoch, view, nextCommitteeHash } = last.summary;
    const stored = nextCommitteeHash === null ? disk.newestProof : disk.epochProofs.get(epoch);
    if (nextCommitteeHash !== null || next === undefined) {
      const certificate = stored?.certificate;
      if (stored === null || stored === undefined || certificate === undefined) return null;
      return { links: [...links, ...stored.links.slice(1)], certificate };
    }
    if (links.length > 1 && view === (links.at(-2)?.view ?? 0) + 1) {
      return { links, certificate: next.summary.parentCertificate };
    }
    links.push(linkOf(next));
  }
}

/** What a node answers who is asked for its height or its blocks; a liar as it likes. */
export class RangeServer {
  readonly #node: SimNode;
  readonly #dice: Prng;
  readonly #lies: boolean;

  constructor(node: SimNode, dice: Prng, lies: boolean) {
    this.#node = node;
    this.#dice = dice;
    this.#lies = lies;
  }

  /** The answer, or `null` for none. */
  answer(wire: CatchUpWire): CatchUpWire | null {
    const { id, disk } = this.#node;
    const isLie = this.#lies && this.#dice.chance(2, 3);
    if (wire.type === "askHeight") {
      const height = isLie ? this.#dice.pick([10 ** 15, 0, 5_000]) : disk.committed.length;
      return { type: "height", from: id, height };
    }
    if (wire.type !== "askRange") return null;
    const answer = this.#range(wire.range);
    if (answer === null) return { type: "noRange", from: id, start: wire.range.from };
    return isLie
      ? this.#lie(wire.range, answer)
      : { type: "range", from: id, start: wire.range.from, ...answer };
  }

  #range({ from, count }: Range): Answer | null {
    const { disk } = this.#node;
    const blocks: SimBlock[] = [];
    for (let at = from; at < from + Math.min(count, rangeBlocksMax); at += 1) {
      const block = disk.blocks.get(disk.committed[at - 1] ?? zeroDigest);
      if (block === undefined) break;
      blocks.push(block);
      if (block.summary.nextCommitteeHash !== null) break;
    }
    const proof = blocks.length === 0 ? null : proofAt(disk, from + blocks.length - 1);
    return proof === null ? null : { blocks, proof };
  }

  /** Another payload, a hole, the order turned round, a proof of something else, or nothing. */
  #lie(range: Range, { blocks, proof }: Answer): CatchUpWire | null {
    const from = this.#node.id;
    const start = range.from;
    const [first] = blocks;
    switch (this.#dice.below(5)) {
      case 0:
        return null;
      case 1:
        return { type: "range", from, start, blocks: blocks.toReversed(), proof };
      case 2:
        return { type: "range", from, start, blocks: blocks.filter((_, i) => i !== 1), proof };
      case 3:
        return { type: "noRange", from, start };
      default:
        return first === undefined
          ? null
          : {
              type: "range",
              from,
              start,
              blocks: [{ ...first, payload: `${first.payload}!` }, ...blocks.slice(1)],
              proof,
            };
    }
  }
}

/** Carries out a catch-up: ranges are asked of peers, judged by their proof, and committed. */
export class Follower {
  readonly #node: SimNode;
  readonly #world: World;
  readonly #machine = new CatchUp();
  readonly #received = new Map<string, Answer>();
  readonly #asked = new Map<string, Range>();
  #isDone = false;
  readonly #onDone: () => void;

  constructor(node: SimNode, world: World, onDone: () => void) {
    this.#node = node;
    this.#world = world;
    this.#onDone = onDone;
  }

  start(): void {
    const height = this.#node.disk.committed.length;
    // What it has signed is on its disk, so one that hears of nobody may go on.
    this.#take(this.#machine.step({ type: "started", height, mayBeAlone: true }));
  }

  /** An answer to one of its questions. */
  receive(wire: CatchUpWire): void {
    if (this.#isDone) return;
    if (wire.type === "height") {
      const peer = `${wire.from}`;
      return this.#take(this.#machine.step({ type: "peerStands", peer, height: wire.height }));
    }
    if (wire.type === "noRange") return this.#miss(`${wire.from}`, wire.start);
    if (wire.type !== "range") return;
    const peer = `${wire.from}`;
    const from = wire.start;
    const asked = this.#asked.get(`${peer}/${from}`);
    // It came too late, or twice.
    if (asked === undefined || this.#received.has(`${peer}/${from}`)) return;
    if (!hangsTogether(wire.blocks, asked)) {
      return this.#take(this.#machine.step({ type: "rangeWrong", peer, from }));
    }
    this.#received.set(`${peer}/${from}`, wire);
    const range = { from, count: wire.blocks.length };
    this.#take(this.#machine.step({ type: "rangeReceived", peer, range }));
  }

  #miss(peer: string, from: number): void {
    if (this.#isDone || !this.#asked.delete(`${peer}/${from}`)) return;
    this.#take(this.#machine.step({ type: "rangeMissing", peer, from }));
  }

  #take(effects: readonly CatchUpEffect[]): void {
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: CatchUpEffect): void {
    const { id } = this.#node;
    switch (effect.type) {
      case "askStandings":
        return this.#node.later(effect.afterMs * 1_000, () => {
          this.#world.send(id, "all", { type: "catchUp", wire: { type: "askHeight", from: id } });
          this.#node.later(standingsUs, () => {
            if (!this.#isDone) this.#take(this.#machine.step({ type: "roundEnded" }));
          });
        });
      case "askRange": {
        const { peer, range } = effect;
        this.#asked.set(`${peer}/${range.from}`, range);
        const wire = { type: "askRange", from: id, range } as const;
        this.#world.send(id, [Number(peer)], { type: "catchUp", wire });
        return this.#node.later(rangeUs, () => {
          if (!this.#received.has(`${peer}/${range.from}`)) this.#miss(peer, range.from);
        });
      }
      case "applyRange":
        return this.#node.later(1, () => this.#apply(effect.peer, effect.range));
      case "dropRange":
        this.#received.delete(`${effect.peer}/${effect.from}`);
        return;
      case "blame":
        return this.#world.observe({ node: this.#node, type: "blamed", peer: Number(effect.peer) });
      case "finished":
        this.#isDone = true;
        return this.#node.later(1, this.#onDone);
      default:
        return unreachable(effect);
    }
  }

  #apply(peer: string, range: Range): void {
    const key = `${peer}/${range.from}`;
    const answer = this.#received.get(key);
    this.#received.delete(key);
    this.#asked.delete(key);
    assert(answer !== undefined, "what is applied was received");
    const isRight = this.#commit(answer);
    const { from } = range;
    this.#take(
      this.#machine.step(
        isRight ? { type: "rangeApplied", range } : { type: "rangeWrong", peer, from },
      ),
    );
  }

  /** Commits blocks whose proof holds; says whether it does. */
  #commit({ blocks, proof }: Answer): boolean {
    const node = this.#node;
    const { epoch, disk } = node;
    const { verifier, rules } = this.#world;
    const last = blocks.at(-1);
    const isProved =
      last !== undefined &&
      last.summary.epoch === epoch.epoch &&
      proof.links[0]?.hash === last.summary.hash &&
      rules.isCommitProof(epoch, proof) &&
      verifier.isCertificate(proof.certificate, epoch);
    const head = disk.committed.at(-1) ?? epoch.root;
    if (!isProved || blocks[0]?.summary.parent !== head) return false;
    for (const block of blocks) {
      node.blocks.keep(block);
      const { parent } = block.summary;
      const state = parent === epoch.root ? parent : node.blocks.get(parent)?.state;
      const isValid = state !== undefined && node.judge(epoch, block, state).valid;
      if (!isValid) this.#world.fail("alarm", `node ${node.id}: committed, and invalid here`);
    }
    const next = node.commitBlocks(blocks, last, proof);
    if (next !== null) node.enterEpoch(next);
    return true;
  }
}

function hangsTogether(blocks: readonly SimBlock[], range: Range): boolean {
  return (
    blocks.length > 0 &&
    blocks.length <= range.count &&
    blocks.every(({ summary }, i) => {
      const before = blocks[i - 1]?.summary;
      return (
        summary.height === range.from + i &&
        summary.epoch === blocks[0]?.summary.epoch &&
        (before === undefined || summary.parent === before.hash)
      );
    }) &&
    blocks.every((block) => hashOf(block) === block.summary.hash)
  );
}

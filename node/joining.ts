import { NodeError } from "../base/nodeError.ts";
import {
  CatchUp,
  type CatchUpEffect,
  type CatchUpInput,
  type Range,
} from "../consensus/catchUp.ts";
import { soundRules } from "../consensus/rules.ts";
import { blsVerifyBatch } from "../crypto/bls.ts";
import type { Network } from "../p2p/network.ts";
import { textToPeerId, type PeerId } from "../p2p/peerId.ts";
import { randomnessClaim } from "./blockCheck.ts";
import type { Chain, CommittedBlock } from "./chain.ts";
import type { DiskStore } from "./diskStore.ts";
import type { GenesisNames } from "./genesis.ts";
import type { Log } from "./log.ts";
import { blocksPerSecond, progressLine, type CatchUpProgress } from "./progressLine.ts";
import type { CheckedRange, Ranges } from "./ranges.ts";
import { commitProofSummary } from "./summaries.ts";
import type { TransactionPool } from "./transactionPool.ts";
import type { Verifier } from "./verifier.ts";

/** Between two lines of progress in a log, in milliseconds. */
const progressIntervalMs = 5_000;

/** Between two drawings of the progress on a terminal, in milliseconds. */
const drawIntervalMs = 200;

/** A catch-up of fewer blocks than this is not worth a line. */
const silentBlocksMax = 16;

/** What following the chain from afar needs. */
export type JoiningParts = {
  readonly genesis: Pick<GenesisNames, "hash">;
  readonly network: Pick<Network, "peers" | "watch" | "report">;
  readonly chain: Pick<Chain, "epoch" | "head" | "add" | "execute" | "commit" | "startEpoch">;
  readonly store: Pick<DiskStore, "epoch">;
  readonly pool: Pick<TransactionPool, "prepare">;
  readonly verifier: Pick<Verifier, "proof">;
  readonly ranges: Pick<Ranges, "request">;
  /** A peer's newest height by its own word; `null` if it does not answer. */
  readonly askHeight: (peer: PeerId) => Promise<number | null>;
  readonly onCommitted: (blocks: readonly CommittedBlock[]) => void;
  readonly log: Pick<Log, "info" | "status">;
};

/**
 * The host of one catch-up (consensus/catchUp.ts): carries out its orders until it is near the
 * others. Consensus does not run meanwhile, so nothing else changes the chain.
 */
export class Joining {
  readonly #parts: JoiningParts;
  readonly #machine = new CatchUp();
  readonly #received = new Map<string, CheckedRange>();
  #startHeight = 0;
  readonly #startMs = performance.now();
  #timers = new Set<NodeJS.Timeout>();
  #toldAtMs = performance.now();
  #drawnAtMs = -Infinity;
  /** Where the range begins that is applied after the one that is now. */
  #nextFrom = 0;
  #end: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | null = null;
  #unwatch: (() => void) | null = null;
  #applying: Promise<void> = Promise.resolve();

  constructor(parts: JoiningParts) {
    this.#parts = parts;
  }

  /** Heights here and at the best of the peers, by their word. */
  get progress(): CatchUp["progress"] {
    return this.#machine.progress;
  }

  /** Resolves when the chain is followed to near its end, or after `stop`. */
  run(mayBeAlone: boolean): Promise<void> {
    const { chain, store } = this.#parts;
    // Consensus may have been stopped after the commit that ends an epoch, before the next began.
    if (store.epoch.epoch > chain.epoch.epoch) chain.startEpoch(store.epoch);
    this.#startHeight = chain.head.header.height;
    return new Promise((resolve, reject) => {
      this.#end = { resolve, reject };
      this.#unwatch = this.#parts.network.watch({
        left: (peer) => this.#deliver({ type: "peerLeft", peer }),
      });
      this.#deliver({ type: "started", height: this.#startHeight, mayBeAlone });
    });
  }

  /** Ends it; resolves when no block is under way any more. */
  async stop(): Promise<void> {
    this.#finish();
    await this.#applying;
  }

  #finish(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#unwatch?.();
    this.#received.clear();
    this.#parts.log.status(null);
    const end = this.#end;
    this.#end = null;
    end?.resolve();
  }

  #fail(error: unknown): void {
    const end = this.#end;
    this.#end = null;
    this.#finish();
    end?.reject(error);
  }

  #deliver(input: CatchUpInput): void {
    if (this.#end === null) return;
    for (const effect of this.#machine.step(input)) this.#perform(effect);
  }

  #perform(effect: CatchUpEffect): void {
    switch (effect.type) {
      case "askStandings":
        return this.#after(effect.afterMs, () => void this.#round());
      case "askRange":
        return void this.#askRange(textToPeerId(effect.peer), effect.range);
      case "applyRange":
        // Not at once: the orders that follow this one come first.
        this.#applying = Promise.resolve()
          .then(() => this.#apply(effect.peer, effect.range))
          .catch((error: unknown) => this.#fail(error));
        return;
      case "dropRange":
        this.#received.delete(keyOf(effect.peer, effect.from));
        return;
      case "blame":
        return this.#parts.network.report(
          textToPeerId(effect.peer),
          "rejected",
          "catch-up: not a part of this chain",
        );
      case "finished":
        if (this.#measured().blocks >= silentBlocksMax) this.#tell("caught up");
        return this.#finish();
    }
  }

  #after(delayMs: number, callback: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      callback();
    }, delayMs);
    this.#timers.add(timer);
  }

  async #round(): Promise<void> {
    const { network, askHeight } = this.#parts;
    const asked = network.peers().map(async ({ peer }) => {
      const height = await askHeight(peer);
      if (height !== null) this.#deliver({ type: "peerStands", peer, height });
    });
    await Promise.all(asked);
    this.#deliver({ type: "roundEnded" });
  }

  async #askRange(peer: PeerId, range: Range): Promise<void> {
    const { ranges, genesis } = this.#parts;
    const { from } = range;
    const answer = await ranges.request(peer, range, genesis.hash);
    if (this.#end === null) return;
    if (!answer.ok) {
      const type = answer.refusal.code === "wrong" ? "rangeWrong" : "rangeMissing";
      return this.#deliver({ type, peer, from });
    }
    // A peer that left and came back was asked again: the first answer waits to be applied.
    if (this.#received.has(keyOf(peer, from))) return;
    this.#received.set(keyOf(peer, from), answer.value);
    if (from === this.#nextFrom) this.#prepare(answer.value);
    const count = answer.value.blocks.length;
    this.#deliver({ type: "rangeReceived", peer, range: { from, count } });
  }

  async #apply(peer: string, range: Range): Promise<void> {
    const { chain, store, verifier } = this.#parts;
    const received = this.#received.get(keyOf(peer, range.from));
    this.#received.delete(keyOf(peer, range.from));
    if (received === undefined) throw missing(range);
    const { blocks, proof } = received;
    const { epoch } = chain;
    const summary = commitProofSummary(proof);
    const isProved =
      blocks[0]?.header.epoch === epoch.epoch &&
      soundRules.isCommitProof(epoch, summary) &&
      verifier.proof(summary, epoch) !== null;
    if (!isProved) return this.#deliver({ type: "rangeWrong", peer, from: range.from });
    const parent = blocks[0]?.header.parentHash;
    if (parent !== chain.head.hash) {
      throw forked(
        `a proof commits a child of ${parent}, and ${chain.head.hash} is committed here`,
      );
    }
    this.#prepare(received);
    this.#prepareFrom(range.from + range.count);
    await this.#execute(received);
    if (this.#end === null) return;
    if (store.epoch.epoch > epoch.epoch) chain.startEpoch(store.epoch);
    this.#deliver({ type: "rangeApplied", range });
    this.#show();
  }

  /** Signers are recovered ahead, on other threads: of one range, and of the next while it runs. */
  #prepare({ blocks }: CheckedRange): void {
    for (const { body } of blocks) this.#parts.pool.prepare(body.transactions);
  }

  #prepareFrom(height: number): void {
    this.#nextFrom = height;
    for (const range of this.#received.values()) {
      if (range.blocks[0]?.header.height === height) this.#prepare(range);
    }
  }

  /** One after another; a block is written while the next one is executed. */
  async #execute(range: CheckedRange): Promise<void> {
    const { chain, onCommitted } = this.#parts;
    let writing: Promise<void> = Promise.resolve();
    const write = async (at: number): Promise<void> => {
      const { blocks, hashes, proof } = range;
      const before = blocks.slice(at, -1).map(({ header }) => header);
      const whole = { headers: [...before, ...proof.headers], certificate: proof.certificate };
      onCommitted(await chain.commit(hashes.slice(at, at + 1), whole));
    };
    const isRandomnessSigned = this.#isRandomnessSigned(range);
    try {
      for (const [i, block] of range.blocks.entries()) {
        const hash = range.hashes[i];
        if (hash === undefined || chain.add(block, isRandomnessSigned) === null)
          throw missing({ from: i, count: 1 });
        const result = await chain.execute(hash);
        if (!result.valid) throw forked(`${hash} is committed, and invalid here`);
        await writing;
        if (this.#end === null) break;
        writing = write(i);
        // Awaited below or in the next round, whatever happens meanwhile.
        writing.catch(() => undefined);
      }
    } finally {
      await writing;
    }
  }

  /** All blocks in one go; where one does not hold, executing it finds out which. */
  #isRandomnessSigned({ blocks }: CheckedRange): boolean {
    const { chain } = this.#parts;
    const claims = blocks.flatMap((block, i) => {
      const parent = blocks[i - 1]?.header ?? chain.head.header;
      return randomnessClaim(block, parent, chain.epoch) ?? [];
    });
    return claims.length === blocks.length && blsVerifyBatch(claims);
  }

  #measured(): CatchUpProgress {
    const { height, target } = this.#machine.progress;
    const elapsedMs = performance.now() - this.#startMs;
    return { height, target, blocks: height - this.#startHeight, elapsedMs };
  }

  /** On a terminal a line that moves, elsewhere a line of the log now and then. */
  #show(): void {
    if (this.#end === null) return;
    const nowMs = performance.now();
    if (nowMs - this.#drawnAtMs < drawIntervalMs) return;
    this.#drawnAtMs = nowMs;
    if (this.#parts.log.status(progressLine(this.#measured()))) return;
    if (nowMs - this.#toldAtMs > progressIntervalMs) this.#tell("catching up");
  }

  #tell(message: string): void {
    this.#toldAtMs = performance.now();
    const measured = this.#measured();
    const { height, target, blocks } = measured;
    const perSecond = Math.round(blocksPerSecond(measured));
    this.#parts.log.info(message, { height, target, blocks, perSecond });
  }
}

function keyOf(peer: string, from: number): string {
  return `${from}/${peer}`;
}

function missing({ from }: Range): Error {
  return new NodeError("E_HALT", `the blocks from height ${from} are not held`);
}

/** More than a third of stake lied, or this program is wrong: nothing more is followed. */
function forked(reason: string): NodeError {
  return new NodeError("E_HALT", `the chain cannot be followed any more: ${reason}`, {
    hint: "compare with other nodes; this one's data and keys are as they were",
  });
}

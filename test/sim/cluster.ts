import { bytesToHex } from "../../base/bytes.ts";
import { soundRules, type Rules } from "../../consensus/rules.ts";
import type { SigningScope } from "../../consensus/statements.ts";
import { Liar } from "./byzantine.ts";
import { AgreementChecker } from "./checkers/agreement.ts";
import { BoundsChecker } from "./checkers/bounds.ts";
import { CertificateChecker } from "./checkers/certificates.ts";
import { EvidenceChecker } from "./checkers/evidence.ts";
import { SignatureChecker } from "./checkers/signatures.ts";
import { FakeLedger } from "./fakeLedger.ts";
import { Network } from "./network.ts";
import { SimNode } from "./node.ts";
import { Prng } from "./prng.ts";
import { EventQueue } from "./queue.ts";
import { stubAddress, stubHash } from "./stubs.ts";
import { drawSwarm, type Swarm } from "./swarm.ts";
import { Verifier } from "./verifier.ts";
import type { Wire } from "./wire.ts";
import type { Observation, Plant, World } from "./world.ts";

/** Everything that decides a run. */
export type RunOptions = {
  readonly seed: number;
  readonly viewsMin: number;
  /** Replaces what the seed drew. */
  readonly swarm?: Partial<Swarm>;
  readonly plant?: Plant;
  /** Checkers that are switched off, to see what the others notice. */
  readonly blind?: ReadonlySet<string>;
  /** One that is down from one view on until another. */
  readonly outage?: {
    readonly identity: number;
    readonly fromView: number;
    readonly toView: number;
  };
  /** Mean time between orders of clients, which reach every node at once, in milliseconds. */
  readonly orderMsMean?: number;
  /** Work that arrives reaches everybody; else each node with an even chance. */
  readonly gossips?: boolean;
  /** Told of all that the checkers are told of, with the virtual time in microseconds. */
  readonly watch?: (event: Observation, nowUs: number) => void;
  /** Called with a line for each event. */
  readonly trace?: (line: string) => void;
};

/** What a run ended with. */
export type RunResult = {
  readonly seed: number;
  readonly swarm: Swarm;
  readonly views: number;
  readonly commits: number;
  readonly epochs: number;
  readonly events: number;
  /** Digest of all events in order: equal for equal seeds. */
  readonly digest: string;
  readonly evidence: ReadonlyMap<string, number>;
  readonly failure: { readonly invariant: string; readonly detail: string } | null;
};

/**
 * Safety phase: virtual time after which a run that does not reach its views goes on to be healed.
 */
const safetyUsMax = 3_600_000_000;

/** Liveness phase: views within which every node of the core commits new work. */
const liveViewsMax = 250;
const liveUsMax = 3_600_000_000;

/** Mean time between two stalls of a node, and between two jumps of a frail one's clock. */
const stallUsMean = 10_000_000;
const jumpUsMean = 10_000_000;

/** Events in a run: beyond it something feeds itself. */
const eventsMax = 3_000_000;

class RunFailure extends Error {
  readonly invariant: string;

  constructor(invariant: string, detail: string) {
    super(detail);
    this.invariant = invariant;
  }
}

/** One run: nodes, liars and faults, all from one seed. */
export class Cluster {
  readonly #options: RunOptions;
  readonly #swarm: Swarm;
  readonly #queue: EventQueue;
  readonly #network: Network;
  readonly #nodes: SimNode[] = [];
  readonly #liars = new Map<number, Liar>();
  readonly #nodesOf = new Map<string, number[]>();
  readonly #world: World;
  readonly #agreement: AgreementChecker;
  readonly #evidence: EvidenceChecker;
  readonly #checkers: readonly { onObservation(event: Observation): void }[];
  #digest: Uint8Array = new Uint8Array(32);
  #digestLines = "";
  #views = 0;
  #epochs = 1;
  #isHealed = false;

  constructor(options: RunOptions) {
    this.#options = options;
    const { seed } = options;
    this.#swarm = { ...drawSwarm(seed, options.viewsMin), ...options.swarm };
    this.#queue = new EventQueue(new Prng(seed, "ties"));
    this.#world = this.#createWorld();
    this.#createNodes();
    this.#network = new Network(new Prng(seed, "network"), this.#swarm, this.#nodes.length);
    const liars = this.#swarm.roles.flatMap(({ type }, identity) =>
      type === "liar" ? [stubAddress(identity)] : [],
    );
    this.#agreement = new AgreementChecker(this.#world);
    this.#evidence = new EvidenceChecker(this.#world, new Set(liars));
    this.#checkers = [
      this.#agreement,
      this.#evidence,
      new SignatureChecker(this.#world),
      new CertificateChecker(this.#world),
      new BoundsChecker(this.#world),
    ];
  }

  #createWorld(): World {
    const { seed, plant } = this.#options;
    const ledger = new FakeLedger(seed, this.#swarm);
    const scope: SigningScope = { genesis: ledger.genesis, scope: "" };
    const rules: Rules = { ...soundRules, ...plant?.rules };
    return {
      swarm: this.#swarm,
      ledger,
      scope,
      rules,
      leaderHash: stubHash,
      verifier: new Verifier(scope, rules),
      nowUs: () => this.#queue.nowUs,
      schedule: (delayUs, run) => this.#queue.push(delayUs, run),
      nodesOf: (address) => this.#nodesOf.get(address) ?? [],
      send: (from, to, wire) => this.#send(from, to, wire),
      observe: (event) => this.#observe(event),
      fail: (invariant, detail) => this.#fail(invariant, detail),
    };
  }

  #createNodes(): void {
    const { seed, plant } = this.#options;
    const dice = new Prng(seed, "processes");
    this.#swarm.roles.forEach((role, identity) => {
      const isTwin = role.type === "liar" && role.strategies.includes("twin");
      for (let copy = 0; copy < (isTwin ? 2 : 1); copy += 1) {
        const id = this.#nodes.length;
        const own = new Prng(seed, `node ${identity}/${copy}`);
        this.#nodes.push(new SimNode(id, identity, this.#world, own, plant ?? {}));
        const address = stubAddress(identity);
        this.#nodesOf.set(address, [...(this.#nodesOf.get(address) ?? []), id]);
      }
    });
    for (const node of this.#nodes) {
      const role = this.#swarm.roles[node.identity];
      if (role?.type !== "liar") continue;
      const options = { strategies: role.strategies, nodeCount: this.#nodes.length };
      const lies = new Prng(seed, `lies ${node.id}`);
      this.#liars.set(node.id, new Liar(node, this.#world, lies, options));
    }
    for (const node of this.#nodes) this.#queue.push(dice.below(100_000), () => node.start());
  }

  /** Runs both phases. */
  run(): RunResult {
    let failure: RunResult["failure"] = null;
    try {
      this.#plan();
      this.#runUntil(() => this.#views >= this.#swarm.viewsMin, safetyUsMax);
      this.#heal();
    } catch (error) {
      if (!(error instanceof RunFailure)) throw error;
      failure = { invariant: error.invariant, detail: error.message };
    }
    return {
      seed: this.#options.seed,
      swarm: this.#swarm,
      views: this.#views,
      commits: this.#agreement.commits,
      epochs: this.#epochs,
      events: this.#queue.count,
      digest: bytesToHex(this.#digest),
      evidence: this.#evidence.counts,
      failure,
    };
  }

  /** Partitions and work come by themselves. */
  #plan(): void {
    const { seed } = this.#options;
    const { partitionMsMean, workMsMean } = this.#swarm;
    const work = new Prng(seed, "work");
    if (partitionMsMean > 0) {
      this.#network.repartition();
      const mean = partitionMsMean * 1_000;
      this.#untilHealed("partitions", mean, () => this.#network.repartition());
    }
    for (const node of this.#nodes) this.#planTrouble(node);
    if (this.#options.orderMsMean !== undefined) this.#planOrders(this.#options.orderMsMean);
    const arrive = (): void => {
      this.#trace("work");
      for (const node of this.#nodes) {
        if (work.chance(1, 2) || this.#options.gossips === true) node.addWork();
      }
      this.#queue.push(work.below(2 * workMsMean * 1_000), arrive);
    };
    arrive();
  }

  /** Again and again, until the network is healed. */
  #untilHealed(stream: string, usMean: number, run: (dice: Prng) => void): void {
    const dice = new Prng(this.#options.seed, stream);
    const again = (): void =>
      this.#queue.push(dice.below(2 * usMean), () => {
        if (this.#isHealed) return;
        run(dice);
        again();
      });
    again();
  }

  /** Processes that stand still, and clocks that go wrong. */
  #planTrouble(node: SimNode): void {
    const { stallMsMax, clocksJump, roles } = this.#swarm;
    if (stallMsMax > 0) {
      this.#untilHealed(`stalls ${node.id}`, stallUsMean, (dice) => {
        this.#trace(`stall ${node.id}`);
        node.standstill.begin(dice.below(stallMsMax * 1_000));
      });
    }
    if (!clocksJump || roles[node.identity]?.type !== "frail") return;
    this.#untilHealed(`clock ${node.id}`, jumpUsMean, (dice) => node.clock.jump(dice));
  }

  #planOrders(msMean: number): void {
    let count = 0;
    this.#untilHealed("orders", msMean * 1_000, () => {
      count += 1;
      for (const node of this.#nodes) {
        node.orders.add(`${count}`);
        node.addWork();
        this.#observe({ node, type: "ordered", name: `${count}` });
      }
    });
  }

  /** Heals a quorum, leaves the others as they are or down, and demands new committed work. */
  #heal(): void {
    this.#trace("heal");
    this.#isHealed = true;
    this.#network.heal();
    for (const node of this.#nodes) node.isTroubled = false;
    const core = this.#nodes.filter((node) => this.#swarm.roles[node.identity]?.type === "honest");
    for (const node of this.#nodes) {
      if (this.#swarm.roles[node.identity]?.type === "frail") node.crash();
    }
    for (const node of core) if (!node.isUp) node.start();
    const start = this.#views;
    const height = Math.max(...core.map((node) => this.#agreement.heightOf(node.id)));
    const startUs = this.#queue.nowUs;
    for (const node of core) node.addWork();
    const isLive = () =>
      core.every((node) => this.#agreement.heightOf(node.id) > height && !node.isWorkPending);
    const isOver = () => isLive() || this.#views > start + liveViewsMax;
    this.#runUntil(isOver, startUs + liveUsMax);
    const wasLive = isLive();
    // A safety phase that was all partitions leaves views to be made up.
    const isLong = () => this.#views >= this.#swarm.viewsMin;
    if (wasLive) this.#runUntil(isLong, this.#queue.nowUs + liveUsMax);
    if (wasLive && isLong()) return;
    const heights = core.map((node) => this.#agreement.heightOf(node.id)).join(" ");
    const views = this.#views - start;
    this.#fail("liveness", `from height ${height} to ${heights} in ${views} views`);
  }

  #runUntil(isDone: () => boolean, untilUs: number): void {
    for (let steps = 0; this.#queue.nowUs < untilUs; steps += 1) {
      // Asking costs as much as an event.
      if (steps % 8 === 0 && isDone()) return;
      if (steps % 8 === 0) this.#applyOutage();
      if (!this.#queue.runNext()) this.#fail("stall", "nothing is scheduled");
      if (this.#queue.count > eventsMax) this.#fail("bounds", `${this.#queue.count} events`);
    }
  }

  #applyOutage(): void {
    const { outage } = this.#options;
    if (outage === undefined) return;
    const isDown = this.#views >= outage.fromView && this.#views < outage.toView;
    for (const node of this.#nodes) {
      if (node.identity !== outage.identity || isDown !== node.isUp) continue;
      if (isDown) node.crash();
      else node.start();
    }
  }

  #send(from: number, to: readonly number[] | "all", wire: Wire): void {
    const liar = this.#liars.get(from);
    if (liar === undefined) return this.#transmit(from, to, wire);
    for (const sent of liar.outgoing(to, wire)) {
      const { delayUs = 0 } = sent;
      if (delayUs === 0) this.#transmit(from, sent.to, sent.wire);
      else this.#queue.push(delayUs, () => this.#transmit(from, sent.to, sent.wire));
    }
  }

  #transmit(from: number, to: readonly number[] | "all", wire: Wire): void {
    const targets = to === "all" ? this.#nodes.map((node) => node.id) : to;
    for (const target of targets) {
      if (target === from) continue;
      for (const delayUs of this.#network.route(from, target)) {
        const arriving = this.#network.damage(wire);
        this.#queue.push(delayUs, () => this.#arrive(from, target, arriving));
      }
    }
  }

  #arrive(from: number, target: number, wire: Wire): void {
    const node = this.#nodes[target];
    if (node === undefined) return;
    this.#trace(`${from}>${target} ${wire.type}`);
    node.receive(wire);
    const liar = this.#liars.get(target);
    if (liar === undefined || !node.isUp) return;
    for (const added of liar.hear(wire)) this.#transmit(target, added.to, added.wire);
  }

  #observe(event: Observation): void {
    const { node, type } = event;
    this.#options.watch?.(event, this.#queue.nowUs);
    if (type === "entered") this.#views = Math.max(this.#views, event.views);
    if (type === "epochStarted") this.#epochs = Math.max(this.#epochs, event.epoch.epoch + 1);
    if (type !== "stepped" && type !== "heard") {
      const blocks = type === "committed" ? event.blocks.map(({ summary }) => summary.hash) : "";
      const signable = type === "signed" ? event.signable : "";
      const views = type === "entered" ? event.views : "";
      this.#trace(`${node.id} ${type} ${String(blocks)}${views}`, signable);
    }
    // A liar's own node proves nothing, and may say anything.
    if (this.#liars.has(node.id)) return;
    for (const checker of this.#checkers) checker.onObservation(event);
  }

  #fail(invariant: string, detail: string): void {
    if (this.#options.blind?.has(invariant) === true) return;
    throw new RunFailure(invariant, detail);
  }

  #trace(text: string, data: unknown = ""): void {
    const line = `${this.#queue.nowUs} ${text}`;
    this.#digestLines += line;
    if (this.#digestLines.length > 8_192) {
      this.#digest = stubHash(
        new TextEncoder().encode(bytesToHex(this.#digest) + this.#digestLines),
      );
      this.#digestLines = "";
    }
    if (this.#options.trace === undefined) return;
    const shown = data === "" ? "" : ` ${JSON.stringify(data)}`;
    this.#options.trace(`${(this.#queue.nowUs / 1_000_000).toFixed(6)} ${text}${shown}`);
  }
}

/** Runs one seed. */
export function runSeed(options: RunOptions): RunResult {
  return new Cluster(options).run();
}

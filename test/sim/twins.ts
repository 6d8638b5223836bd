import { soundRules } from "../../consensus/rules.ts";
import { AgreementChecker } from "./checkers/agreement.ts";
import { CertificateChecker } from "./checkers/certificates.ts";
import { EvidenceChecker } from "./checkers/evidence.ts";
import { SignatureChecker } from "./checkers/signatures.ts";
import { FakeLedger } from "./fakeLedger.ts";
import { SimNode } from "./node.ts";
import { Prng } from "./prng.ts";
import { EventQueue } from "./queue.ts";
import { stubAddress } from "./stubs.ts";
import { drawSwarm, type Role } from "./swarm.ts";
import { Verifier } from "./verifier.ts";
import type { Wire } from "./wire.ts";
import type { Observation, World } from "./world.ts";

/** One round of a schedule: who leads, who hears whom, what is lost, who is killed at its end. */
export type TwinsRound = {
  readonly leader: number;
  readonly partitions: readonly (readonly string[])[];
  readonly drop: readonly string[];
  readonly crash: readonly string[];
};

/** A schedule: node k of `twins` runs as ka and kb with one key. */
export type TwinsSchedule = {
  readonly id: string;
  readonly n: number;
  readonly twins: readonly number[];
  readonly rounds: readonly TwinsRound[];
  readonly tail: readonly TwinsRound[];
};

/** Long enough for a view to fail on the short base. */
const roundUs = 1_500_000;
const latencyUs = 10_000;

/**
 * Failed views have made the timers long by then; a round of the tail ends by views, not by time.
 */
const tailUsMax = 600_000_000;

/** Stake of each validator, as the fake ledger gives it where all are equal. */
const equalStake = 100n;

/**
 * Runs one schedule with leaders by view: round r leads view r, and the tail starts where it
 * starts.
 */
export class TwinsRun {
  readonly #schedule: TwinsSchedule;
  readonly #queue = new EventQueue(new Prng(0, "ties"));
  readonly #nodes: SimNode[] = [];
  readonly #names: string[] = [];
  readonly #agreement: AgreementChecker;
  readonly #checkers: readonly { onObservation(event: Observation): void }[];
  #round: TwinsRound | null = null;
  #tailView = Number.POSITIVE_INFINITY;
  #views = 1;

  constructor(schedule: TwinsSchedule) {
    this.#schedule = schedule;
    const { n, twins } = schedule;
    const roles = Array.from({ length: n }, (_, identity): Role => {
      const isTwin = twins.includes(identity);
      return isTwin ? { type: "liar", strategies: ["twin"] } : { type: "honest" };
    });
    const world = this.#createWorld(roles);
    roles.forEach((_, identity) => {
      for (const copy of twins.includes(identity) ? ["a", "b"] : [""]) {
        const dice = new Prng(identity, `node ${copy}`);
        this.#names.push(`${identity}${copy}`);
        this.#nodes.push(new SimNode(this.#nodes.length, identity, world, dice, {}));
      }
    });
    const liars = new Set<string>(twins.map((identity) => stubAddress(identity)));
    this.#agreement = new AgreementChecker(world);
    this.#checkers = [
      this.#agreement,
      new EvidenceChecker(world, liars),
      new SignatureChecker(world),
      new CertificateChecker(world),
    ];
  }

  #createWorld(roles: readonly Role[]): World {
    const swarm = {
      ...drawSwarm(0, 1),
      roles,
      stakes: "equal",
      isTight: false,
      committeeChanges: false,
      epochBlocks: 1_000_000,
      crashOneIn: 0,
      crashInEffectsOneIn: 0,
      downMsMean: 1,
    } as const;
    const ledger = new FakeLedger(0, swarm);
    const scope = { genesis: ledger.genesis, scope: "" };
    return {
      swarm,
      ledger,
      scope,
      rules: soundRules,
      verifier: new Verifier(scope, soundRules),
      leaderHash: (bytes) => this.#leaderHash(bytes),
      nowUs: () => this.#queue.nowUs,
      schedule: (delayUs, run) => this.#queue.push(delayUs, run),
      nodesOf: (address) =>
        this.#nodes.filter((node) => stubAddress(node.identity) === address).map(({ id }) => id),
      send: (from, to, wire) => this.#send(from, to, wire),
      observe: (event) => this.#observe(event),
      fail: (invariant, detail) => {
        throw new Error(`${this.#schedule.id}: ${invariant}: ${detail}`);
      },
    };
  }

  /**
   * A number whose place among equal stakes is the scheduled leader. The last 8 bytes are the view.
   */
  #leaderHash(bytes: Uint8Array): Uint8Array {
    const view = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(32));
    const { rounds, tail } = this.#schedule;
    const inTail = tail[(view - this.#tailView) % tail.length];
    const round = view >= this.#tailView ? inTail : rounds[(view - 1) % rounds.length];
    const hash = new Uint8Array(32);
    new DataView(hash.buffer).setBigUint64(24, BigInt(round?.leader ?? 0) * equalStake);
    return hash;
  }

  #send(from: number, to: readonly number[] | "all", wire: Wire): void {
    const round = this.#round;
    if (round === null || round.drop.includes(wire.type)) return;
    const side = round.partitions.find((names) => names.includes(this.#names[from] ?? ""));
    for (const { id } of this.#nodes) {
      if (id === from || (to !== "all" && !to.includes(id))) continue;
      if (side?.includes(this.#names[id] ?? "") !== true) continue;
      this.#queue.push(latencyUs, () => this.#nodes[id]?.receive(wire));
    }
  }

  #observe(event: Observation): void {
    if (event.type === "entered") this.#views = Math.max(this.#views, event.views + 1);
    if (this.#isTwin(event.node)) return;
    for (const checker of this.#checkers) checker.onObservation(event);
  }

  #isTwin(node: SimNode): boolean {
    return this.#schedule.twins.includes(node.identity);
  }

  /**
   * Throws if safety fails; says in how many views of the tail all correct nodes committed anew.
   */
  run(): number | null {
    for (const node of this.#nodes) node.start();
    for (const round of this.#schedule.rounds) {
      this.#round = round;
      for (const node of this.#nodes) node.addWork();
      const endUs = this.#queue.nowUs + roundUs;
      while (this.#queue.nowUs < endUs && this.#queue.runNext());
      for (const name of round.crash) {
        const node = this.#nodes[this.#names.indexOf(name)];
        node?.crash();
        node?.start();
      }
    }
    return this.#runTail();
  }

  #runTail(): number | null {
    const { tail } = this.#schedule;
    const start = this.#views;
    // The leader of the next view may be known already; from the one after it the tail decides.
    this.#tailView = start + 2;
    this.#round = tail[0] ?? null;
    for (const node of this.#nodes) node.addWork();
    const correct = this.#nodes.filter((node) => !this.#isTwin(node));
    const heights = correct.map((node) => this.#agreement.heightOf(node.id));
    const isLive = () =>
      correct.every((node, i) => this.#agreement.heightOf(node.id) > (heights[i] ?? 0));
    const endUs = this.#queue.nowUs + tailUsMax;
    while (!isLive() && this.#queue.nowUs < endUs && this.#queue.runNext());
    return isLive() ? this.#views - this.#tailView : null;
  }
}

import type { Digest } from "../base/brand.ts";
import { Replica } from "../consensus/replica.ts";
import type { ReplicaOptions, ReplicaStatus } from "../consensus/replicaOptions.ts";
import type { Input, StartPoint } from "../consensus/types.ts";
import type { Header } from "../ledger/blockTypes.ts";
import type { Chain } from "./chain.ts";
import { Host } from "./host.ts";
import { NodeWorld, type Signing, type WorldOptions } from "./world.ts";

/**
 * Consensus as the rest of the node sees it: a replica with its host and world, which may be
 * stopped, when the chain went on without this node, and started again where the chain then is. A
 * new replica takes up what the old one promised, as after a restart of the process.
 */
export class Engine {
  readonly #replicaOptions: ReplicaOptions;
  readonly #worldOptions: Omit<WorldOptions, "signing">;
  readonly #chain: Chain;
  #replica: Replica;
  #running: { readonly host: Host; readonly world: NodeWorld } | null = null;
  #isWorkPending = false;

  constructor(options: {
    readonly replica: ReplicaOptions;
    readonly world: Omit<WorldOptions, "signing">;
  }) {
    this.#replicaOptions = options.replica;
    this.#worldOptions = options.world;
    this.#chain = options.world.chain;
    this.#replica = new Replica(options.replica, this.#chain.epoch);
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  get status(): ReplicaStatus {
    return this.#replica.status;
  }

  /** Index of the current view's leader in the committee; `null` while that is not known. */
  get leader(): number | null {
    return this.#replica.leader;
  }

  /** How many inputs wait. */
  get queuedCount(): number {
    return this.#running?.host.queuedCount ?? 0;
  }

  /** Whether a block was asked for and is still of use. */
  wants(block: Digest): boolean {
    return this.isRunning && this.#replica.wants(block);
  }

  /** Begins at a point of the chain; `signing` is `null` for one who only follows. */
  start(point: StartPoint, signing: Signing | null): void {
    const world = new NodeWorld({ ...this.#worldOptions, signing });
    this.#replica = new Replica(this.#replicaOptions, point.epoch);
    const host = new Host(this.#replica, world, this.#worldOptions.onFailure);
    world.attach(host);
    this.#running = { host, world };
    host.deliver({ type: "started", point });
    if (this.#isWorkPending) host.deliver({ type: "workChanged", pending: true });
  }

  /** Stops and waits for what is under way; what was promised stays promised. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = null;
    if (running === null) return;
    await running.host.stop();
    await running.world.stop();
  }

  /** Takes a fact; one that comes while consensus does not run is lost. */
  deliver(input: Input): void {
    this.#running?.host.deliver(input);
  }

  /** Resolves when what was delivered so far has had its effects. */
  settled(): Promise<void> {
    return this.#running?.host.settled() ?? Promise.resolve();
  }

  /** Transactions wait, or none does any more. */
  onWork(pending: boolean): void {
    this.#isWorkPending = pending;
    this.deliver({ type: "workChanged", pending });
    if (pending) this.#running?.world.onWork();
  }

  /** A block of another leader came in. */
  onBlock(header: Header, transactionCount: number): void {
    this.#running?.world.onBlock(header, transactionCount);
  }
}

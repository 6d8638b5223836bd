import { createDeadline } from "./clock.ts";
import type { Clock } from "./clock.ts";
import type { Observe } from "./events.ts";
import {
  addressesMax,
  dialMsMax,
  dialTickMs,
  dialsMax,
  outboundPeersTarget,
  redialMsMax,
  redialMsMin,
} from "./limits.ts";
import type { PeerId } from "./peerId.ts";
import type { Transport } from "./transport.ts";

/*
 * Keeps connections that we chose ourselves. Configured addresses (validators, bootstrap nodes,
 * anchors) are dialled for ever; discovered ones until enough peers are connected outward. Pauses
 * double up to a bound and are spread by dice, so that a restarted network does not dial in step.
 */

type Candidate = {
  readonly address: string;
  /** `null` if the address does not name its peer; then it is known after the first dial. */
  peer: PeerId | null;
  readonly configured: boolean;
  failures: number;
  nextMs: number;
  dialling: boolean;
};

/** What the dialler asks of the network. */
export type DialerView = {
  readonly isConnected: (peer: PeerId) => boolean;
  readonly isBanned: (peer: PeerId) => boolean;
  readonly outboundCount: () => number;
};

/** What is handed in: time, dice, where to tell. */
export type DialerTools = {
  readonly clock: Clock;
  /** Between 0 and 1. */
  readonly random: () => number;
  readonly observe: Observe;
};

/** Dials what is configured and what was discovered. */
export class Dialer {
  readonly #transport: Transport;
  readonly #view: DialerView;
  readonly #tools: DialerTools;
  readonly #candidates = new Map<string, Candidate>();
  readonly #stopped = new AbortController();
  #cancelTick: (() => void) | null = null;
  #dials = 0;

  constructor(transport: Transport, view: DialerView, tools: DialerTools) {
    this.#transport = transport;
    this.#view = view;
    this.#tools = tools;
  }

  /** Addresses known. */
  get size(): number {
    return this.#candidates.size;
  }

  /** Adds addresses; an address that names ourselves is left out. */
  add(addresses: readonly string[], kind: "configured" | "discovered"): void {
    for (const address of addresses) {
      const peer = this.#transport.peerOf(address);
      if (peer === this.#transport.self || this.#candidates.has(address)) continue;
      if (kind === "discovered" && (peer === null || !this.#makeRoom())) continue;
      this.#candidates.set(address, {
        address,
        peer,
        configured: kind === "configured",
        failures: 0,
        nextMs: 0,
        dialling: false,
      });
    }
  }

  /** Starts dialling, and goes on until `stop`. */
  start(): void {
    if (this.#cancelTick !== null || this.#stopped.signal.aborted) return;
    this.#tick();
  }

  /** Ends every dial. */
  stop(): void {
    this.#cancelTick?.();
    this.#cancelTick = null;
    this.#stopped.abort();
  }

  /** Discovered addresses leave in the order they came, unless they are in use. */
  #makeRoom(): boolean {
    if (this.#candidates.size < addressesMax) return true;
    for (const [address, { configured, peer, dialling }] of this.#candidates) {
      const inUse = configured || dialling || (peer !== null && this.#view.isConnected(peer));
      if (inUse) continue;
      this.#candidates.delete(address);
      return true;
    }
    return false;
  }

  #tick(): void {
    const nowMs = this.#tools.clock.now();
    const busy = new Set<PeerId>();
    for (const candidate of this.#candidates.values())
      if (candidate.dialling && candidate.peer !== null) busy.add(candidate.peer);
    for (const candidate of this.#candidates.values()) {
      if (this.#dials >= dialsMax) break;
      if (candidate.dialling || candidate.nextMs > nowMs) continue;
      if (!this.#wants(candidate) || (candidate.peer !== null && busy.has(candidate.peer)))
        continue;
      if (candidate.peer !== null) busy.add(candidate.peer);
      void this.#dial(candidate);
    }
    this.#cancelTick = this.#tools.clock.after(dialTickMs, () => this.#tick());
  }

  #wants({ peer, configured }: Candidate): boolean {
    const { isConnected, isBanned, outboundCount } = this.#view;
    if (peer !== null && (isConnected(peer) || isBanned(peer))) return false;
    return configured || outboundCount() + this.#dials < outboundPeersTarget;
  }

  async #dial(candidate: Candidate): Promise<void> {
    const { clock, random, observe } = this.#tools;
    candidate.dialling = true;
    this.#dials += 1;
    const deadline = createDeadline(clock, dialMsMax, this.#stopped.signal);
    try {
      candidate.peer = await this.#transport.dial(candidate.address, deadline.signal);
      candidate.failures = 0;
    } catch (error) {
      candidate.failures += 1;
      if (!this.#stopped.signal.aborted)
        observe({ type: "dialFailed", address: candidate.address, error });
    } finally {
      deadline.cancel();
      candidate.dialling = false;
      this.#dials -= 1;
      // After a success too: a peer that hangs up on us at once is not dialled in a loop.
      const pauseMs = Math.min(redialMsMax, redialMsMin * 2 ** candidate.failures);
      candidate.nextMs = clock.now() + pauseMs * (0.5 + random());
    }
  }
}

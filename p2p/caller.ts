import { accept, refuse } from "../base/outcome.ts";
import type { Outcome } from "../base/outcome.ts";
import { Channel, frameToWire } from "./channel.ts";
import type { ChannelEnd } from "./channel.ts";
import { createDeadline } from "./clock.ts";
import type { Clock } from "./clock.ts";
import { frameKinds } from "./envelope.ts";
import type { Frame } from "./envelope.ts";
import type { PeerGate } from "./events.ts";
import { openMsMax, queueBytesMax, queueFramesMax, requestsInFlightMax } from "./limits.ts";
import type { PeerId } from "./peerId.ts";
import type { ProtocolOptions, RequestOptions, RequestRefusal, SendRefusal } from "./protocols.ts";
import type { ByteStream } from "./transport.ts";

/** What both sides of a protocol know. */
export type ProtocolSurroundings = {
  readonly name: string;
  readonly gate: PeerGate;
  readonly clock: Clock;
};

/** Codes of refusal frames. */
export const declineCodes = { busy: 1, ignored: 2, rejected: 3 } as const;

type Reason = keyof typeof declineCodes;

type Answer = Outcome<Uint8Array, RequestRefusal>;

type Line = {
  readonly channel: Channel;
  readonly pending: Map<number, (answer: Answer) => void>;
  nextId: number;
};

function reasonOf(code: number): Reason | null {
  if (code === declineCodes.busy) return "busy";
  if (code === declineCodes.ignored) return "ignored";
  return code === declineCodes.rejected ? "rejected" : null;
}

/** The asking side of a protocol: one line to each peer, opened on demand. */
export class Caller<Q, R> {
  readonly #around: ProtocolSurroundings;
  readonly #options: ProtocolOptions<Q, R>;
  readonly #open: (peer: PeerId, signal: AbortSignal) => Promise<ByteStream>;
  readonly #lines = new Map<PeerId, Line>();

  constructor(
    around: ProtocolSurroundings,
    options: ProtocolOptions<Q, R>,
    open: (peer: PeerId, signal: AbortSignal) => Promise<ByteStream>,
  ) {
    this.#around = around;
    this.#options = options;
    this.#open = open;
  }

  encodeOneWay(message: Q): Outcome<Uint8Array, SendRefusal> {
    return this.#encode(message, frameKinds.oneWay, 0);
  }

  /** Queues a whole frame; `null` if it was. */
  sendWire(peer: PeerId, wire: Uint8Array): SendRefusal | null {
    const { name, gate } = this.#around;
    if (!gate.isReady(peer)) return { code: "notConnected", peer };
    if (this.#line(peer).channel.send(wire)) return null;
    gate.observe({ type: "messageDropped", name, reason: "queueFull", peer });
    return { code: "queueFull", peer };
  }

  async request(
    peer: PeerId,
    request: Q,
    options: RequestOptions,
  ): Promise<Outcome<R, RequestRefusal>> {
    const { gate } = this.#around;
    if (options.signal?.aborted === true) return refuse({ code: "aborted" });
    if (!gate.isReady(peer)) return refuse({ code: "notConnected", peer });
    const line = this.#line(peer);
    if (line.pending.size >= requestsInFlightMax) return refuse({ code: "queueFull", peer });
    const id = line.nextId;
    const wire = this.#encode(request, frameKinds.request, id);
    if (!wire.ok) return wire;
    if (!line.channel.send(wire.value)) return refuse({ code: "queueFull", peer });
    line.nextId += 1;
    const answer = await this.#answer(peer, { line, id }, options);
    if (!answer.ok) return answer;
    const response = this.#options.response.decode(answer.value);
    if (response.ok) return response;
    const fault = response.refusal.code;
    gate.report(peer, "malformed", `${this.#around.name}: response ${fault}`);
    return refuse({ code: "malformed", fault });
  }

  queuedBytes(peer: PeerId): number {
    return this.#lines.get(peer)?.channel.queuedBytes ?? 0;
  }

  drop(peer: PeerId): void {
    this.#lines.get(peer)?.channel.end("closed");
  }

  close(): void {
    for (const { channel } of this.#lines.values()) channel.end("closed");
  }

  #encode(message: Q, kind: number, id: number): Outcome<Uint8Array, SendRefusal> {
    const body = this.#options.request.encode(message);
    const limit = this.#options.requestBytesMax;
    if (body.length > limit) return refuse({ code: "tooLong", got: body.length, limit });
    return accept(frameToWire({ kind, id, code: 0, body }));
  }

  async #answer(
    peer: PeerId,
    { line, id }: { readonly line: Line; readonly id: number },
    options: RequestOptions,
  ): Promise<Answer> {
    const { name, gate, clock } = this.#around;
    const timeoutMs = Math.min(this.#options.timeoutMs, options.timeoutMs ?? Infinity);
    const deadline = createDeadline(clock, timeoutMs, options.signal);
    const answer = await new Promise<Answer>((resolve) => {
      line.pending.set(id, resolve);
      deadline.signal.addEventListener("abort", () => {
        resolve(refuse(deadline.expired() ? { code: "timedOut", timeoutMs } : { code: "aborted" }));
      });
    });
    deadline.cancel();
    line.pending.delete(id);
    if (!answer.ok && answer.refusal.code === "timedOut") gate.report(peer, "timedOut", name);
    return answer;
  }

  #line(peer: PeerId): Line {
    const known = this.#lines.get(peer);
    if (known !== undefined) return known;
    const limits = { bodyBytesMax: this.#options.responseBytesMax, queueBytesMax, queueFramesMax };
    const channel: Channel = new Channel(this.#around.clock, limits, {
      frame: (frame) => {
        this.#onFrame(peer, line, frame);
        return null;
      },
      ended: (end) => this.#onEnd(peer, line, end),
    });
    const line: Line = { channel, pending: new Map(), nextId: 1 };
    this.#lines.set(peer, line);
    void this.#connect(peer, channel);
    return line;
  }

  async #connect(peer: PeerId, channel: Channel): Promise<void> {
    const deadline = createDeadline(this.#around.clock, openMsMax, channel.over);
    try {
      channel.attach(await this.#open(peer, deadline.signal));
    } catch {
      channel.end("reset"); // Whoever waits is told that the peer is not there.
    } finally {
      deadline.cancel();
    }
  }

  #onFrame(peer: PeerId, line: Line, frame: Frame): void {
    const { name, gate } = this.#around;
    const answer = this.#answerOf(frame);
    if (answer === null || frame.id === 0 || frame.id >= line.nextId) {
      gate.report(peer, "unsolicited", `${name}: frame ${frame.kind} for ${frame.id}`);
      line.channel.end("reset");
      return;
    }
    line.pending.get(frame.id)?.(answer); // None waits: it came too late.
  }

  #answerOf({ kind, code, body }: Frame): Answer | null {
    if (kind === frameKinds.response && code === 0) return accept(body);
    const reason = kind === frameKinds.refusal ? reasonOf(code) : null;
    return reason === null ? null : refuse({ code: "declined", reason });
  }

  #onEnd(peer: PeerId, line: Line, end: ChannelEnd): void {
    if (this.#lines.get(peer) === line) this.#lines.delete(peer);
    for (const resolve of line.pending.values()) resolve(refuse({ code: "disconnected", peer }));
    reportEnd(this.#around, peer, end);
  }
}

/** Charges a peer for how its stream ended. */
export function reportEnd(
  { name, gate }: ProtocolSurroundings,
  peer: PeerId,
  end: ChannelEnd,
): void {
  switch (end) {
    case "oversize":
    case "malformed":
      gate.report(peer, end, name);
      break;
    case "stalled":
    case "unfinished":
      gate.report(peer, "slow", `${name}: ${end}`);
      break;
    case "closed":
    case "reset":
      break; // Links break; that is nobody's fault.
  }
}

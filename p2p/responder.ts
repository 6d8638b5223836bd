import { emptyBytes } from "../base/bytes.ts";
import { declineCodes, reportEnd } from "./caller.ts";
import type { ProtocolSurroundings } from "./caller.ts";
import { Channel, frameToWire } from "./channel.ts";
import { createDeadline, pause } from "./clock.ts";
import { frameKinds } from "./envelope.ts";
import type { Frame } from "./envelope.ts";
import { holdMsMax, inboundStreamsMax, queueBytesMax, queueFramesMax } from "./limits.ts";
import type { PeerId } from "./peerId.ts";
import type { ProtocolOptions, Served } from "./protocols.ts";
import { RateLimiter } from "./rate.ts";
import type { ByteStream } from "./transport.ts";

type Line = {
  readonly channel: Channel;
  /** Handlers that run for frames of this line. */
  running: number;
  /** Waits for a handler to end. */
  onSpare: (() => void) | null;
};

/** The answering side of a protocol: reads no faster than it may and can. */
export class Responder<Q, R> {
  readonly #around: ProtocolSurroundings;
  readonly #options: ProtocolOptions<Q, R>;
  readonly #limiter: RateLimiter;
  readonly #lines = new Map<PeerId, readonly Line[]>();
  #closed = false;

  constructor(around: ProtocolSurroundings, options: ProtocolOptions<Q, R>) {
    this.#around = around;
    this.#options = options;
    this.#limiter = new RateLimiter(around.clock, options.rate);
  }

  /** A peer opened a stream. */
  attach(peer: PeerId, stream: ByteStream): void {
    if (this.#closed) {
      stream.abort();
      return;
    }
    const limits = { bodyBytesMax: this.#options.requestBytesMax, queueBytesMax, queueFramesMax };
    const channel: Channel = new Channel(this.#around.clock, limits, {
      frame: (frame) => this.#onFrame(peer, line, frame),
      ended: (end) => {
        this.#forget(peer, line);
        reportEnd(this.#around, peer, end);
      },
    });
    const line: Line = { channel, running: 0, onSpare: null };
    const others = this.#lines.get(peer) ?? [];
    if (others.length >= inboundStreamsMax) others[0]?.channel.end("reset");
    this.#lines.set(peer, [...(this.#lines.get(peer) ?? []), line]);
    channel.attach(stream);
  }

  drop(peer: PeerId): void {
    for (const { channel } of this.#lines.get(peer) ?? []) channel.end("closed");
  }

  close(): void {
    this.#closed = true;
    for (const peer of this.#lines.keys()) this.drop(peer);
  }

  #forget(peer: PeerId, line: Line): void {
    line.onSpare?.();
    const rest = (this.#lines.get(peer) ?? []).filter((other) => other !== line);
    if (rest.length === 0) this.#lines.delete(peer);
    else this.#lines.set(peer, rest);
  }

  #onFrame(peer: PeerId, line: Line, frame: Frame): Promise<void> | null {
    const { name, gate } = this.#around;
    const oneWay = frame.kind === frameKinds.oneWay && frame.id === 0;
    const request = frame.kind === frameKinds.request && frame.id > 0;
    if ((!oneWay && !request) || frame.code !== 0) {
      gate.report(peer, "malformed", `${name}: frame ${frame.kind} with ${frame.id}`);
      line.channel.end("reset");
      return null;
    }
    if (!gate.isReady(peer)) return this.#onFrameLater(peer, line, frame);
    if (!this.#limiter.take(peer)) return this.#holdBack(peer, line, frame);
    return this.#serve(peer, line, frame);
  }

  /** The other side may have finished its half of the handshake before we have ours. */
  async #onFrameLater(peer: PeerId, line: Line, frame: Frame): Promise<void> {
    if (await this.#around.gate.ready(peer)) await this.#onFrame(peer, line, frame);
    else line.channel.end("reset");
  }

  async #holdBack(peer: PeerId, line: Line, frame: Frame): Promise<void> {
    const { name, gate, clock } = this.#around;
    const waitMs = this.#limiter.waitMs(peer);
    if (waitMs > holdMsMax) {
      gate.report(peer, "flood", name);
      gate.observe({ type: "messageDropped", name, reason: "rate", peer });
      this.#decline(line, frame, "busy");
      return;
    }
    await pause(clock, waitMs, line.channel.over);
    if (!line.channel.over.aborted) await this.#onFrame(peer, line, frame);
  }

  #decline(line: Line, { id }: Frame, reason: keyof typeof declineCodes): void {
    if (id === 0) return;
    const code = declineCodes[reason];
    line.channel.send(frameToWire({ kind: frameKinds.refusal, id, code, body: emptyBytes }));
  }

  #serve(peer: PeerId, line: Line, frame: Frame): Promise<void> | null {
    const request = this.#options.request.decode(frame.body);
    if (!request.ok) {
      this.#around.gate.report(
        peer,
        "malformed",
        `${this.#around.name}: request ${request.refusal.code}`,
      );
      this.#decline(line, frame, "rejected");
      return null;
    }
    try {
      const served = this.#handle(peer, { line, frame }, request.value);
      if (served instanceof Promise) return this.#run(peer, { line, frame }, served);
      this.#respond(peer, { line, frame }, served);
    } catch (error) {
      this.#onThrown(line, frame, error);
    }
    return null;
  }

  /** A one-way message has nobody who waits: only the end of its stream stops its handler. */
  #handle(
    peer: PeerId,
    { line, frame }: { readonly line: Line; readonly frame: Frame },
    request: Q,
  ): Served<R> | Promise<Served<R>> {
    const { over } = line.channel;
    if (frame.id === 0) return this.#options.handle(request, { peer, signal: over });
    const deadline = createDeadline(this.#around.clock, this.#options.timeoutMs, over);
    let served: Served<R> | Promise<Served<R>> | null = null;
    try {
      served = this.#options.handle(request, { peer, signal: deadline.signal });
      return served;
    } finally {
      if (served instanceof Promise) void served.then(deadline.cancel, deadline.cancel);
      else deadline.cancel();
    }
  }

  /** Lets a handler run, and holds the stream while as many run as may. */
  #run(
    peer: PeerId,
    { line, frame }: { readonly line: Line; readonly frame: Frame },
    served: Promise<Served<R>>,
  ): Promise<void> | null {
    line.running += 1;
    const done = (): void => {
      line.running -= 1;
      line.onSpare?.();
    };
    void served
      .then(
        (value) => this.#respond(peer, { line, frame }, value),
        (error: unknown) => this.#onThrown(line, frame, error),
      )
      .finally(done);
    if (line.running < this.#options.concurrencyMax) return null;
    return new Promise((resolve) => {
      line.onSpare = (): void => {
        line.onSpare = null;
        resolve();
      };
    });
  }

  #respond(
    peer: PeerId,
    { line, frame }: { readonly line: Line; readonly frame: Frame },
    served: Served<R>,
  ): void {
    const { name, gate } = this.#around;
    switch (served.verdict) {
      case "accept":
        this.#answer(line, frame, served.response);
        break;
      case "ignore":
        this.#decline(line, frame, "ignored");
        break;
      case "reject":
        gate.report(peer, "rejected", `${name}: ${served.reason}`);
        this.#decline(line, frame, "rejected");
        break;
    }
  }

  #answer(line: Line, { id }: Frame, response: R): void {
    if (id === 0) return;
    const body = this.#options.response.encode(response);
    const limit = this.#options.responseBytesMax;
    if (body.length > limit) {
      const error = new RangeError(`a response of ${body.length} bytes is over ${limit}`);
      this.#around.gate.observe({ type: "handlerThrew", name: this.#around.name, error });
      return;
    }
    // A full queue drops the answer; the one who asked and does not read will time out.
    line.channel.send(frameToWire({ kind: frameKinds.response, id, code: 0, body }));
  }

  #onThrown(line: Line, frame: Frame, error: unknown): void {
    this.#around.gate.observe({ type: "handlerThrew", name: this.#around.name, error });
    this.#decline(line, frame, "ignored");
  }
}

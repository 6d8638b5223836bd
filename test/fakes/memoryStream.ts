import type { ByteStream, StreamListener } from "../../p2p/transport.ts";

/** Bytes under way in one direction before the sender has to wait; as Yamux begins. */
export const windowBytes = 256 * 1024;

/** Delivers something to the other side, at once or later, or never. */
export type Carry = (deliver: () => void) => void;

/** One end of a stream between two nodes in memory. */
export class MemoryStream implements ByteStream {
  readonly #carry: Carry;
  #other: MemoryStream | null = null;
  #listener: StreamListener | null = null;
  #inbox: Uint8Array[] = [];
  #paused = false;
  #over = false;
  /** What this end was told before it listened. */
  #endedClean: boolean | null = null;
  /** Bytes sent that the other end has not read. */
  #underWay = 0;
  #waiting = new Set<(open: boolean) => void>();

  constructor(carry: Carry) {
    this.#carry = carry;
  }

  /** Two ends of one stream; each carries what it sends in its own way. */
  static pair(there: Carry, back: Carry): readonly [MemoryStream, MemoryStream] {
    const near = new MemoryStream(there);
    const far = new MemoryStream(back);
    near.#other = far;
    far.#other = near;
    return [near, far];
  }

  listen(listener: StreamListener): void {
    this.#listener = listener;
    this.#flush();
    if (this.#endedClean !== null) listener.ended(this.#endedClean);
  }

  send(bytes: Uint8Array): boolean {
    if (this.#over) throw new Error("the stream has ended");
    this.#underWay += bytes.length;
    const copy = bytes.slice();
    const other = this.#other;
    this.#carry(() => other?.receive(copy));
    return this.#underWay < windowBytes;
  }

  drained(signal: AbortSignal): Promise<void> {
    if (this.#over) return Promise.reject(new Error("the stream has ended"));
    if (this.#underWay < windowBytes) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const done = (open: boolean): void => {
        this.#waiting.delete(done);
        signal.removeEventListener("abort", onAbort);
        if (open) resolve();
        else reject(new Error("the stream has ended"));
      };
      const onAbort = (): void => done(false);
      this.#waiting.add(done);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#flush();
  }

  close(): Promise<void> {
    this.#finish(true);
    return Promise.resolve();
  }

  abort(): void {
    this.#finish(false);
  }

  /** Bytes arrive. */
  receive(bytes: Uint8Array): void {
    if (this.#over) return;
    this.#inbox.push(bytes);
    this.#flush();
  }

  /** The other side has closed or cut it, or the link is gone. */
  endedByOther(clean: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#release(false);
    this.#endedClean = clean;
    this.#listener?.ended(clean);
  }

  #finish(clean: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#release(false);
    const other = this.#other;
    this.#carry(() => other?.endedByOther(clean));
  }

  #flush(): void {
    while (this.#listener !== null && !this.#paused) {
      const bytes = this.#inbox.shift();
      if (bytes === undefined) return;
      const other = this.#other;
      const { length } = bytes;
      this.#carry(() => other?.taken(length));
      this.#listener.data(bytes);
    }
  }

  /** The other end has read so much. */
  taken(length: number): void {
    this.#underWay -= length;
    if (this.#underWay < windowBytes) this.#release(true);
  }

  #release(open: boolean): void {
    for (const done of this.#waiting) done(open);
  }
}

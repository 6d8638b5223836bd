import { concatBytes } from "../../base/bytes.ts";
import type { IncrementChain } from "../../ledger/voucherIncrements.ts";
import type { SignedVoucher } from "../../ledger/voucher.ts";
import type { ByteStream, StreamOpener } from "./byteStream.ts";
import { chunkRange, isChunk, type Manifest, type Sha256 } from "./manifest.ts";
import type { Offer } from "./offer.ts";
import type { Payer, VoucherTerms } from "./payer.ts";
import type { PaidRange } from "./payerBook.ts";
import { costOf } from "./price.ts";
import { rangeName } from "./range.ts";
import type { Chunk, SourceRefusal } from "./source.ts";
import { encodeTopUp } from "./topUp.ts";
import { paymentHeader } from "./x402.ts";

/*
 * Chunks that follow each other, in one answer. The payer pays ahead for as many as his credit
 * allows, and for one more with each that came and is right; so whatever the server does, it was
 * paid for no more than came, and the credit.
 */

/** What streams take that a browser lacks. */
export type Streaming = {
  readonly open: StreamOpener;
  readonly sha256: Sha256;
  /** Steps of each hash chain; 0 signs a voucher for each chunk. */
  readonly increments: number;
};

/** What a run is made of. */
export type ChunkRunParts = {
  readonly url: string;
  readonly manifest: Manifest;
  readonly id: string;
  readonly offer: Offer;
  /** Header of the first payment. */
  readonly header: (voucher: SignedVoucher) => string;
  readonly payer: Payer;
  readonly creditBytes: number;
  readonly timeoutMs: number;
  readonly streaming: Streaming;
  /** TFuelWei signed for chunks that have not come, by index; kept by the caller from run to run. */
  readonly added: Map<number, bigint>;
  /** Keeps a chunk that is right; its bytes are others when this has resolved. */
  readonly keep: (chunk: Chunk) => Promise<void>;
  readonly signal: AbortSignal;
};

/** Payments into which the credit is divided: each costs both sides a record and a turn. */
const groupsPerCredit = 2;

/** Credits whose vouchers are signed before their turn. */
const creditsAhead = 4;

/** Vouchers that are signed before their turn at most, and how many of them together. */
const vouchersAheadMax = 1_024;
const vouchersTogether = 32;

/** How a run ended. */
export type RunEnd = {
  /** The first chunk that was not brought. */
  readonly next: number;
  /** The answer's status, where it was not 206. */
  readonly status: number | null;
  readonly refusal: SourceRefusal | null;
};

/** One run; it is over when `bring` resolves. */
export class ChunkRun {
  readonly #parts: ChunkRunParts;
  readonly #end: number;
  #stream: ByteStream | null = null;
  #terms: VoucherTerms | null = null;
  /** Most TFuelWei that the receiver may be owed out of the pool; `null` before one is chosen. */
  #exposureMax: bigint | null = null;
  #chain: IncrementChain | null = null;
  /** What the newest voucher comes to. */
  #amount = 0n;
  /** The next chunk to come, and the next to be paid for. */
  #next: number;
  #unpaid: number;
  /** Of chunks that are paid for and have not come. */
  readonly #ranges = new Map<number, PaidRange>();
  #isPaying = false;
  /** Chunks to come before there can be room for another payment. */
  #untilRoom = 0;
  /** The first chunk that will not be paid for; `null` while all will be. */
  #stopAt: number | null = null;
  #refusal: SourceRefusal | null = null;
  #failure: Error | null = null;

  /** For the chunks from `first` to before `end`. */
  constructor(parts: ChunkRunParts, first: number, end: number) {
    this.#parts = parts;
    this.#next = first;
    this.#unpaid = first;
    this.#end = end;
  }

  async bring(): Promise<RunEnd> {
    const { signal } = this.#parts;
    const stop = (): void => this.#stream?.close();
    signal.addEventListener("abort", stop);
    let isWhole = false;
    try {
      const stream = await this.#open();
      if (stream === null) return this.#ended(null);
      void this.#payOn();
      const { status, body } = await stream.answer;
      if (status !== 206) return this.#ended(status);
      await this.#read(body);
      isWhole = this.#next === this.#end;
    } catch (error) {
      if (!this.#isStopped()) this.#refusal ??= { code: "unreachable", detail: reasonOf(error) };
    } finally {
      signal.removeEventListener("abort", stop);
      // A connection on which nothing is left is used again.
      if (!isWhole) this.#stream?.close();
    }
    // The payer's own books cannot be written: no server's fault.
    if (this.#failure !== null) throw this.#failure;
    return this.#ended(null);
  }

  #ended(status: number | null): RunEnd {
    return { next: this.#next, status, refusal: this.#refusal };
  }

  /** A chunk's name is looked up several times on its way: one string, hashed once. */
  #rangeOf(index: number): PaidRange {
    const known = this.#ranges.get(index);
    if (known !== undefined) return known;
    const { manifest, id, offer } = this.#parts;
    const bytes = chunkRange(manifest, index);
    const range = rangeName(id, bytes);
    const paid = { range, cost: costOf(offer.price, bytes.end - bytes.start) };
    this.#ranges.set(index, paid);
    return paid;
  }

  /** Pays for the first chunk and sends the request; `null` if it was not paid. */
  async #open(): Promise<ByteStream | null> {
    const { payer, offer, manifest, url, header, timeoutMs } = this.#parts;
    const { payTo: target, resourceId } = offer;
    const first = this.#rangeOf(this.#next);
    const max = this.#credit();
    const unserved = payer.unserved(target) + (payer.isOwed(target, first.range) ? 0n : first.cost);
    if (unserved > max) {
      this.#refusal = { code: "creditExceeded", unserved, max };
      return null;
    }
    const payment = await payer.pay({ target, resourceId, ...first });
    if (!payment.ok) {
      this.#refusal = { code: "notPaid", refusal: payment.refusal };
      return null;
    }
    const { voucher, added } = payment.value;
    if (added > 0n) this.#parts.added.set(this.#next, added);
    const { amount, signature: _, ...terms } = voucher;
    this.#terms = terms;
    this.#amount = amount;
    const pool = payer.pools().find(({ sequence }) => sequence === terms.reserveSequence);
    this.#exposureMax = (pool?.collateral ?? 0n) / offer.exposureDivisor;
    this.#unpaid += 1;
    const { start } = chunkRange(manifest, this.#next);
    const { end } = chunkRange(manifest, this.#end - 1);
    const headers = { range: `bytes=${start}-${end - 1}`, [paymentHeader]: header(voucher) };
    this.#stream = this.#parts.streaming.open(`${url}?stream`, { headers, timeoutMs });
    return this.#stream;
  }

  /** No more than the receiver takes before it has settled: it would end the stream. */
  #credit(): bigint {
    const credit = costOf(this.#parts.offer.price, this.#parts.creditBytes);
    const most = this.#exposureMax;
    return most !== null && most < credit ? most : credit;
  }

  /** Pays for what the credit allows, a part of it at a time. */
  async #payOn(): Promise<void> {
    if (this.#isPaying || this.#stopAt !== null || this.#unpaid >= this.#end) return;
    this.#isPaying = true;
    try {
      for (let group = this.#nextGroup(); group > 0; group = this.#nextGroup())
        if (!(await this.#payFor(group))) break;
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#stream?.close();
    }
    this.#isPaying = false;
    if (this.#unpaid >= this.#end || this.#stopAt !== null) this.#stream?.end();
    if (this.#isStopped()) this.#stream?.close();
  }

  /** Whether all that was paid for came, and no more is paid for. */
  #isStopped(): boolean {
    return this.#stopAt !== null && this.#next >= this.#stopAt;
  }

  /** Chunks to be paid for now; 0 to wait for others to come, or to end where none will. */
  #nextGroup(): number {
    const { payer, offer, manifest } = this.#parts;
    const left = this.#end - this.#unpaid;
    if (left === 0) return 0;
    const cost = costOf(offer.price, manifest.chunkBytes);
    const max = this.#credit();
    const unserved = payer.unserved(offer.payTo);
    const room = Number((max - unserved) / cost);
    const coming = this.#unpaid - this.#next;
    // Of the credit, what nothing else takes that is owed.
    const group = Math.max(1, Math.min(left, Math.floor((room + coming) / groupsPerCredit)));
    if (room >= group) return group;
    if (coming === 0) {
      this.#stopAt = this.#unpaid;
      this.#refusal = { code: "creditExceeded", unserved, max };
    }
    this.#untilRoom = Math.min(group - room, coming);
    return 0;
  }

  /**
   * Has the next vouchers signed before the credit allows to send them. Not while another stream
   * pays the same receiver: it would take their amounts.
   */
  #prepare(terms: VoucherTerms, step: bigint): void {
    const ahead = Math.min(vouchersAheadMax, creditsAhead * Number(this.#credit() / step));
    const amounts = Array.from({ length: ahead }, (_, i) => this.#amount + step * BigInt(i + 1));
    // In parts: the first of them are asked for before the last are signed.
    for (let at = 0; at < ahead; at += vouchersTogether)
      this.#parts.payer.prepareAhead(terms, amounts.slice(at, at + vouchersTogether));
  }

  /** Whether it may go on. */
  async #payFor(count: number): Promise<boolean> {
    const { payer, offer, manifest, streaming } = this.#parts;
    const { payTo: target, resourceId } = offer;
    const first = this.#unpaid;
    const all = Array.from({ length: count }, (_, i) => this.#rangeOf(first + i));
    const ranges = all.filter(({ range }) => !payer.isOwed(target, range));
    this.#unpaid += count;
    if (ranges.length === 0) return true;
    const ahead = await payer.payAhead({ target, resourceId, ranges });
    if (!ahead.ok) {
      this.#stopAt = first;
      this.#refusal = { code: "notPaid", refusal: ahead.refusal };
      return false;
    }
    const { terms, amounts } = ahead.value;
    for (const [i, paid] of all.entries())
      if (ranges.includes(paid)) this.#parts.added.set(first + i, paid.cost);
    // Out of another pool: this server takes one voucher's terms, the rest is for the next run.
    if (!isSameTerms(terms, this.#terms)) {
      this.#stopAt = first;
      return false;
    }
    const step = costOf(offer.price, manifest.chunkBytes);
    // The last chunk of a file may be short: no step of a chain pays for it.
    const isStep = ({ cost }: PaidRange): boolean => streaming.increments > 0 && cost === step;
    const stepsEnd = ranges.filter(isStep).length;
    const steps = amounts.slice(0, stepsEnd).flatMap((amount) => this.#step(terms, amount, step));
    const signed = amounts.slice(stepsEnd);
    const signing = payer.signAhead(terms, signed);
    const before = (amounts[0] ?? 0n) - (ranges[0]?.cost ?? 0n);
    const isNext = before === this.#amount;
    this.#amount = amounts.at(-1) ?? this.#amount;
    if (isNext && streaming.increments === 0) this.#prepare(terms, step);
    const signatures = await signing;
    const vouchers = signatures.map((signature, i) =>
      encodeTopUp({ type: "voucher", amount: signed[i] ?? 0n, signature }),
    );
    this.#stream?.send(concatBytes(...steps, ...vouchers));
    return true;
  }

  /** The next step along a chain, which is begun where there is none. */
  #step(terms: VoucherTerms, amount: bigint, step: bigint): readonly Uint8Array[] {
    const { payer, streaming } = this.#parts;
    const begun: Uint8Array[] = [];
    if (this.#chain === null || this.#chain.left === 0) {
      const start = amount - step;
      this.#chain = payer.startChain(terms, start, step, streaming.increments);
      const { token: anchor, signature } = this.#chain;
      begun.push(encodeTopUp({ type: "chain", amount: start, step, anchor, signature }));
    }
    this.#chain.advance();
    return [...begun, encodeTopUp({ type: "token", token: this.#chain.token })];
  }

  /** Cuts the body into chunks and holds each against the hash list. */
  async #read(body: AsyncIterable<Uint8Array>): Promise<void> {
    let chunk = this.#chunkBuffer(new Uint8Array());
    let filled = 0;
    for await (const bytes of body) {
      for (let at = 0; at < bytes.length;) {
        if (this.#next === this.#end) throw new Error("the server sends more than was asked");
        const part = bytes.subarray(at, at + chunk.length - filled);
        chunk.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled < chunk.length) continue;
        if (!(await this.#onChunk(chunk))) return;
        chunk = this.#chunkBuffer(chunk);
        filled = 0;
      }
      if (this.#isStopped()) return;
    }
    if (this.#next < this.#end) throw new Error("the answer ends before its end");
  }

  /** For the next chunk: the one before is kept, so its bytes are used again. */
  #chunkBuffer(before: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    if (this.#next === this.#end) return before;
    const { start, end } = chunkRange(this.#parts.manifest, this.#next);
    return end - start === before.length ? before : new Uint8Array(end - start);
  }

  async #onChunk(bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const { manifest, streaming, payer, offer, keep } = this.#parts;
    const index = this.#next;
    if (!(await isChunk(manifest, index, bytes, streaming.sha256))) {
      this.#refusal = { code: "wrongBytes", index };
      return false;
    }
    const { range } = this.#rangeOf(index);
    payer.arrived(offer.payTo, range);
    this.#ranges.delete(index);
    this.#next += 1;
    // A server may give more than it was paid for.
    if (this.#unpaid < this.#next) this.#unpaid = this.#next;
    const added = this.#parts.added.get(index) ?? 0n;
    this.#parts.added.delete(index);
    if (this.#untilRoom > 0) this.#untilRoom -= 1;
    if (this.#untilRoom === 0) void this.#payOn();
    await keep({ index, bytes, added, range });
    return true;
  }
}

function isSameTerms(a: VoucherTerms, b: VoucherTerms | null): boolean {
  return (
    a.reserveSequence === b?.reserveSequence &&
    a.paymentSequence === b.paymentSequence &&
    a.resourceId === b.resourceId
  );
}

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 200);
}

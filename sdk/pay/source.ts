import { assert } from "../../base/assert.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import type { VoucherChain } from "../../ledger/voucher.ts";
import { ChunkRun, type RunEnd, type Streaming } from "./chunkRun.ts";
import { PayPeerError } from "./errors.ts";
import {
  chunkRange,
  isChunk,
  manifestBytesMax,
  manifestId,
  readManifest,
  type Manifest,
} from "./manifest.ts";
import { paymentHeaders, readOffer, type Offer } from "./offer.ts";
import type { Payer, PayerRefusal } from "./payer.ts";
import { costOf } from "./price.ts";
import { rangeName } from "./range.ts";
import { paymentHeader, requiredHeader } from "./x402.ts";

/*
 * One server of a file, as the one who pays sees it. Each chunk is one round trip with its voucher
 * attached; what comes is held against the hash list before anything more is paid.
 */

/** Why a source gave no chunk. */
export type SourceRefusal =
  | { readonly code: "unreachable"; readonly detail: string }
  | { readonly code: "wrongBytes"; readonly index: number }
  | { readonly code: "notServed"; readonly status: number; readonly detail: string }
  | { readonly code: "priceTooHigh"; readonly weiPerUnit: bigint; readonly max: bigint }
  | { readonly code: "creditExceeded"; readonly unserved: bigint; readonly max: bigint }
  | { readonly code: "notPaid"; readonly refusal: PayerRefusal };

/** What a source is made of. */
export type SourceParts = {
  readonly url: string;
  readonly payer: Payer;
  readonly chain: VoucherChain;
  /** Most TFuelWei per byte. */
  readonly weiPerByteMax: bigint;
  /** Bytes that may be paid for and not there yet. */
  readonly creditBytes: number;
  readonly timeoutMs: number;
  readonly fetch?: typeof fetch;
  /** Brings many chunks in one answer where the server can; without it each is one round trip. */
  readonly streaming?: Streaming;
};

/** A chunk that came and is right. */
export type Chunk = {
  readonly index: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** TFuelWei that were signed for it. */
  readonly added: bigint;
  readonly range: string;
};

/** A server of one file, its offer known. */
export class Source {
  readonly url: string;
  readonly manifest: Manifest;
  readonly id: string;
  #offer: Offer;
  #header: ReturnType<typeof paymentHeaders>;
  /** TFuelWei that runs signed for chunks which they did not bring, by index. */
  readonly #added = new Map<number, bigint>();
  /** The server was asked to stream and does not. */
  #isDeaf = false;
  readonly #parts: SourceParts;

  constructor(parts: SourceParts, offer: Offer, manifest: Manifest, id: string) {
    this.url = parts.url;
    this.manifest = manifest;
    this.id = id;
    this.#parts = parts;
    this.#offer = offer;
    this.#header = paymentHeaders(offer.requirements);
  }

  get offer(): Offer {
    return this.#offer;
  }

  /** TFuelWei that were paid here and brought nothing. */
  get unserved(): bigint {
    return this.#parts.payer.unserved(this.#offer.payTo);
  }

  /** Whether one request brings many chunks. */
  get isStreaming(): boolean {
    return this.#parts.streaming !== undefined && !this.#isDeaf;
  }

  /**
   * Pays for the chunks from `first` to before `end`, and brings them in order: in one answer, or
   * one by one. What came was kept, whatever is returned.
   */
  async run(
    first: number,
    end: number,
    options: { readonly keep: (chunk: Chunk) => Promise<void>; readonly signal: AbortSignal },
  ): Promise<SourceRefusal | null> {
    for (let next = first; next < end;) {
      if (this.isStreaming) {
        const from = next;
        const { payer } = this.#parts;
        const ended = await payer.stream(this.#offer.payTo, () => this.#stream(from, end, options));
        if (ended.refusal !== null) return ended.refusal;
        ({ next } = ended);
        if (ended.status === null) continue;
        if (ended.status === 404 || ended.status === 405) this.#isDeaf = true;
      }
      // Alone: a refusal of it says what is wrong, and may be met.
      const chunk = await this.chunk(next, options.signal);
      if (!chunk.ok) return chunk.refusal;
      await options.keep(chunk.value);
      next += 1;
    }
    return null;
  }

  /** Pays for a chunk and brings it. */
  async chunk(index: number, signal: AbortSignal): Promise<Outcome<Chunk, SourceRefusal>> {
    for (let attempt = 0; ; attempt += 1) {
      const asked = await this.#ask(index, signal);
      if (!asked.ok) return asked;
      const { response, added, range } = asked.value;
      if (response.status === 206) {
        const bytes = await bodyOf(response, chunkRange(this.manifest, index));
        if (!bytes.ok) return bytes;
        if (await isChunk(this.manifest, index, bytes.value, this.#parts.streaming?.sha256)) {
          this.#parts.payer.arrived(this.#offer.payTo, range);
          const before = this.#added.get(index) ?? 0n;
          this.#added.delete(index);
          return accept({ index, bytes: bytes.value, added: added + before, range });
        }
        return refuse({ code: "wrongBytes", index });
      }
      const again = await this.#onRefused(response, attempt);
      if (again !== null) return refuse(again);
    }
  }

  async #stream(
    first: number,
    end: number,
    options: { readonly keep: (chunk: Chunk) => Promise<void>; readonly signal: AbortSignal },
  ): Promise<RunEnd> {
    const { streaming, weiPerByteMax: max } = this.#parts;
    const { weiPerUnit } = this.#offer.price;
    options.signal.throwIfAborted();
    if (weiPerUnit > max) {
      return { next: first, status: null, refusal: { code: "priceTooHigh", weiPerUnit, max } };
    }
    assert(streaming !== undefined, "only who streams is asked to");
    const { manifest, id } = this;
    const added = this.#added;
    const known = { manifest, id, offer: this.#offer, header: this.#header, streaming, added };
    return new ChunkRun({ ...this.#parts, ...known, ...options }, first, end).bring();
  }

  async #ask(
    index: number,
    signal: AbortSignal,
  ): Promise<Outcome<{ response: Response; added: bigint; range: string }, SourceRefusal>> {
    const { payer, creditBytes, weiPerByteMax, timeoutMs } = this.#parts;
    const { payTo: target, resourceId, price } = this.#offer;
    const bytes = chunkRange(this.manifest, index);
    const range = rangeName(this.id, bytes);
    const cost = costOf(price, bytes.end - bytes.start);
    if (price.weiPerUnit > weiPerByteMax)
      return refuse({ code: "priceTooHigh", weiPerUnit: price.weiPerUnit, max: weiPerByteMax });
    const max = costOf(price, creditBytes);
    const unserved = payer.unserved(target) + (payer.isOwed(target, range) ? 0n : cost);
    if (unserved > max) return refuse({ code: "creditExceeded", unserved, max });
    const payment = await payer.pay({ target, resourceId, cost, range });
    if (!payment.ok) return refuse({ code: "notPaid", refusal: payment.refusal });
    const headers = {
      range: `bytes=${bytes.start}-${bytes.end - 1}`,
      [paymentHeader]: this.#header(payment.value.voucher),
    };
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const response = await get(this.#parts, this.url, { headers, signal: deadline });
    if (!response.ok) return response;
    return accept({ response: response.value, added: payment.value.added, range });
  }

  /**
   * A refusal may say that the price has changed, or show a voucher that this payer has forgotten:
   * then once more. `null` to ask again.
   */
  async #onRefused(response: Response, attempt: number): Promise<SourceRefusal | null> {
    const { status } = response;
    const header = response.headers.get(requiredHeader);
    await response.body?.cancel();
    if (header === null) return { code: "notServed", status, detail: response.statusText };
    const offer = readOffer(header, this.#parts.chain);
    if (!offer.ok) return { code: "notServed", status, detail: offer.refusal };
    const { shown, reason, price } = offer.value;
    const isAdopted = shown !== null && (await this.#parts.payer.adopt(shown));
    const isDearer = price.weiPerUnit !== this.#offer.price.weiPerUnit;
    if ((!isAdopted && !isDearer) || attempt > 0)
      return { code: "notServed", status, detail: reason };
    if (offer.value.payTo !== this.#offer.payTo)
      return { code: "notServed", status, detail: "the server wants to be paid elsewhere" };
    this.#offer = offer.value;
    this.#header = paymentHeaders(offer.value.requirements);
    return null;
  }
}

/** Asks a server what a file costs and consists of; `id` is what the file must be, if known. */
export async function openSource(
  parts: SourceParts,
  expected: { readonly id: string | null; readonly signal: AbortSignal },
): Promise<Source> {
  const deadline = AbortSignal.any([expected.signal, AbortSignal.timeout(parts.timeoutMs)]);
  const first = await need(parts, parts.url, {
    headers: { range: "bytes=0-0" },
    signal: deadline,
  });
  await first.body?.cancel();
  const header = first.headers.get(requiredHeader);
  if (header === null) {
    throw new PayPeerError("E_NO_OFFER", `${parts.url} answers ${first.status} and no price`);
  }
  const offer = readOffer(header, parts.chain);
  if (!offer.ok) throw new PayPeerError("E_NO_OFFER", `${parts.url}: ${offer.refusal}`);
  const answer = await need(parts, `${parts.url}?manifest`, { signal: deadline });
  const manifest = readManifest(await jsonOf(answer));
  if (!manifest.ok)
    throw new PayPeerError("E_BAD_MANIFEST", `the hash list of ${parts.url}: ${manifest.refusal}`);
  const id = await manifestId(manifest.value);
  if (expected.id !== null && id !== expected.id)
    throw new PayPeerError("E_OTHER_FILE", `${parts.url} has another file: ${id}`, {
      hint: `expected ${expected.id}`,
    });
  return new Source(parts, offer.value, manifest.value, id);
}

async function need(parts: SourceParts, url: string, init: RequestInit): Promise<Response> {
  const response = await get(parts, url, init);
  if (response.ok) return response.value;
  const { code, detail } = response.refusal;
  throw new PayPeerError("E_SOURCE_UNREACHABLE", `${url}: ${code}: ${detail}`);
}

async function get(
  parts: SourceParts,
  url: string,
  init: RequestInit,
): Promise<Outcome<Response, Extract<SourceRefusal, { code: "unreachable" }>>> {
  try {
    return accept(await (parts.fetch ?? fetch)(url, init));
  } catch (error) {
    return refuse({ code: "unreachable", detail: reasonOf(error) });
  }
}

/** The body of a range, exactly as long as was asked: nothing longer is read. */
async function bodyOf(
  response: Response,
  { start, end }: { readonly start: number; readonly end: number },
): Promise<Outcome<Uint8Array<ArrayBuffer>, SourceRefusal>> {
  if (response.headers.get("content-length") !== `${end - start}`) {
    await response.body?.cancel();
    return refuse({ code: "notServed", status: 206, detail: "another length" });
  }
  try {
    return accept(new Uint8Array(await response.arrayBuffer()));
  } catch (error) {
    return refuse({ code: "unreachable", detail: reasonOf(error) });
  }
}

async function jsonOf(response: Response): Promise<unknown> {
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  if (!response.ok || !(length <= manifestBytesMax)) {
    await response.body?.cancel();
    return null;
  }
  try {
    return (await response.json()) as unknown;
  } catch {
    return null;
  }
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message.slice(0, 200) : String(cause).slice(0, 200);
}

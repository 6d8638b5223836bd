import { PayPeerError } from "./errors.ts";
import { chunkCount, chunkRange } from "./manifest.ts";
import { rangeName, readRangeName } from "./range.ts";
import type { Payer } from "./payer.ts";
import type { Chunk, Source, SourceRefusal } from "./source.ts";

/*
 * One file from several servers at once. Each takes the next chunk that is missing as fast as it
 * serves; one that fails is left, and its chunks go to the others. What a failing server was paid
 * and did not serve is at most its credit window.
 */

/** Where a file is put together. */
export interface FileSink {
  /** Whether the chunk is there already, from an earlier run. */
  has(index: number): boolean;
  write(index: number, bytes: Uint8Array): Promise<void>;
  /** Resolves when all that was written would survive a power cut. */
  sync(): Promise<void>;
}

/** What a server has done so far. */
export type SourceReport = {
  readonly url: string;
  readonly bytes: number;
  readonly chunks: number;
  /** TFuelWei signed for it in this run. */
  readonly spent: bigint;
  /** TFuelWei that were paid and brought nothing. */
  readonly lost: bigint;
  /** Why it was left; `null` while it serves. */
  readonly failure: SourceRefusal | null;
};

/** What a download is made of. */
export type DownloadParts = {
  readonly payer: Payer;
  /** All of one file. */
  readonly sources: readonly Source[];
  readonly sink: FileSink;
  /** Requests that one server has at a time. */
  readonly window: number;
  readonly signal: AbortSignal;
  readonly onChunk?: (source: Source, chunk: Chunk) => void;
};

/** Chunks after which the sink is synced and the payer may forget that they are owed. */
const syncEveryChunks = 32;

/** Chunks of one run, at least unless fewer are missing, and at most. */
const runChunksMin = 16;
const runChunksMax = 1_024;

type Worked = {
  readonly source: Source;
  bytes: number;
  chunks: number;
  spent: bigint;
  failure: SourceRefusal | null;
  /** Written and not yet synced. */
  fresh: string[];
};

/** Brings a file; what each server did. Throws when no server is left and something is missing. */
export async function download(parts: DownloadParts): Promise<readonly SourceReport[]> {
  const [first] = parts.sources;
  if (first === undefined) throw new PayPeerError("E_NO_SOURCE", "there is no server to ask");
  const run = new Run(parts, first);
  await run.work();
  return run.reports();
}

class Run {
  readonly #parts: DownloadParts;
  readonly #works: readonly Worked[];
  /** Chunks that nobody brings yet, ascending from the end. */
  readonly #missing: number[] = [];
  #inFlight = 0;
  #wake: (() => void)[] = [];

  constructor(parts: DownloadParts, first: Source) {
    this.#parts = parts;
    this.#works = parts.sources.map((source) => {
      return { source, bytes: 0, chunks: 0, spent: 0n, failure: null, fresh: [] };
    });
    const owed = this.#owedChunks(first);
    const rank = (index: number): number => (owed.has(index) ? 1 : 0);
    for (let index = chunkCount(first.manifest) - 1; index >= 0; index -= 1)
      if (!parts.sink.has(index)) this.#missing.push(index);
    // What is paid for already goes first: it is at the end, from which chunks are taken.
    this.#missing.sort((a, b) => (rank(a) === rank(b) ? b - a : rank(a) - rank(b)));
  }

  async work(): Promise<void> {
    const { window, signal } = this.#parts;
    await this.#keepPresent();
    const workers = this.#works.flatMap((work) => {
      const lanes = work.source.isStreaming ? 1 : window;
      return Array.from({ length: lanes }, () => this.#serve(work));
    });
    const ended = await Promise.allSettled(workers);
    for (const work of this.#works) await this.#flush(work);
    for (const one of ended) if (one.status === "rejected") throw one.reason;
    signal.throwIfAborted();
    if (this.#missing.length > 0) throw this.#stuck();
    // What is still owed is never asked for again: the file is complete.
    for (const { source } of this.#works) {
      const { payTo } = source.offer;
      this.#lost.set(source, source.unserved);
      await this.#parts.payer.served(payTo, this.#parts.payer.unservedRanges(payTo));
    }
  }

  readonly #lost = new Map<Source, bigint>();

  reports(): readonly SourceReport[] {
    return this.#works.map(({ source, bytes, chunks, spent, failure }) => {
      const lost = this.#lost.get(source) ?? source.unserved;
      return { url: source.url, bytes, chunks, spent, failure, lost };
    });
  }

  /** Chunks that some server was paid for in an earlier run and did not bring. */
  #owedChunks(first: Source): ReadonlySet<number> {
    const names = new Set(
      this.#works.flatMap(({ source }) => this.#parts.payer.unservedRanges(source.offer.payTo)),
    );
    const owed = new Set<number>();
    if (names.size === 0) return owed;
    for (let index = 0; index < chunkCount(first.manifest); index += 1)
      if (names.has(rangeName(first.id, chunkRange(first.manifest, index)))) owed.add(index);
    return owed;
  }

  /** What came in an earlier run that ended before it could say so. */
  async #keepPresent(): Promise<void> {
    const { payer, sink } = this.#parts;
    await sink.sync();
    for (const { source } of this.#works) {
      const { manifest, id, offer } = source;
      const present = payer.unservedRanges(offer.payTo).filter((name) => {
        const range = readRangeName(id, name);
        return range !== null && sink.has(Math.floor(range.start / manifest.chunkBytes));
      });
      await payer.served(offer.payTo, present);
    }
  }

  async #serve(work: Worked): Promise<void> {
    while (work.failure === null && !this.#parts.signal.aborted) {
      const run = this.#takeRun(work.source.isStreaming ? this.#runMax() : 1);
      if (run === null) {
        if (this.#inFlight === 0) return;
        // Another server may fail, and leave its chunks to this one.
        await new Promise<void>((resolve) => this.#wake.push(resolve));
        continue;
      }
      this.#inFlight += 1;
      let next = run.first;
      const keep = async (chunk: Chunk): Promise<void> => {
        await this.#keep(work, chunk);
        next = chunk.index + 1;
      };
      try {
        const { signal } = this.#parts;
        const failure = await work.source.run(run.first, run.end, { keep, signal });
        if (failure !== null) work.failure ??= failure;
      } finally {
        for (let index = run.end - 1; index >= next; index -= 1) this.#missing.push(index);
        this.#inFlight -= 1;
        for (const wake of this.#wake.splice(0)) wake();
      }
    }
  }

  /** Chunks of one run: fewer towards the end, so that no server has to be waited for. */
  #runMax(): number {
    const share = Math.ceil(this.#missing.length / (2 * this.#works.length));
    return Math.min(runChunksMax, Math.max(runChunksMin, share));
  }

  /** Takes chunks that follow each other; `null` if none are missing. */
  #takeRun(most: number): { readonly first: number; readonly end: number } | null {
    const first = this.#missing.pop();
    if (first === undefined) return null;
    let end = first + 1;
    while (end - first < most && this.#missing.at(-1) === end) {
      this.#missing.pop();
      end += 1;
    }
    return { first, end };
  }

  async #keep(work: Worked, chunk: Chunk): Promise<void> {
    await this.#parts.sink.write(chunk.index, chunk.bytes);
    work.bytes += chunk.bytes.length;
    work.chunks += 1;
    work.spent += chunk.added;
    work.fresh.push(chunk.range);
    this.#parts.onChunk?.(work.source, chunk);
    if (work.fresh.length >= syncEveryChunks) await this.#flush(work);
  }

  async #flush(work: Worked): Promise<void> {
    const { fresh } = work;
    if (fresh.length === 0) return;
    work.fresh = [];
    await this.#parts.sink.sync();
    await this.#parts.payer.served(work.source.offer.payTo, fresh);
  }

  #stuck(): PayPeerError {
    const reasons = this.#works.map(({ source, failure }) => {
      return `${source.url}: ${failure === null ? "idle" : describeSourceRefusal(failure)}`;
    });
    const lost = this.#works.reduce((sum, { source }) => sum + source.unserved, 0n);
    return new PayPeerError(
      "E_NO_SOURCE",
      `no server is left, ${this.#missing.length} chunks are missing (${reasons.join("; ")})`,
      { hint: `paid and not served: ${lost} wei; the same command goes on where this stopped` },
    );
  }
}

/** One sentence for people. */
export function describeSourceRefusal(refusal: SourceRefusal): string {
  switch (refusal.code) {
    case "unreachable":
      return `unreachable (${refusal.detail})`;
    case "wrongBytes":
      return `chunk ${refusal.index} is not what the hash list says`;
    case "notServed":
      return `not served (${refusal.status} ${refusal.detail})`;
    case "priceTooHigh":
      return `${refusal.weiPerUnit} wei per byte is above the limit of ${refusal.max}`;
    case "creditExceeded":
      return `takes money and serves nothing (${refusal.unserved} wei unserved)`;
    case "notPaid":
      return `not paid (${refusal.refusal.code})`;
  }
}

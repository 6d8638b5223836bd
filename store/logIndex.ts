import { assert } from "../base/assert.ts";
import type { Address, Digest } from "../base/brand.ts";
import { concatBytes, emptyBytes, equalBytes, hexToBytes } from "../base/bytes.ts";
import { CorruptionError } from "./failures.ts";
import type { KeyValueReader, KeyValueWrite } from "./keyValue.ts";
import { heightBytes, readHeight, tagRange } from "./keys.ts";
import { sealValue, unsealValue } from "./sealed.ts";

/*
 * Where logs are, so that a question about them costs as much as its answer has logs, whatever the
 * chain's length. One entry per block and term:
 *
 *   49 place term height     receipts of the block whose logs have the term
 *
 *   place 0: any log, no term; 1: the log's address; 2 to 5: its topics in order
 *
 * A value is pairs of varints, one pair per receipt in ascending order: the receipt's position less
 * the one before it, and the number of the receipt's first log less the one before it. The last
 * byte of a varint is below 128; the first byte has the lowest seven bits.
 */

const indexTag = 0x49;
const anyPlace = 0;
const addressPlace = 1;
const topicPlace = 2;

/** Topics of one log, at most. */
const topicsMax = 4;

/** What is indexed of a log. */
export type IndexedLog = { readonly address: Address; readonly topics: readonly Digest[] };

/** A receipt with logs that may fit. */
export type LogPlace = {
  readonly height: number;
  /** Position in the block; its jobs' receipt follows the transactions'. */
  readonly receipt: number;
  /** Number of the receipt's first log in the block. */
  readonly logFirst: number;
};

/** What logs must have to be looked at: one of these terms; `place` as above. */
export type LogTerms = { readonly place: number; readonly terms: readonly Uint8Array[] };

/** The terms of a filter: for each place that it restricts, what it accepts there. */
export function logTermsOf(filter: {
  readonly addresses: readonly Address[];
  readonly topics: readonly (readonly Digest[])[];
}): readonly LogTerms[] {
  const { addresses, topics } = filter;
  assert(topics.length <= topicsMax, "a log has at most four topics");
  return [
    { place: addressPlace, terms: addresses.map(hexToBytes) },
    ...topics.map((wanted, i) => ({ place: topicPlace + i, terms: wanted.map(hexToBytes) })),
  ].filter(({ terms }) => terms.length > 0);
}

/** What a recount of one block's entries found. */
export type LogIndexFaults = { readonly entries: number; readonly wrong: number };

/** Receipts that have a term, while they are collected: position and first log, in order. */
type Postings = { readonly key: Uint8Array; readonly values: number[]; last: LogStart };
type LogStart = { readonly receipt: number; readonly logFirst: number };

/** Writes that index a block's logs, for the batch that commits it. */
export function logIndexWrites(
  height: number,
  receipts: readonly (readonly IndexedLog[])[],
): KeyValueWrite[] {
  const found = new Map<string, Postings>();
  let logFirst = 0;
  for (const [receipt, logs] of receipts.entries()) {
    const start = { receipt, logFirst };
    for (const { address, topics } of logs) {
      assert(topics.length <= topicsMax, "a log has at most four topics");
      note(found, height, start, anyPlace, "0x");
      note(found, height, start, addressPlace, address);
      for (const [i, topic] of topics.entries()) {
        note(found, height, start, topicPlace + i, topic);
      }
    }
    logFirst += logs.length;
  }
  return [...found.values()].map(({ key, values }) => {
    return { type: "put", key, value: sealValue(key, encodeVarints(values)) };
  });
}

function note(
  found: Map<string, Postings>,
  height: number,
  start: LogStart,
  place: number,
  term: string,
): void {
  const name = `${place}${term}`;
  let postings = found.get(name);
  if (postings === undefined) {
    const key = termKey(place, hexToBytes(term), height);
    postings = { key, values: [], last: { receipt: -1, logFirst: 0 } };
    found.set(name, postings);
  }
  const { values, last } = postings;
  if (last.receipt === start.receipt) return;
  values.push(start.receipt - last.receipt, start.logFirst - last.logFirst);
  postings.last = start;
}

function termKey(place: number, term: Uint8Array, height: number): Uint8Array {
  return concatBytes(Uint8Array.of(indexTag, place), term, heightBytes(height));
}

function encodeVarints(values: readonly number[]): Uint8Array {
  const bytes: number[] = [];
  for (const value of values) {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
    bytes.push(rest);
  }
  return Uint8Array.from(bytes);
}

function decodeVarints(bytes: Uint8Array): number[] {
  const values: number[] = [];
  let value = 0;
  let unit = 1;
  for (const byte of bytes) {
    value += (byte % 128) * unit;
    unit *= 128;
    if (byte >= 128) continue;
    values.push(value);
    value = 0;
    unit = 1;
  }
  return values;
}

/** Heights whose entries are fetched at a time, and what a term is judged by. */
const probeHeights = 256;

/** Entries that one term has in a span of heights. */
type Probe = {
  readonly entries: readonly Entry[];
  /** Whether these are all. */
  readonly isWhole: boolean;
};
type Entry = readonly [key: Uint8Array, sealed: Uint8Array];

/** Reads where logs are. */
export class LogIndex {
  readonly #reader: KeyValueReader;

  constructor(reader: KeyValueReader) {
    this.#reader = reader;
  }

  /**
   * Places of logs that may fit, in ascending order: all that do are among them. Of the restricted
   * places the one whose terms are rarest is followed, so others must be compared by the caller.
   */
  async *places(
    wanted: readonly LogTerms[],
    span: { readonly from: number; readonly to: number },
  ): AsyncGenerator<LogPlace> {
    const groups = wanted.length === 0 ? [{ place: anyPlace, terms: [emptyBytes] }] : wanted;
    const rarest = groups.length === 1 ? groups[0] : await this.#rarest(groups, span);
    assert(rarest !== undefined, "there is something to follow");
    const size = 2 + (rarest.terms[0]?.length ?? 0);
    for await (const page of this.#pages(rarest, span)) {
      yield* mergedPlaces(page, size);
    }
  }

  /** The group that reaches furthest within one probe: its entries are furthest apart. */
  async #rarest(
    groups: readonly LogTerms[],
    span: { readonly from: number; readonly to: number },
  ): Promise<LogTerms | undefined> {
    let best: { readonly group: LogTerms; readonly count: number; readonly reach: number } | null =
      null;
    for (const group of groups) {
      let count = 0;
      let reach = span.to;
      for (const term of group.terms) {
        const { entries, isWhole } = await this.#probe(group.place, term, span);
        count += entries.length;
        const last = entries.at(-1);
        if (!isWhole && last !== undefined) {
          reach = Math.min(reach, readHeight(last[0], last[0].length - 8));
        }
        if (best !== null && reach < best.reach) break;
      }
      const isBetter =
        best === null || reach > best.reach || (reach === best.reach && count < best.count);
      if (isBetter) best = { group, count, reach };
      if (count === 0) break;
    }
    return best?.group;
  }

  async #probe(
    place: number,
    term: Uint8Array,
    span: { readonly from: number; readonly to: number },
  ): Promise<Probe> {
    const entries: Entry[] = [];
    const range = {
      from: termKey(place, term, span.from),
      to: termKey(place, term, span.to + 1),
      limit: probeHeights,
    };
    for await (const entry of this.#reader.range(range)) entries.push(entry);
    return { entries, isWhole: entries.length < probeHeights };
  }

  /** Entries of all terms of a group, in pages that begin where the one before ended. */
  async *#pages(
    { place, terms }: LogTerms,
    span: { readonly from: number; readonly to: number },
  ): AsyncGenerator<readonly Entry[]> {
    for (let from = span.from; from <= span.to;) {
      const page: Entry[] = [];
      let to = span.to;
      for (const term of terms) {
        const { entries, isWhole } = await this.#probe(place, term, { from, to });
        page.push(...entries);
        const last = entries.at(-1);
        // Further terms, and the next page, go on from where this one's probe ended.
        if (!isWhole && last !== undefined) to = readHeight(last[0], last[0].length - 8);
      }
      yield page.filter(([key]) => readHeight(key, key.length - 8) <= to);
      from = to + 1;
    }
  }

  /** Number of entries, for a recount. */
  async count(): Promise<number> {
    let count = 0;
    for await (const _ of this.#reader.range(tagRange(indexTag))) count += 1;
    return count;
  }

  /** How many entries a block's receipts ask for, and how many of these are not as they say. */
  faults(height: number, receipts: readonly (readonly IndexedLog[])[]): LogIndexFaults {
    const writes = logIndexWrites(height, receipts);
    const wrong = writes.filter((write) => {
      const stored = this.#reader.get(write.key);
      return write.type === "put" && (stored === null || !equalBytes(stored, write.value));
    });
    return { entries: writes.length, wrong: wrong.length };
  }
}

/** The places of a page's entries in order, each receipt once. */
function mergedPlaces(page: readonly Entry[], size: number): readonly LogPlace[] {
  const places: LogPlace[] = [];
  for (const [key, sealed] of page) {
    const height = readHeight(key, size);
    const values = decodeVarints(unsealValue(key, sealed));
    if (values.length % 2 !== 0) throw new CorruptionError("logs", "An index entry is malformed.");
    let receipt = -1;
    let logFirst = 0;
    for (let i = 0; i < values.length; i += 2) {
      receipt += values[i] ?? 0;
      logFirst += values[i + 1] ?? 0;
      places.push({ height, receipt, logFirst });
    }
  }
  places.sort((a, b) => (a.height === b.height ? a.receipt - b.receipt : a.height - b.height));
  return places.filter(({ height, receipt }, i) => {
    const before = places[i - 1];
    return before?.height !== height || before.receipt !== receipt;
  });
}

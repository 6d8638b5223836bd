import { assert } from "../base/assert.ts";
import { DigestMap } from "./digestMap.ts";
import type { KeyValueReader, KeyValueWrite } from "./keyValue.ts";
import { countKey, kindIndex, nodeKey, nodeKinds, type NodeKind } from "./keys.ts";
import { Presence } from "./presence.ts";

/*
 * Reference counts, one per stored node of a kind, in the store that holds the nodes and in the
 * batch that changes them. A count is the number of the node's stays: a stay is a maximal run of
 * neighbouring retained heights in which one place holds the node (difference.ts says what a
 * place is, docs/adr says why stays and not edges). A node without a stay is deleted.
 *
 * Nearly every count is one, so one is what a stored node without a record has.
 */

type Pending = { delta: number; bytes: Uint8Array | null };

/** The count of a stored node; 0 if it is not stored. */
export function readCount(reader: KeyValueReader, kind: NodeKind, hash: Uint8Array): number {
  return reader.get(nodeKey(kind, hash)) === null ? 0 : readRecord(reader, kind, hash);
}

function readRecord(reader: KeyValueReader, kind: NodeKind, hash: Uint8Array): number {
  const record = reader.get(countKey(kind, hash));
  return record === null ? 1 : decodeCount(record);
}

/** Reads the 4 bytes of a count record. */
export function decodeCount(bytes: Uint8Array): number {
  assert(bytes.length === 4, "a count has 4 bytes");
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
}

function encodeCount(count: number): Uint8Array {
  assert(count <= 0xffffffff, "a count fits 4 bytes");
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, count);
  return bytes;
}

/** What is known of a store's nodes and count records without reading them. */
export type Known = { readonly nodes: Presence; readonly counts: Presence };

/** Knowledge of a store that is empty, or that is still to be read through. */
export function createKnown(store: "empty" | "unread"): Known {
  const isComplete = store === "empty";
  return { nodes: new Presence({ isComplete }), counts: new Presence({ isComplete }) };
}

/** Stays that begin and end in one batch. */
export class ReferenceBatch {
  readonly #reader: KeyValueReader;
  readonly #known: Known;
  readonly #pending = new Map<NodeKind, DigestMap<Pending>>(
    nodeKinds.map((kind) => [kind, new DigestMap<Pending>()]),
  );

  /** `reader` is the store as it is before the batch; `known` goes along with `writes`. */
  constructor(reader: KeyValueReader, known: Known) {
    this.#reader = reader;
    this.#known = known;
  }

  /** A stay begins. Without `bytes` the node is already stored, or begins once more with bytes. */
  begin(kind: NodeKind, hash: Uint8Array, bytes: Uint8Array | null): void {
    const pending = this.#of(kind, hash);
    pending.delta += 1;
    pending.bytes ??= bytes;
  }

  /** A stay ends. */
  end(kind: NodeKind, hash: Uint8Array): void {
    this.#of(kind, hash).delta -= 1;
  }

  /** All nodes and counts that change. */
  writes(): KeyValueWrite[] {
    const writes: KeyValueWrite[] = [];
    for (const [kind, changes] of this.#pending) {
      for (const [hash, pending] of changes.entries()) {
        if (pending.delta !== 0) this.#write(writes, kind, hash, pending);
      }
    }
    return writes;
  }

  #of(kind: NodeKind, hash: Uint8Array): Pending {
    const changes = this.#pending.get(kind);
    assert(changes !== undefined, "every kind has its table");
    const found = changes.get(hash);
    if (found !== undefined) return found;
    const made: Pending = { delta: 0, bytes: null };
    changes.set(hash, made);
    return made;
  }

  #write(writes: KeyValueWrite[], kind: NodeKind, hash: Uint8Array, pending: Pending): void {
    const { nodes, counts } = this.#known;
    const index = kindIndex(kind);
    // A stay that ends was counted, so its node is there: the record alone is read.
    const isStored = pending.delta < 0 || this.#isStored(kind, hash);
    const hasRecord = isStored && counts.mayHold(index, hash);
    const old = hasRecord ? readRecord(this.#reader, kind, hash) : Number(isStored);
    const count = old + pending.delta;
    assert(count >= 0, "a reference count went below zero");
    if (count === 0) {
      writes.push({ type: "delete", key: nodeKey(kind, hash) });
      nodes.remove(index, hash);
    }
    if (old === 0) {
      assert(pending.bytes !== null, "a node is stored with its bytes");
      writes.push({ type: "put", key: nodeKey(kind, hash), value: pending.bytes });
      nodes.add(index, hash);
    }
    if (count >= 2) {
      writes.push({ type: "put", key: countKey(kind, hash), value: encodeCount(count) });
      if (old < 2) counts.add(index, hash);
    } else if (old >= 2) {
      writes.push({ type: "delete", key: countKey(kind, hash) });
      counts.remove(index, hash);
    }
  }

  #isStored(kind: NodeKind, hash: Uint8Array): boolean {
    if (!this.#known.nodes.mayHold(kindIndex(kind), hash)) return false;
    return this.#reader.get(nodeKey(kind, hash)) !== null;
  }
}

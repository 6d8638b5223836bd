import { assert } from "../base/assert.ts";
import { equalBytes } from "../base/bytes.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { keyToNibbles } from "./hexPrefix.ts";
import {
  branchChild,
  decodeNode,
  emptyTrieRoot,
  isHash,
  type TrieChild,
  type TrieNode,
} from "./nodes.ts";

/*
 * Merkle proofs as Ethereum has them (EIP-1186): the encoded nodes on a key's way, root first,
 * embedded ones inside their parents. Absence is proven by the node at which the way ends. This
 * file and what it imports run in a browser.
 */

/** Nodes in one proof: a key of 32 bytes has 64 nibbles. */
export const proofNodesMax = 65;

/** Why a proof does not hold. */
export type ProofRefusal =
  | { readonly code: "proofHashMismatch"; readonly index: number }
  | { readonly code: "proofMalformed"; readonly index: number }
  | { readonly code: "proofTooShort"; readonly nodes: number }
  | { readonly code: "proofTooLong"; readonly nodes: number };

type Way =
  | { readonly type: "end"; readonly value: Uint8Array | null }
  | { readonly type: "further"; readonly child: TrieChild; readonly depth: number };

/** One node further on a key's way. */
function follow(node: TrieNode, nibbles: Uint8Array, depth: number): Way {
  if (node.type === "branch") {
    if (depth === nibbles.length) return { type: "end", value: node.value };
    const child = branchChild(node, nibbles[depth] ?? 0);
    if (child === null) return { type: "end", value: null };
    return { type: "further", child, depth: depth + 1 };
  }
  const end = depth + node.path.length;
  if (end > nibbles.length || !equalBytes(node.path, nibbles.subarray(depth, end))) {
    return { type: "end", value: null };
  }
  if (node.type === "extension") return { type: "further", child: node.child, depth: end };
  return { type: "end", value: end === nibbles.length ? node.value : null };
}

/** The nodes that prove what a key has under a root, or that it has nothing. */
export function createProof(
  source: (hash: Uint8Array) => Uint8Array,
  root: Uint8Array,
  key: Uint8Array,
): Uint8Array[] {
  const proof: Uint8Array[] = [];
  if (equalBytes(root, emptyTrieRoot)) return proof;
  const nibbles = keyToNibbles(key);
  let child: TrieChild = root;
  let depth = 0;
  for (;;) {
    assert(child instanceof Uint8Array, "a stored node has finished children");
    const bytes: Uint8Array = isHash(child) ? source(child) : child;
    if (isHash(child)) proof.push(bytes);
    const node = decodeNode(bytes);
    assert(node !== null, "a stored node decodes");
    const way = follow(node, nibbles, depth);
    if (way.type === "end") return proof;
    child = way.child;
    depth = way.depth;
  }
}

/**
 * The value that a proof shows for a key under a trusted root; `null` if it shows that there is
 * none.
 */
export function verifyProof(
  root: Uint8Array,
  key: Uint8Array,
  proof: readonly Uint8Array[],
): Outcome<Uint8Array | null, ProofRefusal> {
  if (proof.length > proofNodesMax) return refuse({ code: "proofTooLong", nodes: proof.length });
  const nibbles = keyToNibbles(key);
  let used = 0;
  let child: TrieChild = root;
  let depth = 0;
  if (equalBytes(root, emptyTrieRoot)) return finish(null, 0, proof);
  for (;;) {
    let bytes: Uint8Array = new Uint8Array(0);
    if (isHash(child)) {
      const given = proof[used];
      if (given === undefined) return refuse({ code: "proofTooShort", nodes: proof.length });
      if (!equalBytes(keccak256(given), child)) {
        return refuse({ code: "proofHashMismatch", index: used });
      }
      used += 1;
      bytes = given;
    } else if (child instanceof Uint8Array) bytes = child;
    const node = decodeNode(bytes);
    if (node === null) return refuse({ code: "proofMalformed", index: used - 1 });
    const way = follow(node, nibbles, depth);
    if (way.type === "end") return finish(way.value, used, proof);
    child = way.child;
    depth = way.depth;
  }
}

/** Accepts a value if the proof holds no node that was not needed. */
function finish(
  value: Uint8Array | null,
  used: number,
  proof: readonly Uint8Array[],
): Outcome<Uint8Array | null, ProofRefusal> {
  if (used !== proof.length) return refuse({ code: "proofTooLong", nodes: proof.length });
  return accept(value);
}

import type { Digest } from "../base/brand.ts";
import { bytesToHex, textToBytes } from "../base/bytes.ts";
import { decodeRlp, encodeRlp, RlpReader } from "../base/rlp.ts";
import { encodeStatement } from "../base/statement.ts";
import { blsKeySize, blsSignatureSize } from "../consensus/codec.ts";
import type { Committee } from "../consensus/types.ts";
import { blsSign, blsVerify, parseBlsPublicKey } from "../crypto/bls.ts";
import type { PeerId } from "../p2p/peerId.ts";

/*
 * Which nodes speak for which validators. A validator's node says so in its handshake, signed with
 * the validator's key over the node's own name, so that nobody else can draw its votes to himself.
 * The statement is of a domain of its own: it is no vote, and may be signed again and again.
 */

/** Domain of the statement that ties a validator's key to a node. */
const nodeDomain = "node.identity";

/** Nodes that may speak for one key: an operator's new node and the old one that is going. */
const nodesPerKeyMax = 4;

function nodeStatement(genesis: Digest, peer: PeerId): Uint8Array {
  const slot = { epoch: 0, view: 0 };
  return encodeStatement({
    domain: nodeDomain,
    genesis,
    scope: "",
    slot,
    value: textToBytes(peer),
  });
}

/** What a validator's node says in its handshake: `[BLS key, signature]`. */
export function encodeIdentity(
  genesis: Digest,
  peer: PeerId,
  keys: { readonly blsPublicKey: Uint8Array; readonly blsSecretKey: Uint8Array },
): Uint8Array {
  return encodeRlp([keys.blsPublicKey, blsSign(nodeStatement(genesis, peer), keys.blsSecretKey)]);
}

/** The BLS key that a peer speaks for; `null` if it says nothing, or nothing true. */
export function decodeIdentity(
  genesis: Digest,
  peer: PeerId,
  status: Uint8Array,
): Uint8Array | null {
  const item = decodeRlp(status);
  if (!item.ok) return null;
  const reader = new RlpReader("identity");
  const fields = reader.list(item.value, 2);
  const bytes = reader.fixed(fields[0], blsKeySize);
  const signature = reader.fixed(fields[1], blsSignatureSize);
  const key = reader.refusal === null ? parseBlsPublicKey(bytes) : null;
  if (key === null) return null;
  return blsVerify(key, nodeStatement(genesis, peer), signature) ? bytes : null;
}

/** The connected nodes of validators. */
export class ValidatorPeers {
  readonly #peers = new Map<string, readonly PeerId[]>();

  /** A peer showed that it speaks for a key. */
  add(peer: PeerId, blsKey: Uint8Array): void {
    const name = bytesToHex(blsKey);
    const others = (this.#peers.get(name) ?? []).filter((other) => other !== peer);
    this.#peers.set(name, [...others, peer].slice(-nodesPerKeyMax));
  }

  /** A peer has gone. */
  remove(peer: PeerId): void {
    for (const [name, peers] of this.#peers) {
      const rest = peers.filter((other) => other !== peer);
      if (rest.length === 0) this.#peers.delete(name);
      else this.#peers.set(name, rest);
    }
  }

  /** The nodes of one validator; none if it is not connected. */
  of(blsKey: Uint8Array): readonly PeerId[] {
    return this.#peers.get(bytesToHex(blsKey)) ?? [];
  }

  /** Nodes of a committee's members, and how many members but `self` have none. */
  reach(
    { validators }: Committee,
    self: Uint8Array | null,
  ): { readonly peers: readonly PeerId[]; readonly missing: number } {
    const own = self === null ? null : bytesToHex(self);
    const peers = new Set<PeerId>();
    let missing = 0;
    for (const { blsKey } of validators) {
      const found = this.of(blsKey);
      for (const peer of found) peers.add(peer);
      if (found.length === 0 && bytesToHex(blsKey) !== own) missing += 1;
    }
    return { peers: [...peers], missing };
  }
}

import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { Ed25519PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { textToPeerId } from "./peerId.ts";
import type { PeerId } from "./peerId.ts";
import { NetworkError } from "./transport.ts";

/*
 * A node's network identity: an Ed25519 key from a seed of its own, never derived from and never
 * used as a validator's key. It may be thrown away; peers then meet a stranger.
 */

/** Bytes of a seed, as kept in a file by the node's owner. */
export const nodeSeedBytes = 32;

/** The network key of a seed. */
export async function seedToNodeKey(seed: Uint8Array): Promise<Ed25519PrivateKey> {
  if (seed.length !== nodeSeedBytes)
    throw new NetworkError(
      "E_NODE_KEY",
      `a node key has ${nodeSeedBytes} bytes, not ${seed.length}`,
      {
        hint: "remove the file to get a new network identity; validator keys are not concerned",
      },
    );
  return generateKeyPairFromSeed("Ed25519", seed);
}

/** The name under which the node with this seed is known. */
export async function seedToPeerId(seed: Uint8Array): Promise<PeerId> {
  return textToPeerId(peerIdFromPrivateKey(await seedToNodeKey(seed)).toString());
}

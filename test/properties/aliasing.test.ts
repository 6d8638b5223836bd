import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesToDigest, bytesToHex } from "../../base/bytes.ts";
import { decodeRlp, encodeRlp } from "../../base/rlp.ts";
import { keccak256 } from "../../crypto/keccak.ts";
import { addressOf, recoverAddress, signDigest } from "../../crypto/secp256k1.ts";
import { decodeBlock, encodeBlock } from "../../ledger/block.ts";
import { decodeNative, type Decoded } from "../../ledger/decode.ts";
import { encodeHeader } from "../../ledger/header.ts";
import { signThetaTransaction } from "../../ledger/sign.ts";
import { MemoryKeyValue } from "../../store/memory.ts";
import { blocks, headers, thetaTransactions } from "../fakes/transactions.ts";

/*
 * Byte arrays are shared by reference, and network and file buffers are reused. So: no function
 * changes the bytes it is given, and what outlives the call does not look into them. Inputs are
 * views into a larger buffer that is checked afterwards, and is overwritten while results live on.
 */

/** A view with guard bytes around it, as a slice of a pooled buffer has. */
function pooled(bytes: Uint8Array): { readonly view: Uint8Array; readonly whole: Uint8Array } {
  const whole = new Uint8Array(bytes.length + 32).fill(0xa5);
  whole.set(bytes, 16);
  return { view: whole.subarray(16, 16 + bytes.length), whole };
}

function unchanged(bytes: Uint8Array, use: (view: Uint8Array) => void): void {
  const { view, whole } = pooled(bytes);
  const before = bytesToHex(whole);
  use(view);
  expect(bytesToHex(whole)).toBe(before);
}

const chain = { name: "privatenet", id: 366, genesisHash: bytesToDigest(new Uint8Array(32)) };
const key = new Uint8Array(32).fill(1);
const signer = { address: addressOf(key), sign: (digest: Uint8Array) => signDigest(digest, key) };

const signedSends = thetaTransactions
  .filter((tx) => tx.type === "send" && tx.inputs.length > 0)
  .map((tx) => {
    if (tx.type !== "send") return new Uint8Array(0);
    const [first] = tx.inputs;
    const inputs = first === undefined ? [] : [{ ...first, address: signer.address }];
    return signThetaTransaction({ ...tx, inputs }, chain.name, [signer]);
  });

function seen(decoded: Decoded): unknown {
  if (!decoded.ok) return decoded;
  const recovered = decoded.value.claims.map(() => signer.address);
  const { encoded, hash } = decoded.value;
  const claims = decoded.value.claims.map((claim) => ({
    ...claim,
    otherDigests: claim.otherDigests?.(),
  }));
  return structuredClone({ encoded, hash, claims, tx: decoded.value.complete(recovered) });
}

describe("E11: inputs are neither changed nor looked into later", () => {
  test("codecs leave their input as it was", () => {
    fc.assert(
      fc.property(headers, blocks, (header, block) => {
        unchanged(encodeHeader(header), (view) => void decodeRlp(view));
        unchanged(encodeBlock(block), (view) => void decodeBlock(view));
      }),
      { numRuns: 50 },
    );
  });

  test("a decoded transaction outlives the buffer that it came in", () => {
    fc.assert(
      fc.property(signedSends, (raw) => {
        const { view, whole } = pooled(raw);
        const decoded = decodeNative(view, chain);
        const first = seen(decoded);
        expect(decoded.ok).toBe(true);
        whole.fill(0xee);
        expect(seen(decoded)).toEqual(first);
      }),
      { numRuns: 100 },
    );
  });

  test("a digest and an encoding do not change when another is made", () => {
    const first = keccak256(Uint8Array.of(1));
    const text = bytesToHex(first);
    const encoded = encodeRlp([first]);
    const encodedText = bytesToHex(encoded);
    keccak256(Uint8Array.of(2));
    encodeRlp([Uint8Array.of(2)]);
    expect([bytesToHex(first), bytesToHex(encoded)]).toEqual([text, encodedText]);
  });

  test("signing and recovering leave digest, key and signature as they were", () => {
    const digest = keccak256(Uint8Array.of(3));
    const signature = signDigest(digest, key);
    unchanged(digest, (view) => void signDigest(view, key));
    unchanged(key, (view) => void signDigest(digest, view));
    unchanged(signature, (view) => expect(recoverAddress(digest, view)).toBe(signer.address));
  });

  test("a store keeps its own copies", async () => {
    const store = new MemoryKeyValue();
    const name = Uint8Array.of(1);
    const value = Uint8Array.of(7, 8);
    await store.write([{ type: "put", key: name, value }]);
    value.fill(0);
    store.get(name)?.fill(0);
    expect(store.get(name)).toEqual(Uint8Array.of(7, 8));
    await store.close();
  });
});

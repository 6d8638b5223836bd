import { bls12_381 } from "@noble/curves/bls12-381.js";
import { secp256k1 as noble } from "@noble/curves/secp256k1.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect } from "vitest";
import {
  bigIntToFixedBytes,
  bytesToHex,
  bytesToHexDigits,
  concatBytes,
  hexToBytes,
  hexToBytesOrNull,
  textToBytes,
} from "../../base/bytes.ts";
import {
  aggregatePublicKeys,
  blsCiphersuite,
  isBlsSecretKey,
  javascriptBls,
  nativeBlsOrNull,
  parseBlsPublicKey,
  verifyAggregate,
  verifyBlsPossessionStandard,
} from "../../crypto/bls.ts";
import type { BlsBackend, BlsPublicKey } from "../../crypto/blsBackend.ts";
import { createJavascriptBls } from "../../crypto/blsJavascript.ts";
import {
  isCanonicalSignature,
  javascriptSecp256k1,
  recoverPublicKey,
} from "../../crypto/secp256k1.ts";
import { knownFilesTest, vectorTest } from "../vectors.ts";

const order = noble.Point.CURVE().n;
const fieldSize = noble.Point.CURVE().p;

type EcdsaCase = {
  readonly id: string;
  readonly group: {
    readonly type: "EcdsaP1363Verify" | "EcdsaBitcoinVerify";
    readonly publicKey: { readonly uncompressed: string };
  };
  readonly msg: string;
  readonly sig: string;
  readonly result: "valid" | "invalid";
};

/** `r` and `s` of a signature in the vector's own form; `null` if it has another form. */
function partsOf({ group, sig }: EcdsaCase): { r: bigint; s: bigint } | null {
  const format = group.type === "EcdsaP1363Verify" ? "compact" : "der";
  try {
    return noble.Signature.fromBytes(hexToBytes(sig), format);
  } catch {
    return null;
  }
}

/** Whether one of both recovery ids gives the key, by both implementations. */
function recoversKey(parts: { r: bigint; s: bigint }, digest: Uint8Array, key: string): boolean {
  return [0, 1].some((v) => {
    const signature = concatBytes(
      bigIntToFixedBytes(parts.r, 32),
      bigIntToFixedBytes(parts.s, 32),
      Uint8Array.of(v),
    );
    const recovered = recoverPublicKey(digest, signature);
    if (!isCanonicalSignature(signature)) return false;
    expect(javascriptSecp256k1.recover(digest, signature)).toEqual(recovered);
    return recovered !== null && bytesToHexDigits(recovered) === key;
  });
}

describe("ecdsa vectors: only the canonical form of a valid signature recovers its key", () => {
  knownFilesTest("ecdsa", ["wycheproof-secp256k1.ndjson.gz"]);

  vectorTest<EcdsaCase>("ecdsa/wycheproof-secp256k1.ndjson.gz", (items) => {
    let beyondRecovery = 0;
    for (const item of items) {
      const key = item.group.publicKey.uncompressed;
      const digest = sha256(hexToBytes(item.msg));
      const parts = partsOf(item);
      if (item.result === "invalid") {
        expect(parts !== null && recoversKey(parts, digest, key), item.id).toBe(false);
        continue;
      }
      expect(parts, item.id).not.toBeNull();
      if (parts === null) continue;
      if (parts.r + order < fieldSize && !recoversKey(parts, digest, key)) {
        // The point's x is r + n: recovery ids 2 and 3, which Ethereum has not.
        beyondRecovery += 1;
        continue;
      }
      const isHigh = parts.s > order / 2n;
      expect(recoversKey(parts, digest, key), item.id).toBe(!isHigh);
      const low = { r: parts.r, s: isHigh ? order - parts.s : parts.s };
      expect(recoversKey(low, digest, key), item.id).toBe(true);
    }
    expect(beyondRecovery).toBeLessThan(6);
  });
});

const backends = [javascriptBls, ...(nativeBlsOrNull === null ? [] : [nativeBlsOrNull])];

type EthCase = {
  readonly id: string;
  readonly kind: string;
  readonly input: readonly string[] & {
    readonly pubkey: string;
    readonly pubkeys: readonly string[];
    readonly privkey: string;
    readonly message: string;
    readonly messages: readonly string[];
    readonly msg: string;
    readonly signature: string;
    readonly signatures: readonly string[];
  };
  readonly output: unknown;
};

/**
 * All keys parsed, or `null` if one is bad: the official tests expect that to mean "does not
 * verify".
 */
function parseAll(backend: BlsBackend, keys: readonly string[]): BlsPublicKey[] | null {
  const parsed: BlsPublicKey[] = [];
  for (const text of keys) {
    const key = backend.parsePublicKey(hexToBytesOrNull(text) ?? new Uint8Array(0));
    if (key === null) return null;
    parsed.push(key);
  }
  return parsed;
}

function answerOf(backend: BlsBackend, { kind, input }: EthCase): unknown {
  const bytes = (text: string): Uint8Array => hexToBytesOrNull(text) ?? new Uint8Array(0);
  switch (kind) {
    case "sign": {
      const key = bytes(input.privkey);
      return isBlsSecretKey(key) ? bytesToHex(backend.sign(bytes(input.message), key)) : null;
    }
    case "verify": {
      const key = backend.parsePublicKey(bytes(input.pubkey));
      const message = bytes(input.message);
      return key !== null && backend.verify({ key, message, signature: bytes(input.signature) });
    }
    case "aggregate": {
      const sum = backend.aggregateSignatures(input.map(bytes));
      return sum === null ? null : bytesToHex(sum);
    }
    case "fast_aggregate_verify": {
      const keys = parseAll(backend, input.pubkeys);
      const key = keys === null ? null : backend.aggregatePublicKeys(keys);
      const message = bytes(input.message);
      return key !== null && backend.verify({ key, message, signature: bytes(input.signature) });
    }
    case "aggregate_verify": {
      const keys = parseAll(backend, input.pubkeys);
      return (
        keys !== null &&
        backend.verifyDiffering(keys, input.messages.map(bytes), bytes(input.signature))
      );
    }
    case "batch_verify": {
      const keys = parseAll(backend, input.pubkeys);
      const claims = keys?.map((key, i) => ({
        key,
        message: bytes(input.messages[i] ?? ""),
        signature: bytes(input.signatures[i] ?? ""),
      }));
      return claims !== undefined && backend.verifyBatch(claims);
    }
    case "deserialization_G1":
      return backend.parsePublicKey(bytes(input.pubkey)) !== null;
    case "deserialization_G2":
      // A lone signature is validated by summing it.
      return backend.aggregateSignatures([bytes(input.signature)]) !== null;
    default:
      throw new Error(`unknown kind ${kind}`);
  }
}

const hashSuite = "QUUX-V01-CS02-with-BLS12381G2_XMD:SHA-256_SSWU_RO_";

/**
 * RFC 9380 hashing with the test suite's own tag, which only the JavaScript library lets us set.
 */
function hashAnswer(message: string): unknown {
  const { x, y } = bls12_381.longSignatures.hash(textToBytes(message), hashSuite).toAffine();
  const coordinate = (value: { c0: bigint; c1: bigint }): string =>
    [value.c0, value.c1].map((part) => bytesToHex(bigIntToFixedBytes(part, 48))).join(",");
  return { x: coordinate(x), y: coordinate(y) };
}

type WycheproofCase = {
  readonly id: string;
  readonly group: {
    readonly type: string;
    readonly ciphersuite?: string;
    readonly dst?: string;
    readonly publicKey?: { readonly pk: string };
  };
  readonly msg?: string;
  readonly messages?: readonly string[];
  readonly pubkeys?: readonly string[];
  readonly sig?: string;
  readonly expected?: string;
  readonly result: "valid" | "invalid";
};

function holds(backend: BlsBackend, item: WycheproofCase): boolean {
  const signature = hexToBytes(item.sig ?? "");
  if (item.group.type === "BlsAggregateVerify") {
    const keys = parseAll(backend, item.pubkeys ?? []);
    const messages = (item.messages ?? []).map((text) => hexToBytes(text));
    if (keys === null || keys.length !== messages.length) return false;
    return backend.verifyDiffering(keys, messages, signature);
  }
  const key = backend.parsePublicKey(hexToBytes(item.group.publicKey?.pk ?? ""));
  return key !== null && backend.verify({ key, message: hexToBytes(item.msg ?? ""), signature });
}

type GuardianCase = {
  readonly id: string;
  readonly kind: "verify" | "merge" | "pop" | "splitting-zero";
  readonly pubkey: string;
  readonly pop: string;
  readonly pubkeys: readonly string[];
  readonly pops: readonly string[];
  readonly popsValid: readonly boolean[];
  readonly message: string;
  readonly signature: string;
  readonly valid: boolean;
};

function keyOf(text: string): BlsPublicKey {
  const key = parseBlsPublicKey(hexToBytes(text));
  if (key === null) throw new Error(`not a key: ${text}`);
  return key;
}

describe("bls vectors, on every implementation that runs here", () => {
  knownFilesTest("bls", ["eth-v0.1.2.ndjson", "wycheproof.ndjson", "guardian-aggregate.ndjson"]);

  vectorTest<EthCase>("bls/eth-v0.1.2.ndjson", (items) => {
    for (const item of items) {
      if (item.kind === "hash_to_G2") {
        expect(hashAnswer(item.input.msg), item.id).toEqual(item.output);
        continue;
      }
      for (const backend of backends) {
        expect(answerOf(backend, item), `${backend.name} ${item.id}`).toEqual(item.output);
      }
    }
  });

  vectorTest<WycheproofCase>("bls/wycheproof.ndjson", (items) => {
    for (const item of items) {
      if (item.expected !== undefined) {
        const point = bls12_381.longSignatures.hash(hexToBytes(item.msg ?? ""), item.group.dst);
        expect(bytesToHexDigits(point.toBytes(true)), item.id).toBe(item.expected);
        continue;
      }
      const suite = item.group.ciphersuite ?? "";
      const tested = suite === blsCiphersuite ? backends : [createJavascriptBls(suite)];
      for (const backend of tested) {
        const name = `${backend.name} ${item.id}`;
        expect(holds(backend, item), name).toBe(item.result === "valid");
      }
    }
  });

  // The other kinds (multiplicities, merging) belong to the guardians' aggregate.
  vectorTest<GuardianCase>("bls/guardian-aggregate.ndjson", (items) => {
    let checked = 0;
    for (const item of items) {
      if (item.kind === "pop") {
        const proof = hexToBytes(item.pop);
        expect(verifyBlsPossessionStandard(keyOf(item.pubkey), proof), item.id).toBe(item.valid);
        checked += 1;
      } else if (item.kind === "splitting-zero") {
        const keys = item.pubkeys.map(keyOf);
        const proofs = item.pops.map((pop, i) => {
          const key = keys[i];
          return key !== undefined && verifyBlsPossessionStandard(key, hexToBytes(pop));
        });
        expect(proofs.every(Boolean), item.id).toBe(true);
        expect(aggregatePublicKeys(keys), item.id).toBeNull();
        const message = hexToBytes(item.message);
        expect(verifyAggregate(keys, message, hexToBytes(item.signature)), item.id).toBe(false);
        checked += 1;
      }
    }
    console.log(`vectors bls/guardian-aggregate.ndjson: ${checked} of them checked here`);
    expect(checked).toBeGreaterThanOrEqual(8);
  });
});

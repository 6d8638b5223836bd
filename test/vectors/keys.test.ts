import { hmac } from "@noble/hashes/hmac.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { keccak_256 as nobleKeccak } from "@noble/hashes/sha3.js";
import { HDKey } from "@scure/bip32";
import { describe, expect } from "vitest";
import { bytesToHex, bytesToHexDigits, hexToBytes, textToAddressOrNull } from "../../base/bytes.ts";
import { checksumAddress, parseAddress } from "../../crypto/address.ts";
import { pbkdf2Sha256 } from "../../crypto/kdf.ts";
import { keccak256 } from "../../crypto/keccak.ts";
import { openKeystore } from "../../crypto/keystore.ts";
import {
  derivePath,
  isMnemonic,
  mnemonicEntropy,
  mnemonicOfEntropy,
  mnemonicSeed,
} from "../../crypto/mnemonic.ts";
import { addressOf } from "../../crypto/secp256k1.ts";
import { leastMs } from "../fakes/leastMs.ts";
import { knownFilesTest, vectorTest } from "../vectors.ts";

type HashCase = {
  readonly id: string;
  readonly data: string;
  readonly keccak256: string;
  readonly sha256: string;
  readonly sha512: string;
};

describe("hash vectors", () => {
  knownFilesTest("hash", ["ethers-hashes.ndjson.gz"]);

  vectorTest<HashCase>("hash/ethers-hashes.ndjson.gz", (items) => {
    for (const item of items) {
      const data = hexToBytes(item.data);
      expect(bytesToHex(keccak256(data)), item.id).toBe(item.keccak256);
      expect(bytesToHex(nobleKeccak(data)), item.id).toBe(item.keccak256);
      expect(bytesToHex(sha256(data)), item.id).toBe(item.sha256);
      expect(bytesToHex(sha512(data)), item.id).toBe(item.sha512);
    }
  });
});

type KdfCase = {
  readonly id: string;
  readonly group: { readonly type: "PbkdfTest" | "MacTest"; readonly tagSize?: number };
  readonly password: string;
  readonly salt: string;
  readonly iterationCount: number;
  readonly dkLen: number;
  readonly dk: string;
  readonly key: string;
  readonly msg: string;
  readonly tag: string;
  readonly result: "valid" | "invalid";
};

describe("kdf vectors", () => {
  knownFilesTest("kdf", ["wycheproof-pbkdf2-hmac.ndjson"]);

  vectorTest<KdfCase>("kdf/wycheproof-pbkdf2-hmac.ndjson", async (items) => {
    for (const item of items) {
      if (item.group.type === "PbkdfTest") {
        const parameters = { c: item.iterationCount, sizeBytes: item.dkLen };
        const key = pbkdf2Sha256(hexToBytes(item.password), hexToBytes(item.salt), parameters);
        expect(bytesToHexDigits(await key), item.id).toBe(item.dk);
      } else {
        const tag = hmac(sha256, hexToBytes(item.key), hexToBytes(item.msg));
        const cut = bytesToHexDigits(tag.subarray(0, (item.group.tagSize ?? 256) / 8));
        expect(cut === item.tag, item.id).toBe(item.result === "valid");
      }
    }
  });
});

type KeystoreCase = {
  readonly id: string;
  readonly json: string;
  readonly password: string;
  readonly expect: {
    readonly privateKey?: string;
    readonly address?: string;
    readonly error?: boolean;
    readonly maxMs?: number;
    readonly policy?: string;
  };
};

describe("row A10: keystore vectors, bombs and tampering included", () => {
  knownFilesTest("keystore", ["v3.ndjson"]);

  vectorTest<KeystoreCase>("keystore/v3.ndjson", async (items) => {
    for (const item of items) {
      const opened = await openKeystore(item.json, item.password);
      const wanted = item.expect;
      if (wanted.maxMs !== undefined) {
        const open = async (): Promise<void> => void (await openKeystore(item.json, item.password));
        expect(await leastMs(wanted.maxMs, open), item.id).toBeLessThan(wanted.maxMs);
      }
      if (wanted.policy !== undefined) continue;
      expect(opened.ok, `${item.id} ${opened.ok ? "" : opened.refusal.detail}`).toBe(
        wanted.error !== true,
      );
      if (!opened.ok) continue;
      expect(bytesToHex(opened.value.privateKey), item.id).toBe(wanted.privateKey);
      if (wanted.address !== undefined) expect(opened.value.address, item.id).toBe(wanted.address);
    }
  });
});

type Bip39Case = {
  readonly id: string;
  readonly entropy: string;
  readonly mnemonic: string;
  readonly passphrase: string;
  readonly seed: string;
  readonly xprv: string;
};

type AccountCase = {
  readonly id: string;
  readonly address: string;
  readonly checksumAddress: string;
  readonly privateKey?: string;
};

type HdNodeCase = {
  readonly id: string;
  readonly locale: string;
  readonly entropy: string;
  readonly mnemonic: string;
  readonly password?: string;
  readonly seed: string;
  readonly hdnodes: readonly {
    readonly path: string;
    readonly privateKey: string;
    readonly address: string;
  }[];
};

describe("hd vectors", () => {
  knownFilesTest("hd", [
    "bip39-english.ndjson",
    "ethers-accounts.ndjson.gz",
    "ethers-hdnode.ndjson.gz",
  ]);

  vectorTest<Bip39Case>("hd/bip39-english.ndjson", (items) => {
    for (const item of items) {
      expect(mnemonicOfEntropy(hexToBytes(item.entropy)), item.id).toBe(item.mnemonic);
      const entropy = mnemonicEntropy(item.mnemonic) ?? new Uint8Array(0);
      expect(bytesToHexDigits(entropy), item.id).toBe(item.entropy);
      const seed = mnemonicSeed(item.mnemonic, item.passphrase);
      expect(bytesToHexDigits(seed), item.id).toBe(item.seed);
      const root = HDKey.fromMasterSeed(seed);
      expect(root.privateExtendedKey, item.id).toBe(item.xprv);
      expect(derivePath(seed, "m"), item.id).toEqual(root.privateKey);
    }
  });

  vectorTest<AccountCase>("hd/ethers-accounts.ndjson.gz", (items) => {
    for (const item of items) {
      const address = textToAddressOrNull(item.address);
      if (address === null) throw new Error(`not an address: ${item.address}`);
      expect(checksumAddress(address), item.id).toBe(item.checksumAddress);
      expect(parseAddress(item.checksumAddress), item.id).toEqual({ ok: true, value: address });
      if (item.privateKey === undefined) continue;
      expect(addressOf(hexToBytes(item.privateKey)), item.id).toBe(item.address);
    }
  });

  vectorTest<HdNodeCase>("hd/ethers-hdnode.ndjson.gz", (items) => {
    for (const item of items) {
      const seed = mnemonicSeed(item.mnemonic, item.password);
      expect(bytesToHex(seed), item.id).toBe(item.seed);
      if (item.locale === "en") {
        expect(isMnemonic(item.mnemonic), item.id).toBe(true);
        expect(mnemonicOfEntropy(hexToBytes(item.entropy)), item.id).toBe(item.mnemonic);
      }
      for (const node of item.hdnodes) {
        const key = derivePath(seed, node.path);
        if (key === null) throw new Error(`not a path: ${node.path}`);
        expect(bytesToHex(key), item.id).toBe(node.privateKey);
        expect(addressOf(key), item.id).toBe(node.address);
      }
    }
  });
});

import { encryptKeystoreJson, Wallet } from "ethers";
import { describe, expect, test } from "vitest";
import { bytesToHex, hexToBytes } from "../base/bytes.ts";
import { leastMs } from "../test/fakes/leastMs.ts";
import { blsPublicKeyOf } from "./bls.ts";
import { openBlsKeystore, writeBlsKeystore } from "./blsKeystore.ts";
import { isWeakKdf, kdfProblem, scryptLight, scryptStandard } from "./kdf.ts";
import {
  createPrivateKey,
  keystoreAddress,
  openKeystore,
  readPlainKey,
  writeKeystore,
} from "./keystore.ts";
import { accountPath, createMnemonic, isMnemonic, mnemonicPrivateKey } from "./mnemonic.ts";
import { addressOf, isPrivateKey } from "./secp256k1.ts";

const cheap = { n: 1_024, r: 8, p: 1 };
const k0 = hexToBytes("93a90ea508331dfdf27fb79757d4250b4e84954927ba0073cd67454ac432c737");

/** Theta's fixture (`integration/privatenet`, the reference sheet's section 11.9). */
const thetaFixture = {
  address: "2e833968e5bb786ae419c4d13189fb081cc43bab",
  crypto: {
    cipher: "aes-128-ctr",
    ciphertext: "2dad160420b1e9b6fc152cd691a686a7080a0cee41b98754597a2ce57cc5dab1",
    cipherparams: { iv: "7b3c44bc23961e32e277ac01ddb84505" },
    kdf: "scrypt",
    kdfparams: {
      dklen: 32,
      n: 262_144,
      p: 1,
      r: 8,
      salt: "7afcf25c66f0205a5eaac94bf789f46dd6def4262d793e3b417d1a6ae8ea5056",
    },
    mac: "4cbfaf270b3ba1ae5dab7c873b31159e1ed75add4d1e16206f9bb4bc3c6f9fdb",
  },
  id: "046d2f92-8e6a-4e91-9785-248c9345b07f",
  version: 3,
};

async function codeOf(text: string, password: string): Promise<string> {
  const opened = await openKeystore(text, password);
  return opened.ok ? "opened" : opened.refusal.code;
}

describe("key files of version 3", () => {
  test("Theta's fixture opens, and is written again byte for byte", async () => {
    const opened = await openKeystore(JSON.stringify(thetaFixture), "qwertyuiop");
    expect(opened.ok && bytesToHex(opened.value.privateKey)).toBe(bytesToHex(k0));
    expect(opened.ok && opened.value.isWeak).toBe(false);
    const written = await writeKeystore(k0, "qwertyuiop", {
      salt: hexToBytes(thetaFixture.crypto.kdfparams.salt),
      iv: hexToBytes(thetaFixture.crypto.cipherparams.iv),
      id: thetaFixture.id,
    });
    expect(JSON.parse(written)).toEqual(thetaFixture);
  });

  test("ethers opens ours and we open those of ethers", async () => {
    const key = createPrivateKey();
    const password = "correct horse ü";
    const ours = await writeKeystore(key, password, { cost: cheap });
    expect((await Wallet.fromEncryptedJson(ours, password)).privateKey).toBe(bytesToHex(key));
    const account = { address: addressOf(key), privateKey: bytesToHex(key) };
    const options = { scrypt: { N: 1_024, r: 8, p: 1 } };
    const theirs = await encryptKeystoreJson(account, "ﬁxed №1", options);
    const opened = await openKeystore(theirs, "ﬁxed №1"); // Ethers normalises these letters.
    expect(opened.ok && opened.value.address).toBe(addressOf(key));
    expect(opened.ok && opened.value.isWeak).toBe(true);
  });

  test("a password with letters that normalisation changes opens our own file", async () => {
    const file = await writeKeystore(k0, "ﬁxed №1", { cost: cheap });
    expect(await codeOf(file, "ﬁxed №1")).toBe("opened");
  });
});

describe("row A10: key files that must not open", () => {
  const file = writeKeystore(k0, "pw", { cost: cheap });

  async function changed(change: (sealed: Record<string, unknown>) => void): Promise<string> {
    const parsed = JSON.parse(await file) as Record<string, unknown>;
    change(parsed);
    return JSON.stringify(parsed);
  }

  async function withCrypto(members: object): Promise<string> {
    return changed((sealed) => Object.assign(sealed["crypto"] as object, members));
  }

  test("wrong password, changed mac, changed iv, changed address", async () => {
    expect(await codeOf(await file, "pw")).toBe("opened");
    expect(await codeOf(await file, "pW")).toBe("passwordWrong");
    expect(await codeOf(await withCrypto({ mac: "00".repeat(32) }), "pw")).toBe("passwordWrong");
    // The mac does not cover the iv: the address does.
    const iv = await withCrypto({ cipherparams: { iv: "00".repeat(16) } });
    expect(await codeOf(iv, "pw")).toBe("addressMismatch");
    const address = await changed((sealed) => (sealed["address"] = "11".repeat(20)));
    expect(await codeOf(address, "pw")).toBe("addressMismatch");
  });

  const salt = "00".repeat(32);

  async function expectBombsRefused(): Promise<void> {
    for (const parameters of [
      { n: 2 ** 31, r: 8, p: 1 },
      { n: 2 ** 20, r: 1_024, p: 1 },
      { n: 1_024, r: 2 ** 24, p: 1 },
      { n: 1_024, r: 8, p: 2 ** 30 },
      { n: 2 ** 18, r: 8, p: 16 },
      { n: 1_000, r: 8, p: 1 },
      { n: 1.5, r: 8, p: 1 },
      { n: -1_024, r: 8, p: 1 },
      { n: 1_024, r: 0, p: 1 },
      { n: 1e300, r: 8, p: 1 },
    ]) {
      const bomb = await withCrypto({ kdfparams: { dklen: 32, salt, ...parameters } });
      expect(await codeOf(bomb, "pw"), JSON.stringify(parameters)).toBe("kdfOutOfBounds");
    }
    const c = await withCrypto({
      kdf: "pbkdf2",
      kdfparams: { dklen: 32, salt, c: 2 ** 31 - 1, prf: "hmac-sha256" },
    });
    expect(await codeOf(c, "pw")).toBe("kdfOutOfBounds");
    const dklen = await withCrypto({ kdfparams: { ...cheap, salt, dklen: 2 ** 30 } });
    expect(await codeOf(dklen, "pw")).toBe("unsupported");
  }

  test("bombs in n, r, p and c are refused before any work", async () => {
    expect(await leastMs(500, expectBombsRefused)).toBeLessThan(500);
  });

  test("no JSON, other JSON, other versions", async () => {
    expect(await codeOf("", "pw")).toBe("malformed");
    expect(await codeOf("[]", "pw")).toBe("malformed");
    expect(await codeOf(`${" ".repeat(20_000)}{}`, "pw")).toBe("malformed");
    expect(await codeOf(await changed((sealed) => (sealed["version"] = 4)), "pw")).toBe(
      "unsupported",
    );
    const twice = await changed((sealed) => (sealed["Crypto"] = sealed["crypto"]));
    expect(await codeOf(twice, "pw")).toBe("malformed");
  });

  test("what we write costs a guess n = 2^18 at least", async () => {
    expect(scryptStandard).toEqual({ n: 2 ** 18, r: 8, p: 1 });
    const salt = new Uint8Array(32);
    expect(isWeakKdf({ type: "scrypt", ...scryptLight, salt })).toBe(false);
    expect(isWeakKdf({ type: "scrypt", ...cheap, salt })).toBe(true);
    expect(kdfProblem({ type: "scrypt", ...scryptStandard, salt })).toBeNull();
    const { crypto } = JSON.parse(await writeKeystore(k0, "pw")) as typeof thetaFixture;
    expect(crypto.kdfparams.n).toBe(2 ** 18);
  });
});

describe("plain keys", () => {
  test("Theta's plain file and bare hex", () => {
    const file = {
      address: addressOf(k0),
      privatekey: bytesToHex(k0).slice(2),
      id: "",
      version: 3,
    };
    for (const text of [JSON.stringify(file), bytesToHex(k0), `${bytesToHex(k0).slice(2)}\n`]) {
      const read = readPlainKey(text);
      expect(read.ok && read.value.address).toBe(addressOf(k0));
    }
    expect(keystoreAddress(JSON.stringify(file))).toBe(addressOf(k0));
    const wrong = readPlainKey(JSON.stringify({ ...file, address: "11".repeat(20) }));
    expect(wrong.ok ? "read" : wrong.refusal.code).toBe("addressMismatch");
    expect(readPlainKey("00".repeat(32)).ok).toBe(false);
  });

  test("a fresh key is one", () => {
    expect(isPrivateKey(createPrivateKey())).toBe(true);
  });
});

describe("BLS key files", () => {
  // EIP-2335, first test vector.
  const vector = {
    crypto: {
      kdf: {
        function: "scrypt",
        params: {
          dklen: 32,
          n: 262_144,
          p: 1,
          r: 8,
          salt: "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
        },
        message: "",
      },
      checksum: {
        function: "sha256",
        params: {},
        message: "d2217fe5f3e9a1e34581ef8a78f7c9928e436d36dacc5e846690a5581e8ea484",
      },
      cipher: {
        function: "aes-128-ctr",
        params: { iv: "264daa3f303d7259501c93d997d84fe6" },
        message: "06ae90d55fe0a6e9c5c3bc5b170827b2e5cce3929ed3f116c2811e6366dfe20f",
      },
    },
    description: "This is a test keystore that uses scrypt to secure the secret.",
    pubkey:
      "9612d7a727c9d0a22e185a1c768478dfe919cada9266988cb32359c11f2b7b27f4ae4040902382ae2910c15e2b420d07",
    path: "m/12381/60/3141592653/589793238",
    uuid: "1d85ae20-35c5-4611-98e8-aa14a633906f",
    version: 4,
  };
  const password = "𝔱𝔢𝔰𝔱𝔭𝔞𝔰𝔰𝔴𝔬𝔯𝔡🔑";
  const secret = "0x000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";

  test("the standard's vector opens and is written again", async () => {
    const opened = await openBlsKeystore(JSON.stringify(vector), password);
    expect(opened.ok && bytesToHex(opened.value.secretKey)).toBe(secret);
    const written = await writeBlsKeystore(hexToBytes(secret), password, {
      salt: hexToBytes(vector.crypto.kdf.params.salt),
      iv: hexToBytes(vector.crypto.cipher.params.iv),
      id: vector.uuid,
      path: vector.path,
      description: vector.description,
    });
    expect(JSON.parse(written)).toEqual(vector);
  });

  test("control characters do not count, other letters do", async () => {
    const file = await writeBlsKeystore(hexToBytes(secret), "pass", { cost: cheap });
    const same = await openBlsKeystore(file, "pa\u0007ss\u007f");
    expect(same.ok && same.value.publicKey).toEqual(blsPublicKeyOf(hexToBytes(secret)));
    const other = await openBlsKeystore(file, "pasS");
    expect(other.ok ? "opened" : other.refusal.code).toBe("passwordWrong");
  });

  test("row A10: another public key and a bomb are refused", async () => {
    const file = await writeBlsKeystore(hexToBytes(secret), "pass", { cost: cheap });
    const parsed = JSON.parse(file) as typeof vector;
    const pubkey = { ...parsed, pubkey: "00".repeat(48) };
    const mismatch = await openBlsKeystore(JSON.stringify(pubkey), "pass");
    expect(mismatch.ok ? "opened" : mismatch.refusal.code).toBe("addressMismatch");
    parsed.crypto.kdf.params.n = 2 ** 30;
    const bomb = await openBlsKeystore(JSON.stringify(parsed), "pass");
    expect(bomb.ok ? "opened" : bomb.refusal.code).toBe("kdfOutOfBounds");
    for (const text of ["", "{}", "[1]", '{"version":4}']) {
      expect((await openBlsKeystore(text, "pass")).ok, text).toBe(false);
    }
  });
});

describe("mnemonics", () => {
  const junk = "test test test test test test test test test test test junk";

  test("the development mnemonic gives the accounts that tools expect", () => {
    const addresses = [0, 1, 9].map((index) => {
      const key = mnemonicPrivateKey(junk, index);
      return key === null ? null : addressOf(key);
    });
    expect(addresses).toEqual([
      "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266",
      "0x70997970c51812dc3a010c7d01b50e0d17dc79c8",
      "0xa0ee7a142d267c1f36714e4a8f75612f20a79720",
    ]);
    expect(accountPath(3)).toBe("m/44'/60'/0'/0/3");
  });

  test("a wrong word or checksum is no mnemonic; spacing and case do not matter", () => {
    expect(isMnemonic(` ${junk.toUpperCase().replaceAll(" ", "  ")}\n`)).toBe(true);
    expect(isMnemonic(junk.replace("junk", "test"))).toBe(false);
    expect(isMnemonic("hello world")).toBe(false);
    expect(mnemonicPrivateKey("hello world", 0)).toBeNull();
    expect(createMnemonic(24).split(" ").length).toBe(24);
  });
});

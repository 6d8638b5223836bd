import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encryptKeystoreJson, Wallet } from "ethers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bytesToHex, hexToBytes } from "../base/bytes.ts";
import { openKeystore, writeKeystore } from "../crypto/keystore.ts";
import { addressOf } from "../crypto/secp256k1.ts";
import {
  deleteKey,
  encryptedFolder,
  findKey,
  listKeys,
  openKey,
  readKeyFile,
  storeKey,
  writeSecretFile,
} from "./keystoreFolder.node.ts";

const privateKey = new Uint8Array(32).fill(0x11);
const address = addressOf(privateKey);
/** Light on purpose: the cost is not what is tested here. */
const cost = { n: 4_096, r: 8, p: 1 };
const spelled = "19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "wallet-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const password = (): Promise<string> => Promise.resolve("qwertyuiop");

async function stored(): Promise<string> {
  const text = await writeKeystore(privateKey, "qwertyuiop", { cost });
  return storeKey(folder, address, text, "new");
}

test("a key lies where Theta's wallet looks, readable by its owner only", async () => {
  chmodSync(folder, 0o755);
  const path = await stored();
  expect(path).toBe(join(folder, "keys", "encrypted", spelled));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(encryptedFolder(folder)).mode & 0o777).toBe(0o700);
  expect(readdirSync(encryptedFolder(folder))).toEqual([spelled]);
});

test("a stored key opens with its password and only with that", async () => {
  await stored();
  const key = findKey(folder, address);
  expect((await openKey(key, password)).privateKey).toEqual(privateKey);
  await expect(openKey(key, () => Promise.resolve("wrong"))).rejects.toMatchObject({
    code: "E_BAD_PASSWORD",
  });
});

test("a key is never replaced by accident, and replaced whole when asked", async () => {
  await stored();
  await expect(stored()).rejects.toMatchObject({ code: "E_KEY_EXISTS" });
  const text = await writeKeystore(privateKey, "other", { cost });
  storeKey(folder, address, text, "replace");
  expect(readdirSync(encryptedFolder(folder))).toEqual([spelled]);
  await openKey(findKey(folder, address), () => Promise.resolve("other"));
});

test("file names of any letter case are found; plain keys are read", async () => {
  mkdirSync(join(folder, "keys", "plain"), { recursive: true });
  const plain = { address: spelled, privatekey: "11".repeat(32), id: "x", version: 3 };
  writeFileSync(join(folder, "keys", "plain", spelled.toLowerCase()), JSON.stringify(plain));
  writeFileSync(join(folder, "keys", "plain", "notes.txt"), "not a key");
  expect(listKeys(folder).map((key) => [key.address, key.kind])).toEqual([[address, "plain"]]);
  const never = (): Promise<string> => Promise.reject(new Error("asked for a password"));
  expect((await openKey(findKey(folder, address), never)).privateKey).toEqual(privateKey);
});

test("a damaged file is named as such, never as a wrong password", async () => {
  const path = await stored();
  for (const text of ["", "{", "{}", "[]", readKeyFile(path).slice(0, 200), "x".repeat(70_000)]) {
    writeFileSync(path, text);
    await expect(openKey(findKey(folder, address), password)).rejects.toMatchObject({
      code: "E_KEYSTORE_CORRUPT",
    });
  }
});

test("a file with another address's key is refused", async () => {
  const text = await writeKeystore(new Uint8Array(32).fill(0x22), "qwertyuiop", { cost });
  storeKey(folder, address, text, "new");
  await expect(openKey(findKey(folder, address), password)).rejects.toMatchObject({
    code: "E_KEYSTORE_CORRUPT",
  });
});

test("deleting removes the file, and a missing key names the folder searched", async () => {
  await stored();
  deleteKey(findKey(folder, address));
  expect(listKeys(folder)).toEqual([]);
  expect(() => findKey(folder, address)).toThrow(encryptedFolder(folder));
});

test("a secret that cannot be written leaves nothing behind", () => {
  const path = join(folder, "secret");
  writeSecretFile(path, "one", "new");
  expect(() => writeSecretFile(path, "two", "new")).toThrow("exists already");
  expect(() => writeSecretFile(join(folder, "none", "secret"), "x", "new")).toThrow("cannot write");
  expect(readdirSync(folder)).toEqual(["secret"]);
});

test("ethers opens our files and we open those of ethers", async () => {
  const ours = await writeKeystore(privateKey, "pässwörd €", { cost });
  const opened = await Wallet.fromEncryptedJson(ours, "pässwörd €");
  expect(opened.privateKey).toBe(bytesToHex(privateKey));
  const theirs = await encryptKeystoreJson(new Wallet(bytesToHex(privateKey)), "pässwörd €", {
    scrypt: { N: 4_096, r: 8, p: 1 },
  });
  const outcome = await openKeystore(theirs, "pässwörd €");
  expect(outcome.ok ? outcome.value.privateKey : outcome.refusal).toEqual(
    hexToBytes("11".repeat(32)),
  );
});

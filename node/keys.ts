import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Address } from "../base/brand.ts";
import { bytesToHexDigits, textToBytes } from "../base/bytes.ts";
import { NodeError } from "../base/nodeError.ts";
import { checksumAddress } from "../crypto/address.ts";
import { blsPublicKeyOf } from "../crypto/bls.ts";
import { createBlsSecretKey } from "../crypto/blsDerivation.ts";
import { openBlsKeystore, writeBlsKeystore } from "../crypto/blsKeystore.ts";
import type { ScryptCost } from "../crypto/kdf.ts";
import {
  createPrivateKey,
  keystoreAddress,
  openKeystore,
  writeKeystore,
  type KeystoreRefusal,
} from "../crypto/keystore.ts";
import { addressOf } from "../crypto/secp256k1.ts";
import { replaceFile } from "../store/replaceFile.ts";

/** The keys of a validator, unlocked. They stay in memory only. */
export type ValidatorKeys = {
  /** Account that holds the stake's key registration. */
  readonly address: Address;
  readonly privateKey: Uint8Array;
  readonly blsSecretKey: Uint8Array;
  /** Compressed, 48 bytes. */
  readonly blsPublicKey: Uint8Array;
};

/** Where the account key lies below a node's folder, as Theta has it; exactly one file. */
export const accountKeyFolder = join("key", "encrypted");

/** Where the BLS key lies below a node's folder; exactly one file. */
export const blsKeyFolder = join("key", "bls");

function onlyFile(folder: string): string | null {
  if (!existsSync(folder)) return null;
  const names = readdirSync(folder).filter((name) => !name.startsWith("."));
  const [name] = names;
  if (name === undefined) return null;
  if (names.length > 1)
    throw new NodeError("E_KEYS", `${folder} holds ${names.length} files, and must hold one`, {
      hint: `move the others away: ${names.slice(1).join(", ")}`,
    });
  return join(folder, name);
}

function keyError(path: string, refusal: KeystoreRefusal): NodeError {
  const code = refusal.code === "passwordWrong" ? "E_BAD_PASSWORD" : "E_KEYS";
  return new NodeError(code, `${path} did not open: ${refusal.detail}`, {
    hint:
      code === "E_BAD_PASSWORD"
        ? "give the password by --password-file, LEDGER_PASSWORD or the prompt"
        : "restore the key file from its backup",
  });
}

/** The validator's address without opening the key; `null` if the folder holds no key. */
export function validatorAddress(folder: string): Address | null {
  const path = onlyFile(join(folder, accountKeyFolder));
  return path === null ? null : keystoreAddress(readFileSync(path, "utf8"));
}

/**
 * Opens both keys with one password; `null` if the folder holds none, as a node without stake does.
 */
export async function openValidatorKeys(
  folder: string,
  password: (prompt: string) => Promise<string>,
): Promise<ValidatorKeys | null> {
  const accountPath = onlyFile(join(folder, accountKeyFolder));
  const blsPath = onlyFile(join(folder, blsKeyFolder));
  if (accountPath === null && blsPath === null) return null;
  if (accountPath === null || blsPath === null) {
    const missing = accountPath === null ? accountKeyFolder : blsKeyFolder;
    throw new NodeError("E_KEYS", `${join(folder, missing)} holds no key file`, {
      hint: "a validator needs its account key and its BLS key, a node without stake neither",
    });
  }
  const named = keystoreAddress(readFileSync(accountPath, "utf8"));
  const secret = await password(
    `Password of ${named === null ? accountPath : checksumAddress(named)}`,
  );
  const account = await openKeystore(readFileSync(accountPath, "utf8"), secret);
  if (!account.ok) throw keyError(accountPath, account.refusal);
  const bls = await openBlsKeystore(readFileSync(blsPath, "utf8"), secret);
  if (!bls.ok) throw keyError(blsPath, bls.refusal);
  return {
    address: account.value.address,
    privateKey: account.value.privateKey,
    blsSecretKey: bls.value.secretKey,
    blsPublicKey: bls.value.publicKey,
  };
}

/** Fresh keys for a new validator. */
export function createValidatorKeys(): ValidatorKeys {
  const privateKey = createPrivateKey();
  const blsSecretKey = createBlsSecretKey();
  return {
    address: addressOf(privateKey),
    privateKey,
    blsSecretKey,
    blsPublicKey: blsPublicKeyOf(blsSecretKey),
  };
}

/** Writes both key files, mode 0600 in folders of mode 0700. Never over a file that exists. */
export async function writeValidatorKeys(
  folder: string,
  keys: ValidatorKeys,
  options: { readonly password: string; readonly cost?: ScryptCost },
): Promise<void> {
  const cost = options.cost === undefined ? {} : { cost: options.cost };
  const account = await writeKeystore(keys.privateKey, options.password, cost);
  const bls = await writeBlsKeystore(keys.blsSecretKey, options.password, cost);
  const name = checksumAddress(keys.address).slice(2);
  writeSecret(join(folder, accountKeyFolder), name, account);
  writeSecret(join(folder, blsKeyFolder), `${bytesToHexDigits(keys.blsPublicKey)}.json`, bls);
}

/** A file that only its owner may read, whole or not at all. */
export function writeSecret(folder: string, name: string, text: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, name);
  if (existsSync(path)) throw new NodeError("E_KEYS", `${path} exists already`);
  replaceFile(path, textToBytes(`${text}\n`));
}

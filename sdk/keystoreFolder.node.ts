import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Address } from "../base/brand.ts";
import { textToAddressOrNull } from "../base/bytes.ts";
import { checksumAddress } from "../crypto/address.ts";
import {
  openKeystore,
  readPlainKey,
  type KeystoreRefusal,
  type OpenedKeystore,
} from "../crypto/keystore.ts";
import type { Outcome } from "../base/outcome.ts";
import { KeystoreError } from "./errors.ts";

/*
 * Theta's wallet folder (theta.md 8.6): `<folder>/keys/encrypted/<address>` and, read only,
 * `<folder>/keys/plain/<address>`; names are checksum addresses without `0x`, found in any letter
 * case. Folders have mode 0700, files 0600; a file is replaced whole or not at all.
 */

/** Largest key file that is read, in bytes. */
const keyFileBytesMax = 65_536;

/** A stored key. */
export type StoredKey = {
  readonly address: Address;
  readonly kind: "encrypted" | "plain";
  readonly path: string;
};

/** The folder that holds the encrypted keys of a wallet folder. */
export function encryptedFolder(folder: string): string {
  return join(folder, "keys", "encrypted");
}

/**
 * Stored keys in ascending address order; files that are not named for an address are passed over.
 */
export function listKeys(folder: string): readonly StoredKey[] {
  const found = new Map<Address, StoredKey>();
  for (const kind of ["plain", "encrypted"] as const) {
    const path = join(folder, "keys", kind);
    for (const name of existsSync(path) ? readdirSync(path) : []) {
      const address = textToAddressOrNull(name);
      if (address !== null) found.set(address, { address, kind, path: join(path, name) });
    }
  }
  return [...found.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
}

/**
 * The stored key of an address, or throws `E_KEY_NOT_FOUND` naming the folder that was searched.
 */
export function findKey(folder: string, address: Address): StoredKey {
  const key = listKeys(folder).find((candidate) => candidate.address === address);
  if (key !== undefined) return key;
  const place = encryptedFolder(folder);
  throw new KeystoreError("E_KEY_NOT_FOUND", `no key of ${checksumAddress(address)} in ${place}`, {
    hint: "ledgercli key list   or choose the wallet folder with --config DIR",
  });
}

/** The text of a stored key's file. */
export function readKeyFile(path: string): string {
  try {
    if (statSync(path).size <= keyFileBytesMax) return readFileSync(path, "utf8");
  } catch (cause) {
    throw new KeystoreError("E_KEY_UNREADABLE", `cannot read the key file ${path}`, { cause });
  }
  const message = `the key file ${path} is larger than ${keyFileBytesMax} bytes`;
  throw new KeystoreError("E_KEYSTORE_CORRUPT", message);
}

/**
 * Opens a stored key. A wrong password is `E_BAD_PASSWORD`, a damaged file `E_KEYSTORE_CORRUPT`.
 */
export async function openKey(
  key: StoredKey,
  password: () => Promise<string>,
): Promise<OpenedKeystore> {
  const text = readKeyFile(key.path);
  const opened =
    key.kind === "plain" ? readPlainKey(text) : await openKeystore(text, await password());
  const value = openedOrThrow(opened, key.path);
  if (value.address === key.address) return value;
  const message = `${key.path} holds the key of ${checksumAddress(value.address)}`;
  throw new KeystoreError("E_KEYSTORE_CORRUPT", message);
}

/** The opened key, or the refusal as an error that names the file. */
export function openedOrThrow<T>(opened: Outcome<T, KeystoreRefusal>, path: string): T {
  if (opened.ok) return opened.value;
  const { code, detail } = opened.refusal;
  if (code === "passwordWrong")
    throw new KeystoreError("E_BAD_PASSWORD", `wrong password for ${path}`, {
      hint: "try again; there is no way to recover a key without its password",
    });
  throw new KeystoreError("E_KEYSTORE_CORRUPT", `${path} is damaged: ${detail}`, {
    hint: "restore the file from a backup, or import the key again",
  });
}

/** Stores an encrypted key file. `new` refuses an address that is stored already. */
export function storeKey(
  folder: string,
  address: Address,
  text: string,
  mode: "new" | "replace",
): string {
  const stored = listKeys(folder).find((key) => key.address === address);
  if (mode === "new" && stored !== undefined) throw keyExists(stored);
  const name = checksumAddress(address).slice(2);
  const path = join(encryptedFolder(folder), name);
  makePrivateFolders(folder);
  writeSecretFile(path, text, mode);
  // A file of another spelling would be a second key file of one address.
  if (stored !== undefined && stored.kind === "encrypted" && stored.path !== path)
    rmSync(stored.path, { force: true });
  return path;
}

function keyExists(key: StoredKey): KeystoreError {
  const message = `a key of ${checksumAddress(key.address)} is stored already: ${key.path}`;
  return new KeystoreError("E_KEY_EXISTS", message, { hint: "--force replaces it" });
}

/** Deletes a stored key's file. */
export function deleteKey(key: StoredKey): void {
  rmSync(key.path);
}

function makePrivateFolders(folder: string): void {
  try {
    mkdirSync(encryptedFolder(folder), { recursive: true, mode: 0o700 });
    // They may have been made by hand, or copied, with the default mode.
    for (const part of [join(folder, "keys"), encryptedFolder(folder)]) chmodSync(part, 0o700);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    throw new KeystoreError("E_KEY_UNWRITABLE", `cannot make the folder ${folder} (${code})`, {
      cause,
    });
  }
}

/** Writes a secret with mode 0600, whole or not at all, synced before it gets its name. */
export function writeSecretFile(path: string, text: string, mode: "new" | "replace"): void {
  const folder = dirname(path);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    rmSync(temporary, { force: true });
    const file = openSync(temporary, "wx", 0o600);
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    if (mode === "new") linkSync(temporary, path); // Unlike a rename it fails where a file is.
    else renameSync(temporary, path);
    syncFolder(folder);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (code === "EEXIST")
      throw new KeystoreError("E_KEY_EXISTS", `${path} exists already`, { cause });
    throw new KeystoreError("E_KEY_UNWRITABLE", `cannot write ${path} (${code})`, { cause });
  } finally {
    rmSync(temporary, { force: true });
  }
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

import { assert } from "../base/assert.ts";
import type { Address } from "../base/brand.ts";
import {
  bytesToHexDigits,
  concatBytes,
  hexToBytesOrNull,
  textToAddressOrNull,
  textToBytes,
} from "../base/bytes.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import {
  hexMember,
  numberMember,
  objectMember,
  parseJsonObject,
  textMember,
  type JsonObject,
} from "./keyFile.ts";
import {
  aes128Ctr,
  deriveKey,
  equalConstantTime,
  isWeakKdf,
  kdfProblem,
  randomBytes,
  scryptStandard,
  type KdfParameters,
  type ScryptCost,
} from "./kdf.ts";
import { keccak256 } from "./keccak.ts";
import { addressOf, isPrivateKey } from "./secp256k1.ts";

/*
 * Web3 Secret Storage, version 3: what geth, ethers and Theta's tools write and read.
 *
 *   key = kdf(password), 32 bytes
 *   ciphertext = aes-128-ctr(key[0..16], iv, private key)
 *   mac = keccak256(key[16..32] || ciphertext)
 *
 * Parameters are bounded before any work is done on them. Clients of 2015 and 2016 wrote `Crypto`
 * for `crypto`: either is read, both in one file are refused.
 */

/** Why a key file did not open; `detail` is a sentence for people without secrets. */
export type KeystoreRefusal = {
  readonly code:
    | "malformed"
    | "unsupported"
    | "kdfOutOfBounds"
    | "passwordWrong"
    | "keyInvalid"
    | "addressMismatch";
  readonly detail: string;
};

/** An opened key file. */
export type OpenedKeystore = {
  readonly privateKey: Uint8Array;
  readonly address: Address;
  /** The file's key derivation is far cheaper to guess against than ours. */
  readonly isWeak: boolean;
};

/** How a key file is written; the defaults are the standard cost and fresh random values. */
export type KeystoreOptions = {
  readonly cost?: ScryptCost;
  readonly salt?: Uint8Array;
  readonly iv?: Uint8Array;
  readonly id?: string;
};

/** A fresh private key. */
export function createPrivateKey(): Uint8Array {
  for (;;) {
    const bytes = randomBytes(32);
    if (isPrivateKey(bytes)) return bytes; // All but one in 2^127.
  }
}

/** Writes a key file's JSON; the caller stores it with mode 0600, whole or not at all. */
export async function writeKeystore(
  privateKey: Uint8Array,
  password: string,
  options: KeystoreOptions = {},
): Promise<string> {
  assert(isPrivateKey(privateKey), "not a private key");
  const cost = options.cost ?? scryptStandard;
  const salt = options.salt ?? randomBytes(32);
  const iv = options.iv ?? randomBytes(16);
  const parameters: KdfParameters = { type: "scrypt", ...cost, salt };
  assert(kdfProblem(parameters) === null, "the cost of a key file is out of bounds");
  const key = await deriveKey(textToBytes(password), parameters);
  const ciphertext = await aes128Ctr(key.subarray(0, 16), iv, privateKey);
  return JSON.stringify({
    address: addressOf(privateKey).slice(2),
    crypto: {
      cipher: "aes-128-ctr",
      ciphertext: bytesToHexDigits(ciphertext),
      cipherparams: { iv: bytesToHexDigits(iv) },
      kdf: "scrypt",
      kdfparams: { dklen: 32, ...cost, salt: bytesToHexDigits(salt) },
      mac: bytesToHexDigits(macOf(key, ciphertext)),
    },
    id: options.id ?? crypto.randomUUID(),
    version: 3,
  });
}

function macOf(key: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  return keccak256(concatBytes(key.subarray(16, 32), ciphertext));
}

type Sealed = {
  readonly kdf: KdfParameters;
  readonly ciphertext: Uint8Array;
  readonly iv: Uint8Array;
  readonly mac: Uint8Array;
  readonly address: Address | null;
};

function malformed(detail: string): { readonly ok: false; readonly refusal: KeystoreRefusal } {
  return refuse({ code: "malformed", detail });
}

function unsupported(detail: string): { readonly ok: false; readonly refusal: KeystoreRefusal } {
  return refuse({ code: "unsupported", detail });
}

function readSealed(text: string): Outcome<Sealed, KeystoreRefusal> {
  const file = parseJsonObject(text);
  if (file === null) return malformed("the key file is not a JSON object");
  const version = numberMember(file, "version");
  if (version !== 3) return unsupported(`the key file has version ${version}, wanted is 3`);
  if ("crypto" in file && "Crypto" in file) return malformed("the key file has crypto twice");
  const sealed = objectMember(file, "crypto") ?? objectMember(file, "Crypto");
  if (sealed === null) return malformed("the key file has no member crypto");
  const cipher = textMember(sealed, "cipher");
  if (cipher !== "aes-128-ctr") {
    return unsupported(`the cipher is ${cipher?.slice(0, 40) ?? "missing"}, wanted is aes-128-ctr`);
  }
  const kdf = readKdf(sealed);
  if (!kdf.ok) return kdf;
  const ciphertext = hexMember(sealed, "ciphertext", 32);
  const iv = hexMember(objectMember(sealed, "cipherparams"), "iv", 16);
  const mac = hexMember(sealed, "mac", 32);
  if (ciphertext === null || iv === null || mac === null) {
    return malformed("ciphertext, iv or mac of the key file is missing or of another length");
  }
  const addressText = file["address"];
  const address = typeof addressText === "string" ? textToAddressOrNull(addressText) : null;
  if (addressText !== undefined && address === null) {
    return malformed("the address of the key file is not an address");
  }
  return accept({ kdf: kdf.value, ciphertext, iv, mac, address });
}

function readKdf(sealed: JsonObject): Outcome<KdfParameters, KeystoreRefusal> {
  const type = textMember(sealed, "kdf");
  const members = objectMember(sealed, "kdfparams");
  const salt = hexMember(members, "salt");
  if (salt === null) return malformed("the salt of the key file is missing or not hex");
  if (numberMember(members, "dklen") !== 32) return unsupported("dklen of the key file is not 32");
  let parameters: KdfParameters;
  if (type === "scrypt") {
    const n = numberMember(members, "n");
    const r = numberMember(members, "r");
    const p = numberMember(members, "p");
    if (n === null || r === null || p === null) return malformed("n, r or p is not a number");
    parameters = { type, n, r, p, salt };
  } else if (type === "pbkdf2") {
    const prf = textMember(members, "prf");
    if (prf !== "hmac-sha256") return unsupported("the prf of the key file is not hmac-sha256");
    const c = numberMember(members, "c");
    if (c === null) return malformed("c is not a number");
    parameters = { type, c, salt };
  } else {
    return unsupported("the kdf of the key file is neither scrypt nor pbkdf2");
  }
  const problem = kdfProblem(parameters);
  return problem === null
    ? accept(parameters)
    : refuse({ code: "kdfOutOfBounds", detail: problem });
}

/** Opens a key file. Takes as long as its parameters say, at most about four times ours. */
export async function openKeystore(
  text: string,
  password: string,
): Promise<Outcome<OpenedKeystore, KeystoreRefusal>> {
  const sealed = readSealed(text);
  if (!sealed.ok) return sealed;
  const { kdf, ciphertext, iv, mac, address } = sealed.value;
  const key = await unlock(sealed.value, password);
  if (key === null) {
    return refuse({
      code: "passwordWrong",
      detail: `the password is wrong, or the mac ${short(mac)}`,
    });
  }
  const privateKey = await aes128Ctr(key.subarray(0, 16), iv, ciphertext);
  if (!isPrivateKey(privateKey)) {
    return refuse({ code: "keyInvalid", detail: "the key file holds no valid private key" });
  }
  const derived = addressOf(privateKey);
  if (address !== null && address !== derived) {
    const detail = `the key file names address ${address} but holds the key of ${derived}`;
    return refuse({ code: "addressMismatch", detail });
  }
  return accept({ privateKey, address: derived, isWeak: isWeakKdf(kdf) });
}

function short(bytes: Uint8Array): string {
  return `${bytesToHexDigits(bytes.subarray(0, 4))}… was changed`;
}

/**
 * Geth and Theta take the password's bytes as typed, ethers normalises them first: either opens.
 */
async function unlock(sealed: Sealed, password: string): Promise<Uint8Array | null> {
  for (const spelling of new Set([password, password.normalize("NFKC")])) {
    const key = await deriveKey(textToBytes(spelling), sealed.kdf);
    if (equalConstantTime(macOf(key, sealed.ciphertext), sealed.mac)) return key;
  }
  return null;
}

/** The address that a key file names, without opening it; `null` if it names none. */
export function keystoreAddress(text: string): Address | null {
  return textToAddressOrNull(textMember(parseJsonObject(text), "address") ?? "none");
}

/**
 * Reads Theta's plain key file, `{address, privatekey, id, version}`, or bare hex digits of a key.
 */
export function readPlainKey(text: string): Outcome<OpenedKeystore, KeystoreRefusal> {
  const file = parseJsonObject(text);
  const privateKey =
    file === null ? hexToBytesOrNull(text.trim()) : hexMember(file, "privatekey", 32);
  if (privateKey === null || !isPrivateKey(privateKey)) {
    return refuse({ code: "keyInvalid", detail: "the text holds no valid private key" });
  }
  const address = addressOf(privateKey);
  const named = file === null ? null : keystoreAddress(text);
  if (named !== null && named !== address) {
    const detail = `the key file names address ${named} but holds the key of ${address}`;
    return refuse({ code: "addressMismatch", detail });
  }
  return accept({ privateKey, address, isWeak: true });
}

import { sha256 } from "@noble/hashes/sha2.js";
import { assert } from "../base/assert.ts";
import { bytesToHexDigits, concatBytes, equalBytes, textToBytes } from "../base/bytes.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { blsPublicKeyOf, isBlsSecretKey } from "./bls.ts";
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
  kdfProblem,
  randomBytes,
  scryptStandard,
  type KdfParameters,
} from "./kdf.ts";
import type { KeystoreOptions, KeystoreRefusal } from "./keystore.ts";

/*
 * BLS key files, version 4 [EIP-2335]. Like version 3, but the three modules name their functions,
 * the checksum is sha256(key[16..32] || ciphertext), and the password is normalised to NFKD without
 * control characters.
 */

/** An opened BLS key file. */
export type OpenedBlsKeystore = {
  readonly secretKey: Uint8Array;
  readonly publicKey: Uint8Array;
  /** Derivation path of EIP-2334; empty if unknown. */
  readonly path: string;
};

function passwordBytes(password: string): Uint8Array {
  // By code point, of which a letter may have several: only control characters go.
  const kept = Array.from(password.normalize("NFKD")).filter((character) => {
    const code = character.codePointAt(0) ?? 0;
    return code >= 0x20 && (code < 0x7f || code > 0x9f);
  });
  return textToBytes(kept.join(""));
}

function checksumOf(key: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  return sha256(concatBytes(key.subarray(16, 32), ciphertext));
}

/** Writes a BLS key file's JSON; the caller stores it with mode 0600, whole or not at all. */
export async function writeBlsKeystore(
  secretKey: Uint8Array,
  password: string,
  options: KeystoreOptions & { readonly path?: string; readonly description?: string } = {},
): Promise<string> {
  assert(isBlsSecretKey(secretKey), "not a BLS secret key");
  const cost = options.cost ?? scryptStandard;
  const salt = options.salt ?? randomBytes(32);
  const iv = options.iv ?? randomBytes(16);
  const parameters: KdfParameters = { type: "scrypt", ...cost, salt };
  assert(kdfProblem(parameters) === null, "the cost of a key file is out of bounds");
  const key = await deriveKey(passwordBytes(password), parameters);
  const ciphertext = await aes128Ctr(key.subarray(0, 16), iv, secretKey);
  const module = (name: string, params: object, message: Uint8Array): object => ({
    function: name,
    params,
    message: bytesToHexDigits(message),
  });
  return JSON.stringify({
    crypto: {
      kdf: module(
        "scrypt",
        { dklen: 32, ...cost, salt: bytesToHexDigits(salt) },
        new Uint8Array(0),
      ),
      checksum: module("sha256", {}, checksumOf(key, ciphertext)),
      cipher: module("aes-128-ctr", { iv: bytesToHexDigits(iv) }, ciphertext),
    },
    description: options.description ?? "",
    pubkey: bytesToHexDigits(blsPublicKeyOf(secretKey)),
    path: options.path ?? "",
    uuid: options.id ?? crypto.randomUUID(),
    version: 4,
  });
}

type Refused = { readonly ok: false; readonly refusal: KeystoreRefusal };

function malformed(detail: string): Refused {
  return refuse({ code: "malformed", detail });
}

function readKdf(sealed: JsonObject | null): Outcome<KdfParameters, KeystoreRefusal> {
  const module = objectMember(sealed, "kdf");
  const members = objectMember(module, "params");
  const type = textMember(module, "function");
  const salt = hexMember(members, "salt");
  if (salt === null || numberMember(members, "dklen") !== 32) {
    return malformed("salt or dklen of the BLS key file is missing or of another form");
  }
  let parameters: KdfParameters;
  if (type === "scrypt") {
    const n = numberMember(members, "n") ?? 0;
    const r = numberMember(members, "r") ?? 0;
    const p = numberMember(members, "p") ?? 0;
    parameters = { type, n, r, p, salt };
  } else if (type === "pbkdf2" && textMember(members, "prf") === "hmac-sha256") {
    parameters = { type, c: numberMember(members, "c") ?? 0, salt };
  } else {
    return refuse({ code: "unsupported", detail: "the kdf of the BLS key file is not supported" });
  }
  const problem = kdfProblem(parameters);
  return problem === null
    ? accept(parameters)
    : refuse({ code: "kdfOutOfBounds", detail: problem });
}

/** Opens a BLS key file. */
export async function openBlsKeystore(
  text: string,
  password: string,
): Promise<Outcome<OpenedBlsKeystore, KeystoreRefusal>> {
  const file = parseJsonObject(text);
  const version = numberMember(file, "version");
  if (version !== 4) {
    const detail = `the BLS key file has version ${version}, wanted is 4`;
    return file === null ? malformed("not a JSON object") : refuse({ code: "unsupported", detail });
  }
  const sealed = objectMember(file, "crypto");
  const kdf = readKdf(sealed);
  if (!kdf.ok) return kdf;
  const cipher = objectMember(sealed, "cipher");
  const checksum = objectMember(sealed, "checksum");
  const ciphertext = hexMember(cipher, "message", 32);
  const iv = hexMember(objectMember(cipher, "params"), "iv", 16);
  const expected = hexMember(checksum, "message", 32);
  if (ciphertext === null || iv === null || expected === null) {
    return malformed("cipher or checksum of the BLS key file is missing or of another length");
  }
  if (
    textMember(cipher, "function") !== "aes-128-ctr" ||
    textMember(checksum, "function") !== "sha256"
  ) {
    return refuse({ code: "unsupported", detail: "the BLS key file names an unknown function" });
  }
  const key = await deriveKey(passwordBytes(password), kdf.value);
  if (!equalConstantTime(checksumOf(key, ciphertext), expected)) {
    const detail = "the password is wrong, or the BLS key file was changed";
    return refuse({ code: "passwordWrong", detail });
  }
  const secretKey = await aes128Ctr(key.subarray(0, 16), iv, ciphertext);
  if (!isBlsSecretKey(secretKey)) {
    return refuse({ code: "keyInvalid", detail: "the BLS key file holds no valid secret key" });
  }
  const publicKey = blsPublicKeyOf(secretKey);
  const named = file?.["pubkey"] === undefined ? publicKey : hexMember(file, "pubkey", 48);
  if (named === null || !equalBytes(named, publicKey)) {
    const detail = "the BLS key file names another public key than it holds";
    return refuse({ code: "addressMismatch", detail });
  }
  return accept({ secretKey, publicKey, path: textMember(file, "path") ?? "" });
}

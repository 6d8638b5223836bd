import { scryptAsync } from "@noble/hashes/scrypt.js";

/*
 * Keys from passwords, and the cipher of key files. A key file comes from outside, so its cost is
 * bounded before any work: otherwise one number in a file of 500 bytes takes the machine's memory
 * or an hour.
 */

/** How a password becomes a key of 32 bytes; the PRF of PBKDF2 is HMAC-SHA-256. */
export type KdfParameters =
  | {
      readonly type: "scrypt";
      readonly n: number;
      readonly r: number;
      readonly p: number;
      readonly salt: Uint8Array;
    }
  | { readonly type: "pbkdf2"; readonly c: number; readonly salt: Uint8Array };

/** Cost of scrypt: memory is 128·n·r bytes, time grows with n·r·p. */
export type ScryptCost = { readonly n: number; readonly r: number; readonly p: number };

/** What key files are written with: about 0.8 s and 256 MiB for each guess. */
export const scryptStandard: ScryptCost = { n: 262_144, r: 8, p: 1 };

/** Light mode of the Ethereum clients, for small machines and tests: about 0.1 s and 4 MiB. */
export const scryptLight: ScryptCost = { n: 4_096, r: 8, p: 6 };

/** Memory for one derivation: twice the standard cost. */
export const scryptMemoryBytesMax = 536_870_912;

/** n·r·p of one derivation: four times the standard cost. */
export const scryptWorkMax = 8_388_608;

/** Lanes of one derivation; no client writes more than 8. */
export const scryptLanesMax = 16;

/** Iterations of PBKDF2: a few seconds. */
export const pbkdf2IterationsMax = 10_000_000;

/** Bytes of salt. */
export const saltBytesMax = 1_024;

/** Below this n·r·p (light mode is above) or a tenth of the usual iterations, guessing is cheap. */
const scryptWorkWeak = 131_072;
const pbkdf2IterationsWeak = 26_214;

/** Why the parameters are refused, as a sentence; `null` if they are fine. */
export function kdfProblem(parameters: KdfParameters): string | null {
  if (parameters.salt.length > saltBytesMax) {
    return `the salt has ${parameters.salt.length} bytes, at most ${saltBytesMax} are taken`;
  }
  return parameters.type === "scrypt" ? scryptProblem(parameters) : pbkdf2Problem(parameters.c);
}

function scryptProblem({ n, r, p }: ScryptCost): string | null {
  if (![n, r, p].every((value) => Number.isSafeInteger(value) && value > 0)) {
    return `n ${n}, r ${r} and p ${p} of scrypt must be positive integers`;
  }
  if (n < 2 || n > scryptWorkMax || !Number.isInteger(Math.log2(n))) {
    return `n ${n} of scrypt must be a power of two from 2 to ${scryptWorkMax}`;
  }
  if (p > scryptLanesMax) return `p ${p} of scrypt is above ${scryptLanesMax}`;
  if (128 * n * r > scryptMemoryBytesMax) {
    return `n ${n} and r ${r} of scrypt need more than ${scryptMemoryBytesMax} bytes of memory`;
  }
  if (n * r * p > scryptWorkMax) {
    return `n ${n}, r ${r} and p ${p} of scrypt need more work than ${scryptWorkMax}`;
  }
  return null;
}

function pbkdf2Problem(c: number): string | null {
  return Number.isSafeInteger(c) && c > 0 && c <= pbkdf2IterationsMax
    ? null
    : `c ${c} of pbkdf2 must be from 1 to ${pbkdf2IterationsMax}`;
}

/** Whether guessing passwords against these parameters is far cheaper than against ours. */
export function isWeakKdf(parameters: KdfParameters): boolean {
  return parameters.type === "scrypt"
    ? parameters.n * parameters.r * parameters.p < scryptWorkWeak
    : parameters.c < pbkdf2IterationsWeak;
}

/** Derives 32 bytes; the parameters were checked by `kdfProblem`. */
export async function deriveKey(
  password: Uint8Array,
  parameters: KdfParameters,
): Promise<Uint8Array> {
  if (parameters.type === "pbkdf2") {
    return pbkdf2Sha256(password, parameters.salt, { c: parameters.c, sizeBytes: 32 });
  }
  const { n, r, p, salt } = parameters;
  // OpenSSL keeps to RFC 7914's n < 2^(16·r), old geth files (n 2^18, r 1) do not. It must not be
  // asked: after a refusal its error queue makes Node's next WebCrypto call abort the process.
  const native = n < 2 ** (16 * r) ? await loadScrypt() : null;
  if (native !== null) return native(password, salt, { n, r, p });
  return scryptAsync(password, salt, { N: n, r, p, dkLen: 32 });
}

/** PBKDF2 with HMAC-SHA-256, by the platform. */
export async function pbkdf2Sha256(
  password: Uint8Array,
  salt: Uint8Array,
  { c, sizeBytes }: { readonly c: number; readonly sizeBytes: number },
): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey("raw", Uint8Array.from(password), "PBKDF2", false, [
    "deriveBits",
  ]);
  const algorithm = {
    name: "PBKDF2",
    hash: "SHA-256",
    salt: Uint8Array.from(salt),
    iterations: c,
  };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, sizeBytes * 8));
}

type ScryptFunction = (
  password: Uint8Array,
  salt: Uint8Array,
  cost: ScryptCost,
) => Promise<Uint8Array>;

async function loadScrypt(): Promise<ScryptFunction | null> {
  if (!("process" in globalThis)) return null; // A browser.
  return (await import("./scrypt.node.ts")).nativeScrypt;
}

/** AES-128 in counter mode, which is its own inverse; key and counter have 16 bytes. */
export async function aes128Ctr(
  key: Uint8Array,
  counter: Uint8Array,
  text: Uint8Array,
): Promise<Uint8Array> {
  const cryptoKey = await crypto.subtle.importKey("raw", Uint8Array.from(key), "AES-CTR", false, [
    "encrypt",
  ]);
  const algorithm = { name: "AES-CTR", counter: Uint8Array.from(counter), length: 128 };
  return new Uint8Array(await crypto.subtle.encrypt(algorithm, cryptoKey, Uint8Array.from(text)));
}

/** Equality in a time that depends on the length alone: for secrets and their checksums. */
export function equalConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i += 1) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/** Bytes from the system's generator, at most 65,536. */
export function randomBytes(sizeBytes: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(sizeBytes));
}

import { assert } from "../../base/assert.ts";
import { bytesToHex, equalBytes, hexToBytesOrNull, textToBytes } from "../../base/bytes.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import { encodeRlp, rlpNumber } from "../../base/rlp.ts";

/*
 * What a file consists of: its size, and the SHA-256 of each chunk. The manifest's own hash is the
 * default resource id, so a voucher names the very bytes that it pays for, and every relay of one
 * file serves under one id. SHA-256, because every platform has it in native code.
 */

/** A file's hash list. */
export type Manifest = {
  readonly sizeBytes: number;
  /** Bytes of each chunk but the last. */
  readonly chunkBytes: number;
  /** 32 bytes a chunk, in order. */
  readonly hashes: Uint8Array;
};

/** What goes over the wire. */
export type ManifestJson = {
  readonly sizeBytes: number;
  readonly chunkBytes: number;
  /** `0x` and hex. */
  readonly hashes: string;
};

/** Least and most bytes of a chunk. */
export const chunkBytesMin = 1_024;
/** See `chunkBytesMin`. */
export const chunkBytesMax: number = 16 * 1_024 * 1_024;

/** Bytes of a chunk unless told otherwise. */
export const chunkBytesDefault: number = 64 * 1_024;

/** Chunks of one file; the hash list of so many has 8 MiB. */
export const chunksMax: number = 256 * 1_024;

/** Bytes of a manifest on the wire: hex of the longest list, and some. */
export const manifestBytesMax: number = 17 * 1_024 * 1_024;

const hashSize = 32;

/** SHA-256, off the main thread where the platform does so. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** A way to compute SHA-256: platforms have faster ones than the one that all have. */
export type Sha256 = (bytes: Uint8Array<ArrayBuffer>) => Uint8Array | Promise<Uint8Array>;

/** How many chunks the file has. */
export function chunkCount(manifest: Pick<Manifest, "sizeBytes" | "chunkBytes">): number {
  return Math.ceil(manifest.sizeBytes / manifest.chunkBytes);
}

/** Where a chunk lies: `start` inclusive, `end` exclusive. */
export function chunkRange(
  manifest: Pick<Manifest, "sizeBytes" | "chunkBytes">,
  index: number,
): { readonly start: number; readonly end: number } {
  const start = index * manifest.chunkBytes;
  const end = Math.min(start + manifest.chunkBytes, manifest.sizeBytes);
  assert(index >= 0 && start < end, `no chunk ${index}`);
  return { start, end };
}

/** The manifest's name: `0x` and the SHA-256 of its RLP. */
export async function manifestId(manifest: Manifest): Promise<string> {
  const { sizeBytes, chunkBytes, hashes } = manifest;
  const tag = textToBytes("ledger.manifest.1");
  const bytes = encodeRlp([tag, rlpNumber(sizeBytes), rlpNumber(chunkBytes), hashes]);
  return bytesToHex(await sha256(Uint8Array.from(bytes)));
}

/** Whether the bytes are that chunk of the file. */
export async function isChunk(
  manifest: Manifest,
  index: number,
  bytes: Uint8Array<ArrayBuffer>,
  hash: Sha256 = sha256,
): Promise<boolean> {
  const { start, end } = chunkRange(manifest, index);
  if (bytes.length !== end - start) return false;
  const expected = manifest.hashes.subarray(index * hashSize, (index + 1) * hashSize);
  return equalBytes(await hash(bytes), expected);
}

/** For the wire. */
export function manifestToJson({ sizeBytes, chunkBytes, hashes }: Manifest): ManifestJson {
  return { sizeBytes, chunkBytes, hashes: bytesToHex(hashes) };
}

/** A manifest from outside; the refusal says what is wrong with it. */
export function readManifest(value: unknown): Outcome<Manifest, string> {
  if (typeof value !== "object" || value === null) return refuse("it is not an object");
  const { sizeBytes, chunkBytes, hashes } = value as Partial<Record<keyof ManifestJson, unknown>>;
  if (typeof sizeBytes !== "number" || !Number.isSafeInteger(sizeBytes) || sizeBytes < 1)
    return refuse("sizeBytes is not a size");
  if (
    typeof chunkBytes !== "number" ||
    !Number.isSafeInteger(chunkBytes) ||
    chunkBytes < chunkBytesMin ||
    chunkBytes > chunkBytesMax
  )
    return refuse(`chunkBytes is not between ${chunkBytesMin} and ${chunkBytesMax}`);
  const count = chunkCount({ sizeBytes, chunkBytes });
  if (count > chunksMax) return refuse(`more than ${chunksMax} chunks`);
  const list = typeof hashes === "string" ? hexToBytesOrNull(hashes) : null;
  if (list?.length !== count * hashSize) return refuse(`hashes does not hold ${count} hashes`);
  return accept({ sizeBytes, chunkBytes, hashes: list });
}

/*
 * Signer bitmaps: bit i, counted from the lowest bit of byte 0, is validator i. A bitmap of a
 * committee of n is exactly ceil(n / 8) bytes with the spare bits zero, so one set of signers has
 * one form.
 */

/** Indices of the set bits, ascending. */
export function signersOf(bitmap: Uint8Array): readonly number[] {
  const indices: number[] = [];
  for (let at = 0; at < bitmap.length; at += 1) {
    const byte = bitmap[at] ?? 0;
    for (let bit = 0; bit < 8; bit += 1) if ((byte >> bit) % 2 === 1) indices.push(at * 8 + bit);
  }
  return indices;
}

/** The bitmap of these indices, each below `committeeSize`, in any order. */
export function signersToBitmap(indices: Iterable<number>, committeeSize: number): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(committeeSize / 8));
  for (const index of indices) {
    bitmap[index >> 3] = (bitmap[index >> 3] ?? 0) | (1 << (index & 7));
  }
  return bitmap;
}

/** Whether the bitmap has the one form that a committee of this size gives it. */
export function isCanonicalBitmap(bitmap: Uint8Array, committeeSize: number): boolean {
  if (bitmap.length !== Math.ceil(committeeSize / 8)) return false;
  const spareBits = bitmap.length * 8 - committeeSize;
  return (bitmap[bitmap.length - 1] ?? 0) >> (8 - spareBits) === 0;
}

/** Whether validator `index` is in it. */
export function hasSigner(bitmap: Uint8Array, index: number): boolean {
  return ((bitmap[index >> 3] ?? 0) >> (index & 7)) % 2 === 1;
}

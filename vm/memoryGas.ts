/** Bytes of a word. */
export const wordBytes = 32;

/** More words cost more gas than a number holds exactly, and than anybody has. */
export const memoryWordsMax: number = 1 << 26;

/** Gas of so much memory: 3 a word, and the square of the words by 512 [Yellow Paper, C_mem]. */
export function memoryGasOf(words: number): number {
  return 3 * words + Math.floor((words * words) / 512);
}

/** Words that these bytes fill, the last perhaps in part. */
export function wordsOf(size: bigint): number {
  return Number((size + 31n) / 32n);
}

/** The big-endian number of at most 32 bytes. */
export function wordFrom(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = bytes.length % 4;
  let head = 0;
  for (let i = 0; i < at; i += 1) head = head * 256 + view.getUint8(i);
  let word = BigInt(head);
  if ((bytes.length - at) % 8 !== 0) {
    word = (word << 32n) | BigInt(view.getUint32(at));
    at += 4;
  }
  for (; at < bytes.length; at += 8) word = (word << 64n) | view.getBigUint64(at);
  return word;
}

/** The big-endian word at a place that has 32 bytes. */
export function readWord(view: DataView, at: number): bigint {
  const low = view.getBigUint64(at + 24);
  const second = view.getBigUint64(at + 16);
  const third = view.getBigUint64(at + 8);
  const high = view.getBigUint64(at);
  if (second === 0n && third === 0n && high === 0n) return low;
  return (high << 192n) | (third << 128n) | (second << 64n) | low;
}

/** Writes 32 bytes. */
export function writeWord(view: DataView, at: number, word: bigint): void {
  view.setBigUint64(at + 24, word); // Takes what fits 64 bits.
  const rest = word >> 64n;
  view.setBigUint64(at + 16, rest);
  view.setBigUint64(at + 8, rest === 0n ? 0n : rest >> 64n);
  view.setBigUint64(at, rest === 0n ? 0n : rest >> 128n);
}

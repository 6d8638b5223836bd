/** Bytes of something: `start` inclusive, `end` exclusive. */
export type ByteRange = { readonly start: number; readonly end: number };

/** The name under which both sides remember that a range was paid for. */
export function rangeName(manifestId: string, { start, end }: ByteRange): string {
  return `${manifestId} ${start}-${end}`;
}

/** The range of a name, if it is of this file. */
export function readRangeName(manifestId: string, name: string): ByteRange | null {
  const match = /^(\S+) (\d{1,15})-(\d{1,15})$/.exec(name);
  if (match === null || match[1] !== manifestId) return null;
  return { start: Number(match[2]), end: Number(match[3]) };
}

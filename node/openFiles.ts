import { existsSync, readFileSync } from "node:fs";

/**
 * Files that the store, its compactions, the journals and the runtime may have open at one time.
 */
export const openFilesReserved = 256;

/** Below this many open files the connections get a quarter of them. */
const openFilesScarce = 2 * openFilesReserved;

/** How many files this process may open; `null` where the system does not tell. */
export function openFilesMax(): number | null {
  const path = "/proc/self/limits";
  if (!existsSync(path)) return null;
  const soft = /^Max open files +(\d+)/m.exec(readFileSync(path, "utf8"))?.[1];
  return soft === undefined ? null : Number(soft);
}

/**
 * How many connections leave enough files for consensus: a store that cannot open a file ends the
 * node, a client that is turned away comes again.
 */
export function connectionsMaxOf(filesMax: number | null, wanted: number): number {
  if (filesMax === null) return wanted;
  const left = filesMax < openFilesScarce ? Math.floor(filesMax / 4) : filesMax - openFilesReserved;
  return Math.max(1, Math.min(wanted, left));
}

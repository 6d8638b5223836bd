import { readlinkSync } from "node:fs";
import { constants, getPriority, setPriority } from "node:os";

/**
 * Lets the calling thread yield to the others of this machine where they want the processor: for
 * work that is done ahead of need. Only Linux knows threads by number (proc(5),
 * `/proc/thread-self`); elsewhere, and where it may not be set, everything stays as it is.
 */
export function yieldToOthers(): void {
  if (process.platform !== "linux") return;
  try {
    const thread = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
    const { PRIORITY_BELOW_NORMAL } = constants.priority;
    if (getPriority(thread) < PRIORITY_BELOW_NORMAL) setPriority(thread, PRIORITY_BELOW_NORMAL);
  } catch {
    // Nobody waits for it.
  }
}

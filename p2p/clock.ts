/**
 * Time, handed in: milliseconds that only go forward, and something to be done later. Tests crank
 * one by hand.
 */
export interface Clock {
  now(): number;
  /** Calls back once, after at least `delayMs`; the result cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}

/** The machine's own. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** A deadline as a signal; `cancel` when whatever it limits is done. */
export type Deadline = {
  readonly signal: AbortSignal;
  readonly expired: () => boolean;
  readonly cancel: () => void;
};

/** Aborts after `delayMs`, or earlier with `outer`. */
export function createDeadline(clock: Clock, delayMs: number, outer?: AbortSignal): Deadline {
  const controller = new AbortController();
  let late = false;
  const stop = clock.after(delayMs, () => {
    late = true;
    controller.abort();
  });
  const onOuter = (): void => controller.abort();
  if (outer?.aborted === true) onOuter();
  else outer?.addEventListener("abort", onOuter, { once: true });
  return {
    signal: controller.signal,
    expired: () => late,
    cancel: () => {
      stop();
      outer?.removeEventListener("abort", onOuter);
    },
  };
}

/** Resolves after `delayMs`, or as soon as the signal aborts. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      cancel();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(delayMs, done);
    signal.addEventListener("abort", done, { once: true });
  });
}

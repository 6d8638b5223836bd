/**
 * A broken invariant: a bug in this program, never bad input. `node/` ends the process with exit
 * code 70.
 */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Stops on a broken invariant. Always on. The message says what must hold and does not. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Closes a `switch` over a union: a case that is not handled does not compile. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`);
}

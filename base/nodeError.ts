/**
 * A failure of the world around the program: disk, socket, file, flag. Carries a stable `code` for
 * machines, one short sentence for people in `message`, and in `hint` the next thing to do.
 */
export class NodeError extends Error {
  override readonly name: string = "NodeError";
  /** Stable, upper case, e.g. `E_PORT_IN_USE`. */
  readonly code: string;
  /** What to do next, as a sentence or a command; `null` if there is nothing to say. */
  readonly hint: string | null;

  constructor(
    code: string,
    message: string,
    options: { readonly hint?: string; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint ?? null;
  }
}

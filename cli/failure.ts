import { AssertionError } from "../base/assert.ts";
import { NodeError } from "../base/nodeError.ts";

/** A mistake in the command line or the configuration: exit code 2. */
export class UsageError extends NodeError {
  override readonly name = "UsageError";

  constructor(message: string, options: { readonly code?: string; readonly hint?: string } = {}) {
    super(
      options.code ?? "E_USAGE",
      message,
      options.hint === undefined ? {} : { hint: options.hint },
    );
  }
}

/** The user pressed Ctrl-C: exit code 130. */
export class InterruptedError extends NodeError {
  override readonly name = "InterruptedError";

  constructor() {
    super("E_INTERRUPTED", "interrupted");
  }
}

/** Exit codes of both programs. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  timeout: 4,
  authentication: 5,
  integrity: 6,
  bug: 70,
  interrupted: 130,
} as const;

const exitCodeOf: ReadonlyMap<string, number> = new Map([
  ["E_USAGE", exitCodes.usage],
  ["E_BAD_ADDRESS", exitCodes.usage],
  ["E_BAD_CHECKSUM", exitCodes.usage],
  ["E_BAD_AMOUNT", exitCodes.usage],
  ["E_CONFIG", exitCodes.usage],
  ["E_FOLDER", exitCodes.usage],
  ["E_GENESIS", exitCodes.usage],
  ["E_NODE_UNREACHABLE", exitCodes.unreachable],
  ["E_BAD_RESPONSE", exitCodes.unreachable],
  ["E_TIMEOUT", exitCodes.timeout],
  ["E_BAD_PASSWORD", exitCodes.authentication],
  ["E_NO_PASSWORD", exitCodes.authentication],
  ["E_KEYSTORE_CORRUPT", exitCodes.integrity],
  ["E_KEYS", exitCodes.integrity],
  ["E_DATA_CHAIN", exitCodes.integrity],
  ["E_DATA_FORMAT", exitCodes.integrity],
  ["E_STORE_CORRUPT", exitCodes.integrity],
  ["E_DATA_CORRUPT", exitCodes.integrity],
  ["E_GENESIS_MISMATCH", exitCodes.integrity],
  ["E_SAFETY_FILE", exitCodes.integrity],
  ["E_PROOF_INVALID", exitCodes.integrity],
  ["E_PAY_STATE_CORRUPT", exitCodes.integrity],
  ["E_PAY_STATE_FORMAT", exitCodes.integrity],
  ["E_PAY_STATE_CHAIN", exitCodes.integrity],
  ["E_HALT", exitCodes.bug],
  ["E_INTERRUPTED", exitCodes.interrupted],
]);

/** The exit code that an error of this kind ends a program with. */
export function exitCodeFor(error: unknown): number {
  if (error instanceof NodeError) return exitCodeOf.get(error.code) ?? exitCodes.failed;
  return error instanceof AssertionError ? exitCodes.bug : exitCodes.failed;
}

/** How an error is shown. */
export type ErrorFormat = {
  readonly json: boolean;
  /** Also the causes, one a line. */
  readonly verbose: boolean;
  readonly color: boolean;
};

/** The text for standard error, ending in a newline. */
export function describeError(error: unknown, format: ErrorFormat): string {
  const failure = asFailure(error);
  if (format.json) return `${JSON.stringify({ error: jsonError(failure, exitCodeFor(error)) })}\n`;
  const head = `error[${failure.code}]:`;
  const lines = [`${format.color ? `\u001b[31m${head}\u001b[39m` : head} ${failure.message}`];
  if (failure.hint !== null) lines.push(`  try: ${failure.hint}`);
  if (format.verbose) lines.push(...causes(error));
  return `${lines.join("\n")}\n`;
}

type Failure = {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
  readonly rpcCode?: number;
  readonly data?: unknown;
};

function asFailure(error: unknown): Failure {
  if (error instanceof NodeError) {
    const { code, message, hint } = error;
    const rpcCode = "rpcCode" in error && typeof error.rpcCode === "number" ? error.rpcCode : null;
    const data = "data" in error ? error.data : null;
    return { code, message, hint, ...(rpcCode === null ? {} : { rpcCode, data }) };
  }
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof AssertionError)
    return { code: "E_BUG", message, hint: "this is a bug in the program: please report it" };
  if (error instanceof Error && "code" in error && typeof error.code === "string")
    return { code: error.code.startsWith("E") ? error.code : "E_FAILED", message, hint: null };
  return { code: "E_FAILED", message, hint: "run again with --verbose for the causes" };
}

function jsonError(failure: Failure, exit: number): Readonly<Record<string, unknown>> {
  const { code, message, hint, rpcCode, data } = failure;
  return {
    code,
    ...(rpcCode === undefined ? {} : { rpcCode }),
    message,
    hint,
    ...(data === undefined || data === null ? {} : { data }),
    exit,
  };
}

/** Causes deeper than this are not shown. */
const causesMax = 8;

function causes(error: unknown): readonly string[] {
  const lines: string[] = [];
  let at = error instanceof Error ? error.cause : undefined;
  while (at instanceof Error && lines.length < causesMax) {
    lines.push(`  because: ${at.name}: ${at.message}`);
    at = at.cause;
  }
  if (error instanceof Error && !(error instanceof NodeError) && error.stack !== undefined)
    lines.push(error.stack);
  return lines;
}

import { NodeError } from "../base/nodeError.ts";

/** The node did not answer: no connection, or the connection broke. */
export class UnreachableError extends NodeError {
  override readonly name = "UnreachableError";

  constructor(url: string, cause: unknown) {
    super("E_NODE_UNREACHABLE", `no node answers at ${url}${reasonOf(cause)}`, {
      hint: "start one with: ledger devnet   or name another with: --rpc URL",
      cause,
    });
  }
}

/** The node did not answer in time. */
export class TimeoutError extends NodeError {
  override readonly name = "TimeoutError";

  constructor(what: string, timeoutMs: number, hint?: string) {
    const message = `${what}: no answer within ${timeoutMs / 1_000} s`;
    super("E_TIMEOUT", message, hint === undefined ? {} : { hint });
  }
}

/** What answered does not speak JSON-RPC, or its result lacks a field that this client needs. */
export class ProtocolError extends NodeError {
  override readonly name = "ProtocolError";

  constructor(message: string, cause?: unknown) {
    super("E_BAD_RESPONSE", message, {
      hint: "check that the URL is the /rpc path of a ledger node",
      cause,
    });
  }
}

/** A JSON-RPC error as it came. */
type ErrorObject = { readonly code: number; readonly message: string; readonly data: unknown };

/** The node refused a request: a JSON-RPC error. */
export class RpcError extends NodeError {
  override readonly name = "RpcError";
  readonly method: string;
  /** JSON-RPC error number. */
  readonly rpcCode: number;
  /** The error's `data` as the node sent it; `null` if there was none. */
  readonly data: unknown;

  constructor(method: string, error: ErrorObject, hint?: string) {
    super(symbolOf(error), printable(error.message), hint === undefined ? {} : { hint });
    this.method = method;
    this.rpcCode = error.code;
    this.data = error.data ?? null;
  }

  /** The same error with the next thing to do. */
  withHint(hint: string): RpcError {
    const { rpcCode: code, message, data } = this;
    return new RpcError(this.method, { code, message, data }, hint);
  }
}

/** Longest message of a node that is repeated, in characters. */
const messageMax = 1_000;

/** A node's words without what could steer a terminal. */
function printable(text: string): string {
  let shown = "";
  for (const character of text.slice(0, messageMax)) {
    const code = character.codePointAt(0) ?? 0;
    shown += code < 0x20 || (code >= 0x7f && code < 0xa0) ? " " : character;
  }
  return shown;
}

/** A keystore file cannot be read or written, or is not what it claims to be. */
export class KeystoreError extends NodeError {
  override readonly name = "KeystoreError";
}

function reasonOf(cause: unknown): string {
  for (let at = cause, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth += 1) {
    if ("code" in at && typeof at.code === "string") return ` (${at.code})`;
  }
  return "";
}

const symbols: ReadonlyMap<number, string> = new Map([
  [-32700, "E_BAD_REQUEST"],
  [-32600, "E_BAD_REQUEST"],
  [-32601, "E_METHOD_NOT_FOUND"],
  [-32602, "E_BAD_PARAMETERS"],
  [-32005, "E_LIMIT"],
]);

/** Theta's result codes (theta.md 2.9) in words of the error catalogue. */
const thetaSymbols: ReadonlyMap<number, string> = new Map([
  [100001, "E_BAD_SIGNATURE"],
  [100002, "E_SEQUENCE"],
  [100003, "E_INSUFFICIENT_FUNDS"],
  [100005, "E_UNAUTHORIZED"],
  [100006, "E_FEE_TOO_LOW"],
  [105003, "E_FEE_TOO_LOW"],
  [105005, "E_GAS_LIMIT"],
  [106001, "E_STAKE"],
  [106002, "E_STAKE"],
  [106003, "E_STAKE"],
  [106004, "E_STAKE"],
  [106005, "E_STAKE"],
]);

function symbolOf(error: { readonly code: number; readonly data: unknown }): string {
  const { data } = error;
  if (typeof data === "object" && data !== null) {
    if ("code" in data && typeof data.code === "string" && /^E_[A-Z_]+$/.test(data.code))
      return data.code;
    if ("resultCode" in data && typeof data.resultCode === "number") {
      const symbol = thetaSymbols.get(data.resultCode);
      if (symbol !== undefined) return symbol;
    }
  }
  return symbols.get(error.code) ?? "E_REFUSED";
}

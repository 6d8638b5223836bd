import type { Outcome } from "../base/outcome.ts";
import type { JsonText, JsonValue } from "./json.ts";

/** A JSON-RPC 2.0 error object. */
export type RpcError = {
  readonly code: number;
  readonly message: string;
  readonly data?: JsonValue;
};

/** What a method answers. */
export type Answer = Outcome<JsonValue | JsonText, RpcError>;

/** Error numbers: JSON-RPC 2.0 section 5.1, EIP-1474, and Theta's one number for handler errors. */
export const errorCodes = {
  /** A contract reverted; `data` is what it said (go-ethereum). */
  reverted: 3,
  /** A synchronous send waited long enough [EIP-7966]; `data` is the hash. */
  syncTimeout: 4,
  parse: -32_700,
  invalidRequest: -32_600,
  methodNotFound: -32_601,
  invalidParams: -32_602,
  internal: -32_603,
  /** Theta's only handler error; Ethereum's generic server error. */
  server: -32_000,
  resourceNotFound: -32_001,
  transactionRejected: -32_003,
  limitExceeded: -32_005,
  /** Of messages and blocks of eth_simulateV1 [execution-apis]. */
  simulatedFailure: -32_015,
  nonceTooLow: -38_010,
  nonceTooHigh: -38_011,
  feeTooLow: -38_012,
  intrinsicGasTooLow: -38_013,
  fundsTooLow: -38_014,
  blockGasExceeded: -38_015,
  heightOrder: -38_020,
  timeOrder: -38_021,
  precompileToItself: -38_022,
  senderHasCode: -38_024,
  initCodeTooLarge: -38_025,
  simulationLimit: -38_026,
} as const;

/** A refusal of parameters. */
export function invalidParams(message: string): RpcError {
  return { code: errorCodes.invalidParams, message };
}

/** A refusal because of a named limit: the sender learns which, how much, and what it sent. */
export function limitExceeded(limit: string, limitMax: number, got: number | null): RpcError {
  const sent = got === null ? "" : `, this is ${got}`;
  return {
    code: errorCodes.limitExceeded,
    message: `limit ${limit} is ${limitMax}${sent}`,
    data: { limit, max: limitMax, ...(got === null ? {} : { got }) },
  };
}

/** Theta's error for whatever a handler cannot answer. */
export function serverError(message: string, data?: JsonValue): RpcError {
  return { code: errorCodes.server, message, ...(data === undefined ? {} : { data }) };
}

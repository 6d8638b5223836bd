import type { Digest } from "./brand.ts";
import { hexToBytes } from "./bytes.ts";
import { encodeRlp, rlpNumber, rlpText, type RlpItem } from "./rlp.ts";

/**
 * Starts every signed statement, so that its bytes are no transaction, header or foreign message.
 */
export const statementTag = "ledger.statement.1";

/**
 * What a key holder signs: at most one value per (key, genesis, domain, scope, slot) (DESIGN 3).
 */
export type Statement = {
  /** Kind of statement, for example `vote` or `timeout`. */
  readonly domain: string;
  /** Hash of the genesis: the chain meant, so a reset network cannot make old votes slashable. */
  readonly genesis: Digest;
  /** Which of several consensus engines of one chain; empty for the main one. */
  readonly scope: string;
  /** Where at most one value may be signed. */
  readonly slot: { readonly epoch: number; readonly view: number };
  /** Every field that is carried, in its canonical form. */
  readonly value: RlpItem;
};

/** The bytes that are signed: `rlp([tag, domain, genesis, scope, [epoch, view], value])`. */
export function encodeStatement(statement: Statement): Uint8Array {
  return encodeRlp([
    rlpText(statementTag),
    rlpText(statement.domain),
    hexToBytes(statement.genesis),
    rlpText(statement.scope),
    [rlpNumber(statement.slot.epoch), rlpNumber(statement.slot.view)],
    statement.value,
  ]);
}

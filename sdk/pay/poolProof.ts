import type { Address } from "../../base/brand.ts";
import { hexToBytes } from "../../base/bytes.ts";
import { moduleAddress } from "../../base/moduleAddress.ts";
import { decodeRlp, readFixed, readList } from "../../base/rlp.ts";
import { keccak256 } from "../../crypto/keccak.ts";
import type { Header } from "../../ledger/blockTypes.ts";
import {
  poolKey,
  poolReceiverKey,
  poolResourceKey,
  poolSchema,
  receiverSchema,
  type PoolId,
} from "../../ledger/pool.ts";
import { decodeWith, type Schema } from "../../ledger/schema.ts";
import { splitRuleKey, splitRuleSchema, type SplitRule } from "../../ledger/splitRule.ts";
import { verifyProof } from "../../store/proof.ts";
import { proofError, type ProvenAnswer } from "../light/client.ts";
import { readHex } from "../light/commitProof.ts";
import type { PoolView } from "./pool.ts";

/*
 * A pool as a node shows it with Merkle proofs: of the pool, of what it paid to one receiver, of
 * one resource, and of that resource's split rule, all under the state root of a header that the
 * light client has seen committed (`sdk/light/client.ts`).
 */

/** What a verified answer holds. */
export type ProvenValues = {
  readonly header: Header;
  readonly values: readonly (Uint8Array | null)[];
};

/** Longest list of nodes that is looked at. */
const nodesMax = 256;

/** The keys that show a pool. */
export function poolProofKeys(
  id: PoolId,
  receiver: Address,
  resourceId: string,
): readonly Uint8Array[] {
  return [poolKey(id), poolReceiverKey(id, receiver), poolResourceKey(id, resourceId)];
}

/** The pool that proven values show; `null` if they show that there is none. */
export function readPoolView(
  id: PoolId,
  pool: ProvenValues,
  split: { readonly rule: SplitRule | null; readonly receiver: Address },
): PoolView | null {
  const [poolBytes = null, receiverBytes = null, resource = null] = pool.values;
  if (poolBytes === null) return null;
  const record = decoded(poolSchema, poolBytes);
  const paid = receiverBytes === null ? null : decoded(receiverSchema, receiverBytes);
  return {
    id,
    collateral: record.collateral,
    fund: record.fund,
    used: record.used,
    hasResource: resource !== null,
    keptPercent: keptPercentOf(split.rule, split.receiver),
    endHeight: record.endHeight,
    isCondemned: record.condemned,
    settled: {
      paymentSequence: paid?.paymentSequence ?? 0n,
      amount: paid?.paid ?? 0n,
      total: paid?.paidTotal ?? 0n,
    },
    perReceiverMax: record.perReceiverMax === 0n ? null : record.perReceiverMax,
    height: pool.header.height,
  };
}

/** The split rule in proven values of the module `split`; `null` if there is none. */
export function readSplitRule(proven: ProvenValues): SplitRule | null {
  const [bytes = null] = proven.values;
  return bytes === null ? null : decoded(splitRuleSchema, bytes);
}

/** The key that shows a resource's rule. */
export function splitProofKeys(resourceId: string): readonly Uint8Array[] {
  return [splitRuleKey(resourceId)];
}

/** What a receiver keeps of a payment at worst, under any of a rule's terms. */
function keptPercentOf(rule: SplitRule | null, receiver: Address): number {
  const kept = (rule?.terms ?? []).map(({ shares }) =>
    shares.reduce((rest, { address, percentage }) => {
      return address === receiver ? rest : rest - percentage;
    }, 100),
  );
  return Math.min(100, ...kept);
}

function decoded<T>(schema: Schema<T>, bytes: Uint8Array): T {
  const outcome = decodeWith(schema, bytes);
  if (!outcome.ok) throw proofError(`a record is unreadable: ${outcome.refusal}`);
  return outcome.value;
}

/** Checks an answer to `ledger.getModuleProof`; throws `E_PROOF_INVALID` if it proves nothing. */
export function verifyModuleProof(
  { header, fields }: ProvenAnswer,
  { module, keys }: { readonly module: string; readonly keys: readonly Uint8Array[] },
): ProvenValues {
  const account = nodesOf(fields["accountProof"]);
  const lists = fields["proofs"];
  if (account === null || !Array.isArray(lists) || lists.length !== keys.length)
    throw proofError("nodes are missing");
  const root = storageRootOf(header, module, account);
  const values = keys.map((key, i) => {
    const nodes = nodesOf(lists[i]);
    if (nodes === null) throw proofError("nodes are missing");
    if (root === null) return null;
    const value = verifyProof(root, key, nodes);
    if (!value.ok) throw proofError(value.refusal.code);
    return value.value;
  });
  return { header, values };
}

/** The storage root of a module under a header; `null` if the module has no state. */
function storageRootOf(
  header: Header,
  module: string,
  proof: readonly Uint8Array[],
): Uint8Array | null {
  const key = keccak256(hexToBytes(moduleAddress(module)));
  const account = verifyProof(hexToBytes(header.stateRoot), key, proof);
  if (!account.ok) throw proofError(account.refusal.code);
  if (account.value === null) return null;
  const item = decodeRlp(account.value, { itemsMax: 5, depthMax: 1 });
  const root = item.ok ? readFixed(readList(item.value, 4)?.[2], 32) : null;
  if (root === null) throw proofError("an account is unreadable");
  return root;
}

function nodesOf(value: unknown): readonly Uint8Array[] | null {
  if (!Array.isArray(value) || value.length > nodesMax) return null;
  const nodes: Uint8Array[] = [];
  for (const text of value as readonly unknown[]) {
    const bytes = readHex(text);
    if (bytes === null) return null;
    nodes.push(bytes);
  }
  return nodes;
}

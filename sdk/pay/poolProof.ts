import type { Address, Digest } from "../../base/brand.ts";
import { hexToBytes, hexToBytesOrNull, textToDigestOrNull } from "../../base/bytes.ts";
import { moduleAddress } from "../../base/moduleAddress.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import { decodeRlp, readFixed, readList } from "../../base/rlp.ts";
import { checkCommitProof } from "../../consensus/commitProof.ts";
import type { Certificate, HeaderLink } from "../../consensus/types.ts";
import { keccak256 } from "../../crypto/keccak.ts";
import type { Header } from "../../ledger/blockTypes.ts";
import { blockHash, decodeHeader } from "../../ledger/header.ts";
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
import { PayPeerError } from "./errors.ts";
import type { PoolView } from "./pool.ts";
import { isRecord } from "./x402.ts";

/*
 * A pool as a node shows it with Merkle proofs: of the pool, of what it paid to one receiver, of
 * one resource, and of that resource's split rule, all under the state root of a header that a
 * commit proof covers. Whether that proof's certificate is well signed is for `CertificateTrust`.
 */

/** What a verified answer holds. */
export type ProvenValues = {
  readonly header: Header;
  readonly values: readonly (Uint8Array | null)[];
};

/** Whether a certificate's signatures are good: for whoever follows the committees. */
export type CertificateTrust = (certificate: Certificate, header: Header) => boolean;

/** Longest list of nodes that is looked at. */
const nodesMax = 256;

/** Headers of one commit proof. */
const headersMax = 1_024;

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

function proofError(detail: string): PayPeerError {
  return new PayPeerError("E_PROOF_INVALID", `the node's proof does not hold: ${detail}`, {
    hint: "ask another node: --rpc URL",
  });
}

/** Checks an answer to `ledger.getModuleProof`; throws `E_PROOF_INVALID` if it proves nothing. */
export function verifyModuleProof(
  answer: unknown,
  question: {
    readonly module: string;
    readonly keys: readonly Uint8Array[];
    readonly genesisHash: Digest;
    /** `null` takes the node's word for the signatures of the certificate. */
    readonly trust: CertificateTrust | null;
  },
): ProvenValues {
  if (!isRecord(answer)) throw proofError("no object");
  const header = headerOf(answer, question);
  if (!header.ok) throw proofError(header.refusal);
  const account = nodesOf(answer["accountProof"]);
  const lists = answer["proofs"];
  if (account === null || !Array.isArray(lists) || lists.length !== question.keys.length)
    throw proofError("nodes are missing");
  const root = storageRootOf(header.value, question.module, account);
  const values = question.keys.map((key, i) => {
    const nodes = nodesOf(lists[i]);
    if (nodes === null) throw proofError("nodes are missing");
    if (root === null) return null;
    const value = verifyProof(root, key, nodes);
    if (!value.ok) throw proofError(value.refusal.code);
    return value.value;
  });
  return { header: header.value, values };
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

/** The first header of the commit proof, if it is committed by what follows it. */
function headerOf(
  answer: Readonly<Record<string, unknown>>,
  question: { readonly genesisHash: Digest; readonly trust: CertificateTrust | null },
): Outcome<Header, string> {
  const { commitProof } = answer;
  if (!isRecord(commitProof)) return refuse("no commit proof");
  const certificate = readCertificateJson(commitProof["certificate"]);
  const encoded = commitProof["headers"];
  if (certificate === null || !Array.isArray(encoded) || encoded.length > headersMax)
    return refuse("no commit proof");
  const headers: Header[] = [];
  for (const text of encoded as readonly unknown[]) {
    const bytes = typeof text === "string" ? hexToBytesOrNull(text) : null;
    const header = bytes === null ? null : decodeHeader(bytes);
    if (header === null || !header.ok) return refuse("a header is unreadable");
    if (header.value.genesisHash !== question.genesisHash) return refuse("of another chain");
    headers.push(header.value);
  }
  const [first] = headers;
  if (first === undefined) return refuse("no headers");
  // Where the epoch ends is known only to those who follow the committees.
  const epoch = { epoch: first.epoch, lastHeight: Number.MAX_SAFE_INTEGER };
  const checked = checkCommitProof(epoch, { links: headers.map(linkOf), certificate });
  if (!checked.ok) return refuse(checked.refusal.code);
  if (question.trust !== null && !question.trust(certificate, first))
    return refuse("the certificate's signatures are not good");
  return accept(first);
}

function linkOf(header: Header): HeaderLink {
  const { epoch, view, height, parentCertificate, parentHash: parent } = header;
  return { epoch, view, height, parentCertificate, parent, hash: blockHash(header) };
}

function readCertificateJson(value: unknown): Certificate | null {
  if (!isRecord(value)) return null;
  const { epoch, view, parentView } = value;
  const block = typeof value["block"] === "string" ? textToDigestOrNull(value["block"]) : null;
  const signers = bytesOf(value["signers"]);
  const signature = bytesOf(value["signature"]);
  if (!isCount(epoch) || !isCount(view) || !isCount(parentView)) return null;
  if (block === null || signers === null || signature === null) return null;
  return { epoch, view, block, parentView, signers, signature };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function bytesOf(value: unknown): Uint8Array | null {
  return typeof value === "string" ? hexToBytesOrNull(value) : null;
}

function nodesOf(value: unknown): readonly Uint8Array[] | null {
  if (!Array.isArray(value) || value.length > nodesMax) return null;
  const nodes: Uint8Array[] = [];
  for (const text of value as readonly unknown[]) {
    const bytes = bytesOf(text);
    if (bytes === null) return null;
    nodes.push(bytes);
  }
  return nodes;
}

import type { Digest } from "../../base/brand.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import { thetaJson } from "./thetaTransactionJson.ts";
import type { CommittedTransaction, Submitted, TransactionLookup, WaitRefusal } from "../api.ts";
import type { CallContext, Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import type { Answer, RpcError } from "../errors.ts";
import { invalidParams, limitExceeded, serverError } from "../errors.ts";
import { hexToBytesOrNull } from "../../base/bytes.ts";
import { isJsonObject, type JsonValue, memberOf } from "../json.ts";
import type { MethodHost } from "../methodHost.ts";
import { hexBytes, thetaDigest } from "../parameters.ts";
import { thetaSubmitError } from "../refusals.ts";
import type { SubmitOutcome } from "../submitter.ts";
import { noHash, thetaHeaderJson, thetaReceiptJson } from "./thetaBlocks.ts";

type Envelope = "native" | "ethereum";

/** Names without `Async` wait for the block. */
const broadcasts: readonly (readonly [name: string, envelope: Envelope])[] = [
  ["BroadcastRawTransaction", "native"],
  ["BroadcastRawEthTransaction", "ethereum"],
];

/**
 * `tx_bytes` of `{…}`, `[{…}]` or `["…"]`; looked at by hand, because this is the path under load.
 */
function rawOf(params: unknown): Uint8Array | null {
  const first: unknown = Array.isArray(params) ? params[0] : params;
  const text = isJsonObject(first) ? memberOf(first, "tx_bytes") : first;
  if (typeof text !== "string" || text.length === 0) return null;
  return hexToBytesOrNull(text);
}

function submittedOf(host: MethodHost, outcome: SubmitOutcome): Outcome<Submitted, RpcError> {
  if (outcome === "busy") {
    const { submissionsInFlightMax } = host.limits;
    return refuse(limitExceeded("submissionsInFlightMax", submissionsInFlightMax, null));
  }
  return outcome.ok ? outcome : refuse(thetaSubmitError(outcome.refusal));
}

function waitError(
  host: MethodHost,
  hash: Digest,
  refusal: WaitRefusal | { readonly code: "busy" },
): RpcError {
  const data = { hash };
  switch (refusal.code) {
    case "timeout": {
      const seconds = host.limits.broadcastTimeoutMs / 1_000;
      return serverError(
        `transaction ${hash} is accepted but not committed within ${seconds} s; it may still be`,
        { ...data, code: "E_TIMEOUT" },
      );
    }
    case "aborted":
      return serverError(`the wait for transaction ${hash} was ended`, data);
    case "abandoned":
      return serverError(`transaction ${hash} was abandoned: ${refusal.reason}`, data);
    case "busy":
      return limitExceeded("waitersMax", host.limits.waitersMax, null);
  }
}

async function submitAndWait(
  host: MethodHost,
  envelope: Envelope,
  raw: Uint8Array,
  context: CallContext,
): Promise<Answer> {
  const { node, limits, submitter, waiters } = host;
  // Before submitting: a refused wait must not leave a transaction that its sender thinks refused.
  if (waiters.isFull) return refuse(limitExceeded("waitersMax", limits.waitersMax, null));
  const submitted = submittedOf(host, await submitter.submit({ envelope, raw }));
  if (!submitted.ok) return submitted;
  const { hash } = submitted.value;
  const { signal } = context;
  const committed = await waiters.wait(hash, { timeoutMs: limits.broadcastTimeoutMs, signal });
  if (!committed.ok) return refuse(waitError(host, hash, committed.refusal));
  return accept({ hash, block: thetaHeaderJson(node.chain.name, committed.value.block) });
}

function broadcastMethods(host: MethodHost): readonly Method[] {
  return broadcasts.flatMap(([name, envelope]) => {
    const parameters = { tx_bytes: hexBytes };
    const shared = { style: "object", parameters, heavy: false } as const;
    const missing = refuse(invalidParams(`theta.${name} wants tx_bytes: a transaction as hex`));
    return [
      {
        ...shared,
        name: `theta.${name}`,
        summary: "Hands in a signed transaction and waits until it is committed.",
        invoke: (params: unknown, context: CallContext): Answer | Promise<Answer> => {
          const raw = rawOf(params);
          return raw === null ? missing : submitAndWait(host, envelope, raw, context);
        },
      },
      {
        ...shared,
        name: `theta.${name}Async`,
        summary: "Hands in a signed transaction; answers with its hash.",
        invoke: (params: unknown): Answer | Promise<Answer> => {
          const raw = rawOf(params);
          if (raw === null) return missing;
          return host.submitter.submit({ envelope, raw }).then((outcome): Answer => {
            const submitted = submittedOf(host, outcome);
            return submitted.ok ? accept({ hash: submitted.value.hash }) : submitted;
          });
        },
      },
    ];
  });
}

function foundJson(hash: Digest, found: TransactionLookup): JsonValue {
  const nowhere = { block_hash: noHash, block_height: "0", hash };
  const nothing = { receipt: null, blance_changes: null, balance_changes: null };
  switch (found.state) {
    case "notFound":
      return { ...nowhere, status: "not_found", type: null, transaction: null, ...nothing };
    case "abandoned": {
      const { reason } = found;
      return { ...nowhere, status: "abandoned", type: null, transaction: null, ...nothing, reason };
    }
    case "pending": {
      const { type, fields } = thetaJson(found.transaction);
      return { ...nowhere, status: "pending", type, transaction: fields, ...nothing };
    }
    case "committed":
      return committedJson(hash, found.committed);
  }
}

function committedJson(hash: Digest, committed: CommittedTransaction): JsonValue {
  const { block, transaction, receipt } = committed;
  const { type, fields } = thetaJson(transaction);
  return {
    block_hash: block.hash,
    block_height: `${block.header.height}`,
    status: "finalized",
    hash,
    type,
    transaction: fields,
    receipt: thetaReceiptJson(receipt),
    // Theta's spelling, and the right one.
    blance_changes: null,
    balance_changes: null,
  };
}

/** Broadcasts and lookups of transactions. */
export function thetaTransactionMethods(host: MethodHost): readonly Method[] {
  const { node, limits } = host;
  const style = "object";
  return [
    ...broadcastMethods(host),
    method({
      name: "theta.GetTransaction",
      summary: "A transaction and its status: not_found, pending, finalized or abandoned.",
      style,
      parameters: { hash: thetaDigest },
      call: async ({ hash }) => accept(foundJson(hash, await node.transaction(hash))),
    }),
    method({
      name: "theta.GetPendingTransactions",
      summary: "Hashes of transactions that wait for a block.",
      style,
      parameters: {},
      call: () => accept({ tx_hashes: node.pendingHashes(limits.pendingHashesMax) }),
    }),
  ];
}

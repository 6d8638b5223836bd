import { bytesToHex, zeroAddress } from "../../base/bytes.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import { keccakDigest } from "../../crypto/keccak.ts";
import { encodeEthereum } from "../../ledger/ethereumCodec.ts";
import type { EthereumTransaction } from "../../ledger/thetaTypes.ts";
import type { Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import type { Answer, RpcError } from "../errors.ts";
import { errorCodes, invalidParams, limitExceeded } from "../errors.ts";
import type { MethodHost } from "../methodHost.ts";
import { readThetaNumber } from "../numbers.ts";
import { ethereumData, type Parameter } from "../parameters.ts";
import { ethereumSubmitError } from "../refusals.ts";
import { callObject, type CallObject } from "./callObject.ts";
import { ethereumReceiptJson, unsignedTransactionJson } from "./ethereumBlocks.ts";
import { gasEstimate, requestOf } from "./ethereumCalls.ts";
import { suggestedTip } from "./ethereumFees.ts";

/** How long a synchronous send waits unless told otherwise: a few blocks. */
const syncTimeoutMsDefault = 10_000n;

/** EIP-7966: a wait as number or quantity, as viem has sent both. */
const timeoutMs: Parameter<bigint> = {
  schema: { type: ["integer", "string"] },
  optional: true,
  read: (value) =>
    value === undefined || value === null ? accept(syncTimeoutMsDefault) : readThetaNumber(value),
};

/** Hands in a transaction and answers with its receipt [EIP-7966]. */
function sendSync(host: MethodHost): Method {
  const { submitter, waiters, limits } = host;
  return method({
    name: "eth_sendRawTransactionSync",
    summary: "Hands in a signed transaction and waits for its receipt.",
    style: "array",
    parameters: { transaction: ethereumData, timeoutMs },
    call: async ({ transaction: raw, timeoutMs: asked }, { signal }): Promise<Answer> => {
      // Before submitting: a refused wait must not leave a transaction that its sender thinks lost.
      if (waiters.isFull) return refuse(limitExceeded("waitersMax", limits.waitersMax, null));
      const outcome = await submitter.submit({ envelope: "ethereum", raw });
      if (outcome === "busy") {
        const { submissionsInFlightMax } = limits;
        return refuse(limitExceeded("submissionsInFlightMax", submissionsInFlightMax, null));
      }
      if (!outcome.ok) return refuse(ethereumSubmitError(outcome.refusal));
      const { hash } = outcome.value;
      const most = BigInt(limits.broadcastTimeoutMs);
      const waitMs = Number(asked > most ? most : asked);
      const committed = await waiters.wait(hash, { timeoutMs: waitMs, signal });
      if (committed.ok) {
        const { transaction, receipt } = committed.value;
        return accept(ethereumReceiptJson(transaction, receipt, committed.value));
      }
      const { code } = committed.refusal;
      if (code === "busy") return refuse(limitExceeded("waitersMax", limits.waitersMax, null));
      if (code === "abandoned") {
        const message = `the transaction was abandoned: ${committed.refusal.reason}`;
        return refuse({ code: errorCodes.transactionRejected, message, data: hash });
      }
      const message = `the transaction was accepted but not committed within ${waitMs} ms`;
      return refuse({ code: errorCodes.syncTimeout, message, data: hash });
    },
  });
}

/** What kind of transaction a call stands for: what it says, or what its members say. */
export function typeOf(call: CallObject): EthereumTransaction["type"] | null {
  switch (call.type) {
    case 0n:
      return "legacy";
    case 1n:
      return "accessList";
    case 2n:
      return "feeMarket";
    case 4n:
      return "setCode";
    case null:
      if (call.authorizations !== null) return "setCode";
      if (call.gasPrice === null) return "feeMarket";
      return call.accessList === null ? "legacy" : "accessList";
    default:
      return null;
  }
}

type Fees = Pick<EthereumTransaction, "maxFeePerGas" | "maxPriorityFeePerGas">;

/** Room for six full blocks in a row: the base fee rises by at most an eighth a block. */
function feesOf({ node }: MethodHost, call: CallObject, type: EthereumTransaction["type"]): Fees {
  const tip = call.maxPriorityFeePerGas ?? suggestedTip(node);
  const most = call.gasPrice ?? call.maxFeePerGas ?? 2n * node.nextBaseFee() + tip;
  if (type === "legacy" || type === "accessList") {
    return { maxFeePerGas: most, maxPriorityFeePerGas: most };
  }
  return { maxFeePerGas: most, maxPriorityFeePerGas: tip > most ? most : tip };
}

async function filled(
  host: MethodHost,
  call: CallObject,
  signal: AbortSignal,
): Promise<Outcome<EthereumTransaction, RpcError>> {
  const { node } = host;
  const type = typeOf(call);
  if (type === null) {
    return refuse(invalidParams("eth_fillTransaction: type must be 0x0, 0x1, 0x2 or 0x4"));
  }
  const fees = feesOf(host, call, type);
  const request = requestOf(host, call, { state: new Map(), block: {} });
  if (!request.ok) return request;
  const place = { tag: { type: "tag", tag: "pending" }, signal } as const;
  const gas = call.gas === null ? await gasEstimate(host, request.value, place) : accept(call.gas);
  if (!gas.ok) return gas;
  const { caller, to, value, data, accessList, authorizations } = request.value.message;
  const nonce = call.nonce ?? node.pendingAccount(caller).nonce;
  const gasLimit = gas.value;
  return accept({ type, nonce, gasLimit, ...fees, to, value, data, accessList, authorizations });
}

function fillTransaction(host: MethodHost): Method {
  return method({
    name: "eth_fillTransaction",
    summary: "Completes a transaction with nonce, gas and fees; it is not signed.",
    style: "array",
    parameters: { transaction: callObject },
    call: async ({ transaction: call }, { signal }): Promise<Answer> => {
      const outcome = await filled(host, call, signal);
      if (!outcome.ok) return outcome;
      const transaction = outcome.value;
      const chainId = BigInt(host.node.chain.id);
      const signed = { transaction, chainId, signature: new Uint8Array(65) };
      const raw = encodeEthereum(signed);
      const tx = unsignedTransactionJson(signed, {
        hash: keccakDigest(raw),
        from: call.from ?? zeroAddress,
      });
      return accept({ raw: bytesToHex(raw), tx });
    },
  });
}

/** Sends that wait, and transactions to be signed elsewhere. */
export function ethereumSubmitMethods(host: MethodHost): readonly Method[] {
  return [sendSync(host), fillTransaction(host)];
}

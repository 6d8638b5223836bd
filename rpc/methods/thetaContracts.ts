import { bytesToHexDigits, zeroAddress } from "../../base/bytes.ts";
import { accept, refuse } from "../../base/outcome.ts";
import { checksumAddress } from "../../crypto/address.ts";
import { refusalSentence } from "../../ledger/refusal.ts";
import type { StateOverrides } from "../../ledger/simulate.ts";
import { decodeThetaTransaction } from "../../ledger/thetaCodec.ts";
import type { Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import type { Answer } from "../errors.ts";
import { invalidParams, serverError } from "../errors.ts";
import type { MethodHost } from "../methodHost.ts";
import { hexBytes } from "../parameters.ts";
import { taskError } from "../refusals.ts";
import { revertReason } from "./callFailures.ts";

/**
 * Runs a SmartContract transaction without sending it (theta.md 8.2): it need not be signed, and
 * nothing is paid, so its caller is given what it wants to spend.
 */
function callSmartContract({ node, limits }: MethodHost): Method {
  const name = "theta.CallSmartContract";
  return method({
    name,
    summary: "What a SmartContract transaction would return; changes nothing.",
    style: "object",
    parameters: { sctx_bytes: hexBytes },
    call: async ({ sctx_bytes: raw }, { signal }): Promise<Answer> => {
      const decoded = decodeThetaTransaction(raw);
      if (!decoded.ok) return refuse(invalidParams(`${name}: ${decoded.refusal.detail}`));
      const body = decoded.value;
      if (body.type !== "smartContract") {
        return refuse(invalidParams(`${name} wants a SmartContract transaction, not ${body.type}`));
      }
      const caller = body.from.address;
      const value = body.from.coins.tfuelWei;
      const balance = node.state().account(caller)?.balance ?? 0n;
      const state: StateOverrides =
        balance < value ? new Map([[caller, { balance: value }]]) : new Map();
      const message = {
        caller,
        to: body.to.address === zeroAddress ? null : body.to.address,
        value,
        data: body.data,
        gasLimit: body.gasLimit,
        maxFeePerGas: 0n,
        maxPriorityFeePerGas: 0n,
        accessList: [],
        authorizations: [],
      };
      const request = { message, state, block: {}, gasMax: limits.callGasMax };
      const answer = await node.runTask("simulate", request, { height: null, signal });
      if (!answer.ok) return refuse(taskError(answer.refusal));
      if (!answer.value.ok) return refuse(serverError(refusalSentence(answer.value.refusal)));
      const { ok, failure, returnData, gasUsed, contractAddress } = answer.value.value;
      const reason = failure === "revert" ? revertReason(returnData) : null;
      const words = failure === "revert" ? "evm: execution reverted" : failure;
      return accept({
        vm_return: bytesToHexDigits(returnData),
        contract_address: checksumAddress(contractAddress ?? zeroAddress),
        gas_used: `${gasUsed}`,
        vm_error: ok ? "" : reason === null ? words : `${words}: ${reason}`,
      });
    },
  });
}

/** Calls of contracts in Theta's form. */
export function thetaContractMethods(host: MethodHost): readonly Method[] {
  return [callSmartContract(host)];
}

import { assert } from "../../base/assert.ts";
import { bytesToHex, zeroAddress } from "../../base/bytes.ts";
import { checksumAddress } from "../../crypto/address.ts";
import { decodeEthereumEnvelope } from "../../ledger/ethereumCodec.ts";
import { decodeOperation, operationTypeCode } from "../../ledger/operationCodec.ts";
import { decodeThetaTransaction, thetaTypeCodes } from "../../ledger/thetaCodec.ts";
import { coinsToJson, thetaToJson } from "../../ledger/thetaJson.ts";
import type { ThetaTransaction } from "../../ledger/thetaTypes.ts";
import type { Transaction } from "../../ledger/transaction.ts";
import type { JsonValue } from "../json.ts";

/** A transaction as Theta's clients see it: type code and fields. */
export type ThetaJson = { readonly type: number; readonly fields: JsonValue };

/** Ethereum's recovery id in a Theta signature is 27 or 28 (theta.md 2.6). */
const recoveryIdBase = 27;

/** The SmartContract transaction that Theta makes of an Ethereum one; its sequence is nonce + 1. */
function translated(transaction: Transaction): ThetaTransaction {
  const decoded = decodeEthereumEnvelope(transaction.encoded);
  assert(decoded.ok, "a transaction of a block does not decode");
  const { transaction: inner, signature } = decoded.value;
  const marked = signature.slice();
  marked[64] = recoveryIdBase + (marked[64] ?? 0);
  return {
    type: "smartContract",
    from: {
      address: transaction.payer,
      coins: { thetaWei: 0n, tfuelWei: inner.value },
      sequence: inner.nonce + 1n,
      signature: marked,
    },
    to: { address: inner.to ?? zeroAddress, coins: { thetaWei: 0n, tfuelWei: 0n } },
    gasLimit: inner.gasLimit,
    gasPrice: inner.maxFeePerGas,
    data: inner.data,
  };
}

function operationJson(raw: Uint8Array): JsonValue {
  const decoded = decodeOperation(raw);
  assert(decoded.ok, "an operation of a block does not decode");
  const operation = decoded.value;
  return {
    fee: coinsToJson(operation.fee),
    inputs: operation.inputs.map(({ address, coins, sequence, signature }) => ({
      address: checksumAddress(address),
      coins: coinsToJson(coins),
      sequence: `${sequence}`,
      signature: bytesToHex(signature),
    })),
    module: operation.module,
    op: operation.op,
    body: bytesToHex(operation.body),
    gas_limit: `${operation.gasLimit}`,
    expiry_height: `${operation.expiryHeight}`,
    scope: operation.scope,
  };
}

/** A transaction of any envelope in Theta's JSON; module operations have type 32. */
export function thetaJson(transaction: Transaction): ThetaJson {
  switch (transaction.envelope) {
    case "ethereum":
      return { type: thetaTypeCodes.smartContract, fields: thetaToJson(translated(transaction)) };
    case "operation":
      return { type: operationTypeCode, fields: operationJson(transaction.encoded.subarray(1)) };
    case "native": {
      const decoded = decodeThetaTransaction(transaction.encoded.subarray(1));
      assert(decoded.ok, "a transaction of a block does not decode");
      return { type: thetaTypeCodes[decoded.value.type], fields: thetaToJson(decoded.value) };
    }
  }
}

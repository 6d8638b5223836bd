import type { Address } from "../../base/brand.ts";
import { emptyBytes } from "../../base/bytes.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import { emptyKeccak } from "../../crypto/keccak.ts";
import { intrinsicGas } from "../../ledger/intrinsicGas.ts";
import type { StateReader } from "../../ledger/state.ts";
import { errorCodes, invalidParams, serverError, type Answer } from "../errors.ts";
import { isJsonObject, memberOf } from "../json.ts";
import { readQuantity, toQuantity } from "../numbers.ts";
import { ethereumAddress, ethereumData } from "../parameters.ts";

type Transfer = {
  readonly from: Address | null;
  readonly to: Address | null;
  readonly value: bigint;
  readonly data: Uint8Array;
};

function readMember<T>(
  object: Readonly<Record<string, unknown>>,
  name: string,
  read: (value: unknown) => Outcome<T, string>,
  fallback: T,
): Outcome<T, string> {
  const value = memberOf(object, name);
  if (value === undefined || value === null) return accept(fallback);
  const outcome = read(value);
  return outcome.ok ? outcome : refuse(`${name} ${outcome.refusal}`);
}

function readTransfer(value: unknown): Outcome<Transfer, string> {
  if (!isJsonObject(value)) return refuse("wants a transaction object");
  const none: Address | null = null;
  const from = readMember<Address | null>(value, "from", ethereumAddress.read, none);
  if (!from.ok) return from;
  const to = readMember<Address | null>(value, "to", ethereumAddress.read, none);
  if (!to.ok) return to;
  const amount = readMember(value, "value", (text) => readQuantity(text, 256), 0n);
  if (!amount.ok) return amount;
  const input = memberOf(value, "input") === undefined ? "data" : "input";
  const data = readMember(value, input, ethereumData.read, emptyBytes);
  if (!data.ok) return data;
  return accept({ from: from.value, to: to.value, value: amount.value, data: data.value });
}

/** Gas of a transfer between accounts without code: that is the intrinsic gas, exactly. */
export function estimateTransfer(state: StateReader, transaction: unknown): Answer {
  const read = readTransfer(transaction);
  if (!read.ok) return refuse(invalidParams(`eth_estimateGas: ${read.refusal}`));
  const { from, to, value, data } = read.value;
  const code = to === null ? null : (state.account(to)?.codeHash ?? emptyKeccak);
  if (code !== emptyKeccak)
    return refuse(
      serverError("a contract's gas needs the module evm, which this runtime does not have", {
        code: "E_MODULE_ABSENT",
        module: "evm",
      }),
    );
  const balance = from === null ? null : (state.account(from)?.balance ?? 0n);
  if (balance !== null && balance < value)
    return refuse({
      code: errorCodes.transactionRejected,
      message: `insufficient funds for gas * price + value: balance ${balance}, value ${value}`,
      data: { code: "E_INSUFFICIENT_FUNDS", got: `${balance}`, expected: `${value}` },
    });
  const gas = intrinsicGas({
    type: "legacy",
    nonce: 0n,
    gasLimit: 0n,
    maxFeePerGas: 0n,
    maxPriorityFeePerGas: 0n,
    to,
    value,
    data,
    accessList: [],
    authorizations: [],
  });
  return accept(toQuantity(gas));
}

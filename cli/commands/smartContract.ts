import type { Address } from "../../base/brand.ts";
import { hexToBytesOrNull } from "../../base/bytes.ts";
import { LedgerClient } from "../../sdk/client.ts";
import { encodeSmartContractCall, signSmartContract } from "../../sdk/wallet.ts";
import type { Action, Flags } from "../commandTree.ts";
import { printDocument } from "../context.ts";
import { UsageError } from "../failure.ts";
import {
  addressFlag,
  amountFlag,
  gasMax,
  integerFlag,
  requiredFlag,
  sequenceMax,
} from "../flags.ts";
import { draftTransaction, submitTransaction } from "../submit.ts";

/** Theta's type 7 as its flags say it. */
type Terms = {
  readonly from: Address;
  readonly to: Address | null;
  readonly value: bigint;
  readonly gasPrice: bigint;
  readonly gasLimit: bigint;
  readonly data: Uint8Array;
};

function termsOf(flags: Flags): Terms {
  const to = flags.text("to");
  const data = hexToBytesOrNull(flags.text("data") ?? "");
  if (data === null) throw new UsageError("--data is not hex");
  const gasLimit = requiredFlag("--gas_limit", flags.text("gasLimit"));
  return {
    from: addressFlag("--from", requiredFlag("--from", flags.text("from"))),
    to: to === undefined || to === "" ? null : addressFlag("--to", to),
    value: amountFlag("--value", flags.text("value") ?? "0", "tfuel"),
    gasPrice: amountFlag("--gas_price", flags.text("gasPrice") ?? "4000000000000wei", "tfuel"),
    gasLimit: integerFlag("--gas_limit", gasLimit, { min: 1n, max: gasMax }),
    data,
  };
}

/** `tx smart_contract`: calls or creates a contract by a Theta transaction. */
export const smartContractCommand: Action = async (context, flags) => {
  const { from, ...terms } = termsOf(flags);
  const draft = await draftTransaction(context, flags, from, 1n);
  const { chain, sequence, signer } = draft;
  const signed = signSmartContract(signer, { chain, sequence, ...terms });
  await submitTransaction(context, flags, draft, signed);
};

/** `call smart_contract`: a dry run of the same; nothing is signed. */
export const callSmartContractCommand: Action = async (context, flags) => {
  const { from, ...terms } = termsOf(flags);
  const client = new LedgerClient({ url: context.settings.rpcUrl });
  const { signal } = context;
  const seq = flags.text("seq");
  const sequence =
    seq === undefined
      ? await client.nextSequence(from, { signal })
      : integerFlag("--seq", seq, { min: 1n, max: sequenceMax });
  const sctx_bytes = encodeSmartContractCall(from, { sequence, ...terms }).slice(2);
  printDocument(context, await client.call("theta.CallSmartContract", { sctx_bytes }, { signal }));
};

import { nativeGasMax, signSend } from "../../sdk/wallet.ts";
import type { Action } from "../commandTree.ts";
import { UsageError } from "../failure.ts";
import { addressFlag, amountFlag, requiredFlag } from "../flags.ts";
import { draftTransaction, submitTransaction } from "../submit.ts";

/** `tx send`: coins from one account to another. */
export const sendCommand: Action = async (context, flags) => {
  const from = addressFlag("--from", requiredFlag("--from", flags.text("from")));
  const to = addressFlag("--to", requiredFlag("--to", flags.text("to")));
  const coins = {
    thetaWei: amountFlag("--theta", flags.text("theta") ?? "0", "theta"),
    tfuelWei: amountFlag("--tfuel", flags.text("tfuel") ?? "0", "tfuel"),
  };
  if (from === to) throw new UsageError("--from and --to are the same account");
  if (coins.thetaWei === 0n && coins.tfuelWei === 0n)
    throw new UsageError("there is nothing to send: give --theta or --tfuel");
  const draft = await draftTransaction(context, flags, from, 2n * nativeGasMax.sendPerAccount);
  const { chain, sequence, fee } = draft;
  const outputs = [{ address: to, coins }];
  const signed = signSend(draft.signer, { chain, sequence, fee, outputs });
  await submitTransaction(context, flags, draft, signed);
};

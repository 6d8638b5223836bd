import { openBlsKeystore } from "../../crypto/blsKeystore.ts";
import { openedOrThrow, readKeyFile } from "../../sdk/keystoreFolder.node.ts";
import {
  nativeGasMax,
  signDepositStake,
  signRegisterKey,
  signRewardDistribution,
  signWithdrawStake,
  type StakePurpose,
} from "../../sdk/wallet.ts";
import type { Action, Flags } from "../commandTree.ts";
import type { Context } from "../context.ts";
import { UsageError } from "../failure.ts";
import { addressFlag, amountFlag, integerFlag, requiredFlag } from "../flags.ts";
import { readPassword } from "../password.ts";
import { draftTransaction, submitTransaction, type Draft } from "../submit.ts";
import type { Address } from "../../base/brand.ts";

function required(flags: Flags, flag: string): Address {
  return addressFlag(`--${flag}`, requiredFlag(`--${flag}`, flags.text(flag)));
}

function holderOf(flags: Flags): Address {
  const text = requiredFlag("--holder", flags.text("holder"));
  if (text.replace(/^0x/i, "").length > 40)
    throw new UsageError("--holder takes an address; node summaries belong to guardians", {
      hint: "validators register their key with: ledgercli stake register-key",
    });
  return addressFlag("--holder", text);
}

function purposeOf(flags: Flags): StakePurpose {
  const value = integerFlag("--purpose", flags.text("purpose") ?? "0", { min: 0n, max: 2n });
  return value === 0n ? 0 : value === 1n ? 1 : 2;
}

/** `tx deposit`. */
export const depositCommand: Action = async (context, flags) => {
  const source = required(flags, "source");
  const holder = holderOf(flags);
  const purpose = purposeOf(flags);
  const coin = purpose === 2 ? "tfuel" : "theta";
  const amount = amountFlag("--stake", flags.text("stake") ?? "5000000", coin);
  if (amount === 0n) throw new UsageError("--stake is zero");
  const stake =
    purpose === 2 ? { thetaWei: 0n, tfuelWei: amount } : { thetaWei: amount, tfuelWei: 0n };
  const draft = await draftTransaction(context, flags, source, nativeGasMax.stake);
  const { chain, sequence, fee, signer } = draft;
  const signed = signDepositStake(signer, { chain, sequence, fee, holder, stake, purpose });
  await submitTransaction(context, flags, draft, signed);
};

/** `tx withdraw`. */
export const withdrawCommand: Action = async (context, flags) => {
  const source = required(flags, "source");
  const holder = holderOf(flags);
  const purpose = purposeOf(flags);
  const draft = await draftTransaction(context, flags, source, nativeGasMax.stake);
  const { chain, sequence, fee, signer } = draft;
  const signed = signWithdrawStake(signer, { chain, sequence, fee, holder, purpose });
  await submitTransaction(context, flags, draft, signed);
};

/** Largest share of a reward that may be given away, in 1/100 of a per cent (theta.md 2.11). */
const splitBasisPointMax = 1_000n;

/** `tx distribute_staking_reward`. */
export const distributeCommand: Action = async (context, flags) => {
  const holder = required(flags, "holder");
  const beneficiary = required(flags, "beneficiary");
  const splitBasisPoint = integerFlag("--split_basis_point", flags.text("splitBasisPoint") ?? "0", {
    min: 0n,
    max: splitBasisPointMax,
  });
  const draft = await draftTransaction(context, flags, holder, nativeGasMax.stake);
  const { chain, sequence, fee, signer } = draft;
  const signed = signRewardDistribution(signer, {
    chain,
    sequence,
    fee,
    beneficiary,
    splitBasisPoint,
  });
  await submitTransaction(context, flags, draft, signed);
};

/** `stake register-key`: the proof of possession binds holder and chain, so it is made here. */
export const registerKeyCommand: Action = async (context, flags) => {
  const holder = required(flags, "holder");
  const file = requiredFlag("--bls-keystore", flags.text("blsKeystore"));
  const text = readKeyFile(file);
  const draft = await draftTransaction(context, flags, holder, nativeGasMax.registerKey);
  const password = await blsPassword(context, flags, draft, file);
  const { secretKey } = openedOrThrow(await openBlsKeystore(text, password), file);
  const { sequence, fee, signer, status } = draft;
  const { genesisHash } = status;
  const signed = signRegisterKey(signer, { genesisHash, sequence, fee, blsSecretKey: secretKey });
  await submitTransaction(context, flags, draft, signed);
};

async function blsPassword(
  context: Context,
  flags: Flags,
  draft: Draft,
  file: string,
): Promise<string> {
  const named = flags.text("blsPasswordFile");
  if (named === undefined && draft.password !== null) return draft.password;
  const { warn, environment } = context;
  return readPassword({
    file: named,
    variable: "LEDGER_BLS_PASSWORD",
    environment,
    warn,
    prompt: `Password of ${file}`,
  });
}

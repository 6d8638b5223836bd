import type { Address } from "../../base/brand.ts";
import { zeroAddress } from "../../base/bytes.ts";
import { contractAddress } from "../../crypto/address.ts";
import { recoverAddress } from "../../crypto/secp256k1.ts";
import type { EvmAuthorization, EvmResult, EvmTransaction } from "../../vm/evm.ts";
import { forkDefault, forkNames, isFrom, type ForkName } from "../../vm/forks.ts";
import { gasLimitMin, initCodeBytesMax } from "../../vm/transactionGas.ts";
import { emptyAccount, hasCode, withBalance } from "../accounts.ts";
import { authorizationDigest, authorizationSignature } from "../ethereumCodec.ts";
import {
  applied,
  type Applied,
  type Call,
  type Module,
  type ModuleContext,
  type OperationDefinition,
  type ReadContext,
} from "../module.ts";
import { integer, type Parameters } from "../parameters.ts";
import type { Refusal } from "../refusal.ts";
import type { EthereumTransaction, ThetaTransaction } from "../thetaTypes.ts";
import { balanceOf, transfer } from "./bank.ts";
import { recordParent } from "./evmHistory.ts";
import { laterPrecompiles } from "./evmPrecompiles.ts";
import { budgetFault, evmKey as key, spendBudget } from "./evmBudget.ts";
import { executionRefusal, forkOf, mayBePrecompile, runTransaction, writeLogs } from "./evmRun.ts";

/*
 * Contracts, and Ethereum's transactions of every supported kind. A plain transfer between accounts
 * without code never starts the EVM and is carried out at once; whatever runs code answers later.
 */

const transact: OperationDefinition<EthereumTransaction> = {
  description: "carries out an Ethereum transaction",
  schema: null,
  gas: (body, parameters) => transactionGasOf(body, parameters),
  signers: (_body, payer) => [payer],
  spends: (body) => body.value,
  validate: (context, call) =>
    kindFault(call.body, forkOf(context.parameters)) ??
    initCodeFault(call.body, forkOf(context.parameters)) ??
    valueMissing(context, call) ??
    (isPlain(context, call.body) ? null : budgetFault(context, call.gasLimit)),
  check: () => null,
  apply: (context, call) =>
    isPlain(context, call.body) ? transferPlainly(context, call) : execute(context, call),
};

/** Gas of a transaction that runs no code, and the least gas limit of any. */
export function transactionGasOf(tx: EthereumTransaction, parameters: Parameters): bigint {
  return gasLimitMin(tx, forkOf(parameters));
}

/** Since when each kind is known [EIP-2930, 1559, 7702]. */
const kindForks: Readonly<Record<EthereumTransaction["type"], ForkName>> = {
  legacy: "istanbul",
  accessList: "berlin",
  feeMarket: "london",
  setCode: "prague",
};

function kindFault(tx: EthereumTransaction, fork: ForkName): Refusal | null {
  const first = kindForks[tx.type];
  if (isFrom(fork, first)) return null;
  return { code: "operationUnavailable", got: `a ${tx.type} transaction`, expected: first };
}

function initCodeFault(
  tx: { readonly to: Address | null; readonly data: Uint8Array },
  fork: ForkName,
): Refusal | null {
  if (tx.to !== null || tx.data.length <= initCodeBytesMax || !isFrom(fork, "shanghai")) {
    return null;
  }
  return { code: "initCodeTooLarge", got: tx.data.length, expected: initCodeBytesMax };
}

/**
 * As in Ethereum, a sender who could not pay highest fee and value makes the transaction invalid.
 */
function valueMissing(context: ReadContext, call: Call<EthereumTransaction>): Refusal | null {
  const { body, payer } = call;
  const balance = context.accounts(key).get(payer)?.balance ?? 0n;
  const needed = body.value + call.gasLimit * body.maxFeePerGas;
  if (balance >= needed) return null;
  return { code: "balanceTooLow", got: balance, expected: needed, address: payer };
}

/** Whether a transaction only moves coins, so that nothing of it needs the EVM. */
function isPlain(context: ReadContext, tx: EthereumTransaction): boolean {
  if (tx.to === null || tx.authorizations.length > 0 || mayBePrecompile(context, tx.to))
    return false;
  const target = context.accounts(key).get(tx.to);
  // An account that is there but empty goes when it is touched [EIP-161]: the EVM knows how.
  return target === null || (!hasCode(target) && (target.nonce > 0n || target.balance > 0n));
}

function transferPlainly(context: ModuleContext, call: Call<EthereumTransaction>): Applied {
  const { body, payer } = call;
  if (body.value > 0n && body.to !== null) {
    const accounts = context.accounts(key);
    const sender = accounts.get(payer) ?? emptyAccount;
    accounts.set(payer, withBalance(sender, sender.balance - body.value));
    const target = accounts.get(body.to) ?? emptyAccount;
    accounts.set(body.to, withBalance(target, target.balance + body.value));
  }
  return { ...applied, gasUsed: transactionGasOf(body, context.parameters) };
}

async function execute(context: ModuleContext, call: Call<EthereumTransaction>): Promise<Applied> {
  const { body, payer, gasLimit, gasPrice } = call;
  const { to, value, data, accessList } = body;
  const authorizations = body.authorizations.map(recoverAuthorization);
  const parts = { to, value, data, gasLimit, gasPrice, accessList, authorizations };
  const result = await runTransaction(context, { caller: payer, ...parts });
  // What delegations did stays, and the EVM has reverted the rest [EIP-7702].
  return concluded(context, result, to === null);
}

/** A delegation with the account that signed it. */
export function recoverAuthorization(
  authorization: EthereumTransaction["authorizations"][number],
): EvmAuthorization {
  const { chainId, address, nonce } = authorization;
  const signature = authorizationSignature(authorization);
  const authority =
    signature === null ? null : recoverAddress(authorizationDigest(authorization), signature);
  return { authority, chainId, address, nonce };
}

/** Runs a message of another module's operation, whose sender's nonce was raised already. */
export async function executeMessage(
  context: ModuleContext,
  message: EvmTransaction,
): Promise<Applied> {
  const result = await runTransaction(context, message);
  return concluded(context, result, message.to === null);
}

/** The answer of what ran and, if it failed, is undone already: what it used counts all the same. */
function concluded(context: ModuleContext, result: EvmResult, creates: boolean): Applied {
  const { gasUsed, returnData } = result;
  spendBudget(context, gasUsed);
  if (!result.ok) {
    return { ok: false, refusal: executionRefusal(result), gasUsed, returnData, undone: true };
  }
  writeLogs(context, result);
  const created = creates ? result.contractAddress : null;
  return { ok: true, gasUsed, contractAddress: created, returnData };
}

type SmartContract = Extract<ThetaTransaction, { type: "smartContract" }>;

/** What Theta's type 7 means: the zero address stands for a creation. */
function messageOf(body: SmartContract): {
  readonly to: Address | null;
  readonly data: Uint8Array;
  readonly accessList: readonly never[];
  readonly authorizations: readonly never[];
} {
  const to = body.to.address === zeroAddress ? null : body.to.address;
  return { to, data: body.data, accessList: [], authorizations: [] };
}

/**
 * Theta's smart contract transaction (theta.md 2.11): coins move from `from`, and what `to` says of
 * coins is ignored. ThetaWei reach the contract before its code runs.
 */
const smartContract: OperationDefinition<SmartContract> = {
  description: "calls or creates a contract by a Theta transaction",
  schema: null,
  gas: (body, parameters) => gasLimitMin(messageOf(body), forkOf(parameters)),
  signers: (body) => [body.from.address],
  spends: (body) => body.from.coins.tfuelWei,
  validate: (context, call) =>
    initCodeFault(messageOf(call.body), forkOf(context.parameters)) ??
    coinsMissing(context, call) ??
    budgetFault(context, call.gasLimit),
  check: () => null,
  apply: async (context, call) => {
    const { body, payer, gasLimit, gasPrice } = call;
    const { thetaWei, tfuelWei } = body.from.coins;
    const message = messageOf(body);
    const state = context.contracts(key);
    const checkpoint = state.checkpoint();
    if (thetaWei > 0n) {
      // Its nonce was raised before this ran, and a creation uses the one before.
      const nonce = (context.accounts(key).get(payer)?.nonce ?? 1n) - 1n;
      const to = message.to ?? contractAddress(payer, nonce);
      const refusal = transfer(context, { from: payer, to, coins: { thetaWei, tfuelWei: 0n } });
      if (refusal !== null) return { ...applied, ok: false, refusal };
    }
    const parts = { ...message, value: tfuelWei, gasLimit, gasPrice };
    const result = await runTransaction(context, { caller: payer, ...parts });
    if (!result.ok) state.revert(checkpoint); // The ThetaWei.
    return concluded(context, result, message.to === null);
  },
};

function coinsMissing(context: ReadContext, call: Call<SmartContract>): Refusal | null {
  const { payer, body, gasLimit } = call;
  const { thetaWei, tfuelWei } = body.from.coins;
  const balance = balanceOf(context, payer);
  const needed = tfuelWei + gasLimit * body.gasPrice;
  const tfuelMissing = balance.tfuelWei < needed;
  if (!tfuelMissing && balance.thetaWei >= thetaWei) return null;
  return {
    code: "balanceTooLow",
    got: tfuelMissing ? `${balance.tfuelWei} TFuelWei` : `${balance.thetaWei} ThetaWei`,
    expected: tfuelMissing ? `${needed} TFuelWei` : `${thetaWei} ThetaWei`,
    address: payer,
  };
}

/** The module `evm`. */
export const evmModule: Module = {
  key,
  name: key.name,
  version: 2,
  ownsAccounts: true,
  parameters: {
    fork: {
      type: "choice",
      default: forkDefault,
      choices: forkNames,
      description: "Ethereum's rules for contracts",
    },
    blockGasMax: integer(30_000_000n, {
      min: 1_000_000n,
      max: 10n ** 12n,
      unit: "gas",
      description: "most gas that code may use in one block; transfers do not count",
    }),
    systemCallGasMax: integer(10_000_000n, {
      min: 100_000n,
      max: 10n ** 12n,
      unit: "gas",
      description: "most gas of a module's call into a contract",
    }),
  },
  operations: { transact, smartContract },
  queries: {},
  events: [],
  jobs: [],
  genesis: { init: () => {} },
  invariants: [],
  precompiles: laterPrecompiles,
  hooks: {
    onBlockBegin: (context) =>
      recordParent(context.contracts(key), context.block, forkOf(context.parameters)),
  },
};

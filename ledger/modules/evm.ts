import type { Address } from "../../base/brand.ts";
import { bytesToBigInt, hexToBytes } from "../../base/bytes.ts";
import { emptyAccount, isContract, withBalance } from "../accounts.ts";
import { createModuleKey } from "../definitions.ts";
import { intrinsicGas } from "../intrinsicGas.ts";
import {
  applied,
  type Call,
  type Module,
  type OperationDefinition,
  type ReadContext,
} from "../module.ts";
import type { Refusal } from "../refusal.ts";
import type { EthereumTransaction, ThetaTransaction } from "../thetaTypes.ts";

/*
 * Ethereum transactions. This runtime carries out plain transfers; whatever would run code
 * (creation, a call to code or to a precompile, delegation by EIP-7702, Theta's type 7) is refused
 * before it costs anything.
 */

const key = createModuleKey("evm");

/** Addresses of Ethereum's precompiles: 1 to 17, and P256VERIFY [EIP-7951]. */
const precompileLast = 17n;
const p256Verify = 256n;

/** Calldata floor [EIP-7623]: ten gas a token, a zero byte is one token, any other four. */
const tokenFloorGas = 10n;
const transferGas = 21_000n;

/** Forks with the calldata floor. */
const floorForks: ReadonlySet<string> = new Set(["prague", "osaka"]);

/** Gas of a transfer: what is due before code runs, and no less than the fork's calldata floor. */
export function transferGasOf(tx: EthereumTransaction, fork: string): bigint {
  const due = intrinsicGas(tx);
  if (tx.data.length === 0 || !floorForks.has(fork)) return due;
  let zeros = 0;
  for (const byte of tx.data) if (byte === 0) zeros += 1;
  const floor = transferGas + tokenFloorGas * BigInt(zeros + 4 * (tx.data.length - zeros));
  return due > floor ? due : floor;
}

const transact: OperationDefinition<EthereumTransaction> = {
  description: "carries out an Ethereum transaction",
  schema: null,
  gas: (body, parameters) => transferGasOf(body, parameters.text("evm.fork")),
  signers: (_body, payer) => [payer],
  spends: (body) => body.value,
  validate: (context, call) => codeNeeded(context, call.body) ?? valueMissing(context, call),
  check: () => null,
  apply: (context, call) => {
    const { body, payer } = call;
    if (body.value > 0n && body.to !== null) {
      const accounts = context.accounts(key);
      const sender = accounts.get(payer) ?? emptyAccount;
      accounts.set(payer, withBalance(sender, sender.balance - body.value));
      const target = accounts.get(body.to) ?? emptyAccount;
      accounts.set(body.to, withBalance(target, target.balance + body.value));
    }
    const gasUsed = transferGasOf(body, context.parameters.text("evm.fork"));
    return { ...applied, gasUsed };
  },
};

/** Why a transaction is more than a transfer, or `null`. */
function codeNeeded(context: ReadContext, tx: EthereumTransaction): Refusal | null {
  if (tx.to === null) return unavailable("a contract creation");
  if (tx.type === "setCode" || tx.authorizations.length > 0) return unavailable("a delegation");
  if (isPrecompile(tx.to)) return unavailable("a call to a precompile");
  return isContract(context.accounts(key).get(tx.to)) ? unavailable("a call to a contract") : null;
}

function unavailable(got: string): Refusal {
  return { code: "operationUnavailable", got, expected: "a transfer to an account without code" };
}

function isPrecompile(address: Address): boolean {
  if (!address.startsWith("0x00000000000000000000000000000000")) return false;
  const value = bytesToBigInt(hexToBytes(address));
  return (value >= 1n && value <= precompileLast) || value === p256Verify;
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

type SmartContract = Extract<ThetaTransaction, { type: "smartContract" }>;

const smartContract: OperationDefinition<SmartContract> = {
  description: "runs a contract by a Theta transaction",
  schema: null,
  gas: () => transferGas,
  signers: (body) => [body.from.address],
  validate: () => ({
    code: "operationUnavailable",
    got: "a smart contract transaction",
    expected: "a runtime with contracts",
  }),
  check: () => null,
  apply: () => applied,
};

/** The module `evm`. */
export const evmModule: Module = {
  key,
  name: key.name,
  version: 1,
  ownsAccounts: true,
  parameters: {
    fork: {
      type: "choice",
      default: "osaka",
      choices: ["shanghai", "cancun", "prague", "osaka"],
      description: "Ethereum's rules for contracts",
    },
  },
  operations: { transact, smartContract },
  queries: {},
  events: [],
  jobs: [],
  genesis: { init: () => {} },
  invariants: [],
};

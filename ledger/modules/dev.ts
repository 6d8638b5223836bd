import type { Address } from "../../base/brand.ts";
import { bigIntToBytes, bytesToHex, emptyBytes, hexToBytesOrNull } from "../../base/bytes.ts";
import { transactionBytesMax } from "../../base/limits.ts";
import { emptyKeccak, keccakDigest } from "../../crypto/keccak.ts";
import { gasLimitMin } from "../../vm/transactionGas.ts";
import { emptyAccount, hasCode, nonceMax } from "../accounts.ts";
import { createModuleKey } from "../definitions.ts";
import {
  applied,
  type Module,
  type ModuleContext,
  type OperationDefinition,
  type ReadContext,
} from "../module.ts";
import type { Refusal } from "../refusal.ts";
import {
  addressField,
  amountField,
  decodeWith,
  digestField,
  flagField,
  listField,
  recordField,
  type Schema,
  type ValueOf,
} from "../schema.ts";
import type { Transaction } from "../transaction.ts";
import { mint, recordBurned } from "./bank.ts";
import { budgetFault } from "./evmBudget.ts";
import { executeMessage } from "./evm.ts";
import { historyAddress } from "./evmHistory.ts";
import { forkOf } from "./evmRun.ts";

/*
 * What test frameworks do to a chain (docs/adr/012-development-operations.md): accounts written as
 * they please, transactions in the name of whoever has not signed them. They are operations in
 * blocks like any other, so each node computes the same; a chain offers them only if its parameter
 * `dev.operations` says so, which no public genesis may.
 */

const key = createModuleKey("dev");

/** Accounts, and words of one account's storage, in one operation. */
const entriesMax = 4_096;

/** At most one value: what is left out stays as it is. */
function optionalField<T>(part: Schema<T>): Schema<readonly T[]> {
  return listField(part, 1);
}

/** Bytes of any length: code, call data. */
const dataField: Schema<Uint8Array> = {
  description: "bytes",
  toItem: (value) => value,
  fromItem: (item, reader) => reader.bytes(item, transactionBytesMax).slice(),
  toJson: (value) => bytesToHex(value),
  fromJson: (json) => {
    const value = typeof json === "string" ? hexToBytesOrNull(json) : null;
    return value === null ? null : { value };
  },
};

const accountField = recordField({
  address: addressField,
  nonce: optionalField(amountField),
  balance: optionalField(amountField),
  code: optionalField(dataField),
  /** Whether all words but those that follow are zero. */
  cleared: flagField,
  storage: listField(recordField({ slot: digestField, word: amountField }), entriesMax),
});

/** What becomes of an account; one left with nothing is gone. */
export type AccountWrite = ValueOf<typeof accountField>;

/** Body of the operation `write`. */
export const writeSchema = recordField({ accounts: listField(accountField, entriesMax) });

/** Body of the operation `transact`: `to` without an address creates a contract. */
export const transactSchema = recordField({
  from: addressField,
  to: optionalField(addressField),
  value: amountField,
  data: dataField,
  gasLimit: amountField,
});

type Transact = ValueOf<typeof transactSchema>;

/** Gas of a written account, and of a word of its storage: about what it costs to carry out. */
const accountGas = 1_000n;
const wordGas = 200n;

/** Gas of an operation before anything is written. */
const operationGas = 5_000n;

function refusedHere(context: ReadContext): Refusal | null {
  return context.parameters.text("dev.operations") === "allowed"
    ? null
    : {
        code: "operationUnavailable",
        got: "an operation for development",
        expected: "a chain whose genesis sets dev.operations to allowed",
      };
}

const write: OperationDefinition<ValueOf<typeof writeSchema>> = {
  description: "sets accounts: for tests on chains that allow it",
  schema: writeSchema,
  gas: ({ accounts }) =>
    accounts.reduce(
      (gas, { storage }) => gas + accountGas + wordGas * BigInt(storage.length),
      operationGas,
    ),
  signers: () => [],
  validate: (context) => refusedHere(context),
  check: (_context, { body }) => {
    const bad = body.accounts.find(
      ({ address, nonce }) => isReservedAccount(address) || tooHigh(nonce),
    );
    if (bad === undefined) return null;
    const { address } = bad;
    return { code: "bodyInvalid", got: address, expected: "an account of people or contracts" };
  },
  apply: (context, { body }) => {
    for (const account of body.accounts) writeAccount(context, account);
    return applied;
  },
};

function tooHigh(nonce: AccountWrite["nonce"]): boolean {
  return nonce.some((value) => value >= nonceMax);
}

/** What the chain itself keeps: the sub-tries of modules, and the hashes of blocks. */
export function isReservedAccount(address: Address): boolean {
  return address === historyAddress || address.startsWith(moduleDigits);
}

/** How addresses of modules begin: ASCII `module:`. */
const moduleDigits = "0x6d6f64756c653a";

function writeAccount(context: ModuleContext, account: AccountWrite): void {
  const { address, cleared, storage } = account;
  const state = context.contracts(key);
  const before = state.account(address) ?? emptyAccount;
  const [code] = account.code;
  const [balance = before.balance] = account.balance;
  const [nonce = before.nonce] = account.nonce;
  let { codeHash } = before;
  if (code !== undefined) codeHash = code.length === 0 ? emptyKeccak : keccakDigest(code);
  if (code !== undefined && code.length > 0) state.setCode(codeHash, code);
  const gained = balance - before.balance;
  if (gained > 0n) mint(context, { to: address, coins: { thetaWei: 0n, tfuelWei: gained } });
  else if (gained < 0n) recordBurned(context, { thetaWei: 0n, tfuelWei: -gained });
  if (cleared) state.clearStorage(address);
  const after = { nonce, balance, codeHash, storageRoot: before.storageRoot };
  const isGone = nonce === 0n && balance === 0n && !hasCode(after) && storage.length === 0;
  state.setAccount(address, isGone ? null : after);
  for (const { slot, word } of storage)
    state.setStorage(address, slot, word === 0n ? null : bigIntToBytes(word));
}

function messageOf(body: Transact): {
  readonly to: Address | null;
  readonly data: Uint8Array;
  readonly accessList: readonly never[];
  readonly authorizations: readonly never[];
} {
  return { to: body.to[0] ?? null, data: body.data, accessList: [], authorizations: [] };
}

const transact: OperationDefinition<Transact> = {
  description: "a transaction of an account that has not signed it: for tests",
  schema: transactSchema,
  gas: (body, parameters) => {
    const gasMin = gasLimitMin(messageOf(body), forkOf(parameters));
    return body.gasLimit > gasMin ? body.gasLimit : gasMin;
  },
  signers: () => [],
  validate: (context, call) => refusedHere(context) ?? budgetFault(context, call.gasLimit),
  check: (context, { body }) => {
    const { from: address, value } = body;
    const balance = context.accounts(key).get(address)?.balance ?? 0n;
    if (balance >= value) return null;
    return { code: "balanceTooLow", got: balance, expected: value, address };
  },
  apply: (context, call) => {
    const { from, value } = call.body;
    const accounts = context.accounts(key);
    const sender = accounts.get(from) ?? emptyAccount;
    accounts.set(from, { ...sender, nonce: sender.nonce + 1n });
    const { gasLimit } = call;
    const gasPrice = context.block.baseFee;
    return executeMessage(context, {
      ...messageOf(call.body),
      caller: from,
      value,
      gasLimit,
      gasPrice,
    });
  },
};

/** The call that an operation `transact` carries; `null` for any other transaction. */
export function impersonatedCall(transaction: Transaction): {
  readonly from: Address;
  readonly to: Address | null;
  readonly value: bigint;
  readonly input: Uint8Array;
} | null {
  const { module, name, body } = transaction.op;
  if (transaction.envelope !== "operation" || module !== key.name || name !== "transact")
    return null;
  const decoded = decodeWith(transactSchema, body instanceof Uint8Array ? body : emptyBytes);
  if (!decoded.ok) return null;
  const { from, to, value, data: input } = decoded.value;
  return { from, to: to[0] ?? null, value, input };
}

/** The module `dev`. */
export const devModule: Module = {
  key,
  name: key.name,
  version: 1,
  ownsAccounts: true,
  parameters: {
    operations: {
      type: "choice",
      default: "refused",
      choices: ["refused", "allowed"],
      description: "operations that write accounts at will, for tests; never on a public chain",
    },
  },
  operations: { write, transact },
  queries: {},
  events: [],
  jobs: [],
  genesis: { init: () => {} },
  invariants: [],
};

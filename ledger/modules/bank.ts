import { assert } from "../../base/assert.ts";
import type { Address } from "../../base/brand.ts";
import { bigIntToBytes, bytesToBigInt, emptyBytes, hexToBytes } from "../../base/bytes.ts";
import { moduleAddress } from "../../base/moduleAddress.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import type { PrecompileFrame } from "../../vm/precompiles.ts";
import { emptyAccount, withBalance } from "../accounts.ts";
import { addressTopic, createEvent, createModuleKey, createQuery } from "../definitions.ts";
import { stateKey, stateKeysWith } from "../keys.ts";
import {
  applied,
  type Call,
  type CountableState,
  type Module,
  type ModuleContext,
  type ModuleKey,
  type OperationDefinition,
  type ReadContext,
} from "../module.ts";
import { integer, type Parameters } from "../parameters.ts";
import type { Refusal } from "../refusal.ts";
import {
  addressField,
  amountField,
  decodeOwn,
  encodeWith,
  recordField,
  type Json,
} from "../schema.ts";
import type { StateChanges, StateReader } from "../state.ts";
import type { Coins, ThetaTransaction } from "../thetaTypes.ts";
import {
  amountWord,
  frameFault,
  lastAddress,
  precompileAddress,
  readOrder,
} from "./evmPrecompiles.ts";

/*
 * Coins. TFuelWei are the balances of accounts, ThetaWei are kept here. What a module holds for
 * others (stakes, pools) is held in its name, and it can give out no more than that. So the whole
 * supply is one equation: accounts + ThetaWei + held = minted - burned.
 *
 *   tag 1 | address   ThetaWei, big-endian without leading zeros
 *   tag 2             supply record
 *   tag 3 | address   coins held by the module with that reserved address
 */

const key = createModuleKey("bank");
const thetaTag = 1;
const supplyKey = stateKey(2);
const heldTag = 3;

const coinsSchema = recordField({ thetaWei: amountField, tfuelWei: amountField });
const supplySchema = recordField({ minted: coinsSchema, burned: coinsSchema });

/** No coins. */
export const noCoins: Coins = { thetaWei: 0n, tfuelWei: 0n };

/** All coins that came into being, genesis included, and all that were burned. */
export type Supply = { readonly minted: Coins; readonly burned: Coins };

/** ThetaWei moved by a send; TFuelWei leave no log, as in Ethereum. */
export const thetaReceived = createEvent(
  key,
  "ThetaReceived",
  recordField({ to: addressField, thetaWei: amountField }),
  ({ to }) => [addressTopic(to)],
);

/** Both balances of an account. */
export function balanceOf(context: ReadContext, address: Address): Coins {
  return {
    thetaWei: bytesToBigInt(context.state(key).get(stateKey(thetaTag, address)) ?? emptyBytes),
    tfuelWei: context.accounts(key).get(address)?.balance ?? 0n,
  };
}

/** Why an account cannot pay this, or `null`. */
export function cannotPay(context: ReadContext, address: Address, coins: Coins): Refusal | null {
  const tfuel = context.accounts(key).get(address)?.balance ?? 0n;
  if (tfuel < coins.tfuelWei) return tooLow(address, "TFuelWei", tfuel, coins.tfuelWei);
  if (coins.thetaWei === 0n) return null;
  const { thetaWei } = balanceOf(context, address);
  return thetaWei < coins.thetaWei ? tooLow(address, "ThetaWei", thetaWei, coins.thetaWei) : null;
}

/** Adds coins that were taken elsewhere. */
function credit(context: ModuleContext, address: Address, coins: Coins): void {
  if (coins.tfuelWei !== 0n) {
    const accounts = context.accounts(key);
    const account = accounts.get(address) ?? emptyAccount;
    accounts.set(address, withBalance(account, account.balance + coins.tfuelWei));
  }
  if (coins.thetaWei !== 0n) {
    const { thetaWei } = balanceOf(context, address);
    setTheta(context, address, thetaWei + coins.thetaWei);
  }
}

/** Takes coins; that they are there was checked before. */
function debit(context: ModuleContext, address: Address, coins: Coins): void {
  if (coins.tfuelWei !== 0n) {
    const accounts = context.accounts(key);
    const account = accounts.get(address) ?? emptyAccount;
    accounts.set(address, withBalance(account, account.balance - coins.tfuelWei));
  }
  if (coins.thetaWei !== 0n) {
    const { thetaWei } = balanceOf(context, address);
    setTheta(context, address, thetaWei - coins.thetaWei);
  }
}

function setTheta(context: ModuleContext, address: Address, thetaWei: bigint): void {
  assert(thetaWei >= 0n, `the ThetaWei of ${address} would be ${thetaWei}`);
  const value = thetaWei === 0n ? null : bigIntToBytes(thetaWei);
  context.state(key).set(stateKey(thetaTag, address), value);
}

/** Moves coins between accounts; refused without a trace if they are not there. */
export function transfer(
  context: ModuleContext,
  order: { readonly from: Address; readonly to: Address; readonly coins: Coins },
): Refusal | null {
  const refusal = cannotPay(context, order.from, order.coins);
  if (refusal !== null) return refusal;
  debit(context, order.from, order.coins);
  credit(context, order.to, order.coins);
  return null;
}

/** Moves coins from an account into the keeping of the module that owns `holder`. */
export function hold(
  context: ModuleContext,
  holder: ModuleKey,
  order: { readonly from: Address; readonly coins: Coins },
): Refusal | null {
  const refusal = cannotPay(context, order.from, order.coins);
  if (refusal !== null) return refusal;
  debit(context, order.from, order.coins);
  addHeld(context, holder, order.coins);
  return null;
}

/** Gives coins that the module held to an account. More than it holds is a bug. */
export function release(
  context: ModuleContext,
  holder: ModuleKey,
  order: { readonly to: Address; readonly coins: Coins },
): void {
  subtractHeld(context, holder, order.coins);
  credit(context, order.to, order.coins);
}

/** Destroys coins that the module held. */
export function burnHeld(context: ModuleContext, holder: ModuleKey, coins: Coins): void {
  subtractHeld(context, holder, coins);
  recordBurned(context, coins);
}

/** Makes coins: rewards, and genesis. */
export function mint(
  context: ModuleContext,
  order: { readonly to: Address; readonly coins: Coins },
): void {
  recordMinted(context, order.coins);
  credit(context, order.to, order.coins);
}

/** Makes coins in the keeping of a module: stakes at genesis. */
export function mintHeld(context: ModuleContext, holder: ModuleKey, coins: Coins): void {
  recordMinted(context, coins);
  addHeld(context, holder, coins);
}

/** Counts coins that were taken from an account and given to nobody: fees. */
export function recordBurned(context: ModuleContext, coins: Coins): void {
  const { minted, burned } = supply(context);
  context
    .state(key)
    .set(supplyKey, encodeWith(supplySchema, { minted, burned: add(burned, coins) }));
}

function recordMinted(context: ModuleContext, coins: Coins): void {
  const { minted, burned } = supply(context);
  context
    .state(key)
    .set(supplyKey, encodeWith(supplySchema, { minted: add(minted, coins), burned }));
}

/** The supply's two counters. */
export function supply(context: ReadContext): Supply {
  const bytes = context.state(key).get(supplyKey);
  return bytes === null ? { minted: noCoins, burned: noCoins } : decodeOwn(supplySchema, bytes);
}

/** What a module keeps for others. */
export function heldBy(context: ReadContext, holder: ModuleKey): Coins {
  const bytes = context.state(key).get(stateKey(heldTag, moduleAddress(holder.name)));
  return bytes === null ? noCoins : decodeOwn(coinsSchema, bytes);
}

function addHeld(context: ModuleContext, holder: ModuleKey, coins: Coins): void {
  setHeld(context, holder, add(heldBy(context, holder), coins));
}

function subtractHeld(context: ModuleContext, holder: ModuleKey, coins: Coins): void {
  const held = heldBy(context, holder);
  const left = subtract(held, coins);
  assert(left.thetaWei >= 0n && left.tfuelWei >= 0n, `${holder.name} gives what it does not hold`);
  setHeld(context, holder, left);
}

function setHeld(context: ModuleContext, holder: ModuleKey, coins: Coins): void {
  // The right to the module's own state is the right to what it holds.
  context.state(holder);
  const value = encodeWith(coinsSchema, coins);
  context.state(key).set(stateKey(heldTag, moduleAddress(holder.name)), value);
}

/** The sum of two amounts. */
export function add(a: Coins, b: Coins): Coins {
  return { thetaWei: a.thetaWei + b.thetaWei, tfuelWei: a.tfuelWei + b.tfuelWei };
}

function sum(parts: readonly { readonly coins: Coins }[]): Coins {
  let thetaWei = 0n;
  let tfuelWei = 0n;
  for (const { coins } of parts) {
    thetaWei += coins.thetaWei;
    tfuelWei += coins.tfuelWei;
  }
  return { thetaWei, tfuelWei };
}

function tooLow(address: Address, coin: string, got: bigint, needed: bigint): Refusal {
  return {
    code: "balanceTooLow",
    got: `${got} ${coin}`,
    expected: `at least ${needed} ${coin}`,
    address,
  };
}

type Send = Extract<ThetaTransaction, { type: "send" }>;

/**
 * Theta's send (theta.md 2.11): many inputs, many outputs; the fee is what the outputs leave over.
 */
const send: OperationDefinition<Send> = {
  description: "moves Theta and TFuel from one or more accounts to one or more accounts",
  schema: null,
  gas: (body, parameters) => {
    const accounts = Math.max(2, body.inputs.length + body.outputs.length);
    return parameters.amount("bank.gasPerAccount") * BigInt(accounts);
  },
  signers: (body) => body.inputs.map(({ address }) => address),
  spends: (body, payer) => {
    const input = body.inputs.find(({ address }) => address === payer);
    const tfuel = (input?.coins.tfuelWei ?? 0n) - body.fee.tfuelWei;
    return tfuel > 0n ? tfuel : 0n;
  },
  validate: (_context, call) => feeFault(call.body.fee),
  check: (context, call) =>
    sendShapeFault(call.body, context.parameters) ?? sendFault(context, call),
  apply: (context, call) => {
    for (const { address, coins } of call.body.inputs) {
      // The fee was taken from the payer already, but it is part of what the inputs give.
      if (address !== call.payer) debit(context, address, coins);
      else if (coins.tfuelWei >= call.fee) {
        debit(context, address, { ...coins, tfuelWei: coins.tfuelWei - call.fee });
      } else {
        debit(context, address, { ...coins, tfuelWei: 0n });
        credit(context, address, { thetaWei: 0n, tfuelWei: call.fee - coins.tfuelWei });
      }
    }
    for (const { address, coins } of call.body.outputs) {
      credit(context, address, coins);
      if (coins.thetaWei > 0n) {
        context.emit(thetaReceived, { to: address, thetaWei: coins.thetaWei });
      }
    }
    return applied;
  },
};

/** Why a Theta fee is not one, or `null`: fees are TFuel only. */
export function feeFault(fee: Coins): Refusal | null {
  return fee.thetaWei === 0n ? null : { code: "feeInTheta", got: fee.thetaWei, expected: 0n };
}

/** What is wrong with a send whatever the state is. */
function sendShapeFault(body: Send, parameters: Parameters): Refusal | null {
  const { inputs, outputs, fee } = body;
  if (inputs.length === 0 || outputs.length === 0) {
    const got = `${inputs.length} inputs and ${outputs.length} outputs`;
    return { code: "inputsMissing", got, expected: "at least one of each" };
  }
  const accountsMax = parameters.count("bank.accountsPerSendMax");
  if (inputs.length + outputs.length > accountsMax) {
    return { code: "accountsTooMany", got: inputs.length + outputs.length, expected: accountsMax };
  }
  const repeated = repeatedAddress(inputs, outputs);
  if (repeated !== null) {
    return { code: "accountRepeated", got: "twice", expected: "once", address: repeated };
  }
  const given = sum(inputs);
  const taken = add(sum(outputs), fee);
  if (given.thetaWei === taken.thetaWei && given.tfuelWei === taken.tfuelWei) return null;
  return { code: "amountsUnequal", got: coinsText(given), expected: coinsText(taken) };
}

type Named = { readonly address: Address };

/** An address that occurs twice, or `null`. */
function repeatedAddress(inputs: readonly Named[], outputs: readonly Named[]): Address | null {
  if (inputs.length === 1 && outputs.length === 1) {
    const address = inputs[0]?.address ?? null; // Nearly all sends: no set is made for them.
    return address === outputs[0]?.address ? address : null;
  }
  const seen = new Set<Address>();
  for (const list of [inputs, outputs]) {
    for (const { address } of list) {
      if (seen.has(address)) return address;
      seen.add(address);
    }
  }
  return null;
}

function coinsText(coins: Coins): string {
  return `${coins.thetaWei} ThetaWei and ${coins.tfuelWei} TFuelWei`;
}

function contractIn(context: ReadContext, list: readonly Named[]): Refusal | null {
  const accounts = context.accounts(key);
  for (const { address } of list) {
    if (accounts.isContract(address)) {
      const got = accounts.get(address)?.codeHash ?? "";
      return { code: "accountIsContract", got, expected: "no code", address };
    }
  }
  return null;
}

function sendFault(context: ReadContext, call: Call<Send>): Refusal | null {
  const contract = contractIn(context, call.body.inputs) ?? contractIn(context, call.body.outputs);
  if (contract !== null) return contract;
  for (const { address, coins } of call.body.inputs) {
    // The payer has paid the fee already, which is part of what the inputs give.
    const paid = address === call.payer ? call.fee : 0n;
    const rest = coins.tfuelWei - paid;
    const tfuelWei = rest > 0n ? rest : 0n;
    const refusal = cannotPay(context, address, { thetaWei: coins.thetaWei, tfuelWei });
    if (refusal !== null) return refusal;
  }
  return null;
}

function recount(context: ReadContext, state: CountableState): string | null {
  let total: Coins = noCoins;
  for (const account of state.accountValues()) {
    total = add(total, { thetaWei: 0n, tfuelWei: account.balance });
  }
  const own = context.state(key);
  for (const [, value] of own.range(stateKeysWith(thetaTag))) {
    total = add(total, { thetaWei: bytesToBigInt(value), tfuelWei: 0n });
  }
  for (const [, value] of own.range(stateKeysWith(heldTag))) {
    total = add(total, decodeOwn(coinsSchema, value));
  }
  const { minted, burned } = supply(context);
  const expected = subtract(minted, burned);
  if (total.thetaWei === expected.thetaWei && total.tfuelWei === expected.tfuelWei) return null;
  return `counted ${coinsText(total)}, minted less burned is ${coinsText(expected)}`;
}

/**
 * What a block's changes did to the bank's own records: coins that accounts have as ThetaWei or
 * that modules hold, and coins minted less burned.
 */
export function suppliedBy(
  before: StateReader,
  changes: StateChanges,
): { readonly held: Coins; readonly supplied: Coins } {
  let held = noCoins;
  let supplied = noCoins;
  for (const [digits, value] of changes.modules.get(key.name) ?? []) {
    const at = hexToBytes(digits);
    const old = before.moduleValue(key.name, at);
    if (at[0] === supplyKey[0]) supplied = subtract(inSupply(value), inSupply(old));
    else held = add(held, subtract(coinsIn(at, value), coinsIn(at, old)));
  }
  return { held, supplied };
}

function inSupply(value: Uint8Array | null): Coins {
  if (value === null) return noCoins;
  const { minted, burned } = decodeOwn(supplySchema, value);
  return subtract(minted, burned);
}

function coinsIn(at: Uint8Array, value: Uint8Array | null): Coins {
  if (value === null) return noCoins;
  return at[0] === thetaTag
    ? { thetaWei: bytesToBigInt(value), tfuelWei: 0n }
    : decodeOwn(coinsSchema, value);
}

function subtract(a: Coins, b: Coins): Coins {
  return { thetaWei: a.thetaWei - b.thetaWei, tfuelWei: a.tfuelWei - b.tfuelWei };
}

function coinsJson(coins: Coins): Json {
  return { thetawei: coins.thetaWei.toString(), tfuelwei: coins.tfuelWei.toString() };
}

/** Precompile 203: a contract, or whoever calls it, sends its ThetaWei. */
function sendTheta(context: ModuleContext, frame: PrecompileFrame): Outcome<Uint8Array, Refusal> {
  const order = readOrder(frame.input);
  if (!order.ok) return order;
  const { to, amount: thetaWei } = order.value;
  const coins = { thetaWei, tfuelWei: 0n };
  const refusal = frameFault(frame) ?? transfer(context, { from: frame.caller, to, coins });
  if (refusal !== null) return refuse(refusal);
  if (thetaWei > 0n) context.emit(thetaReceived, { to, thetaWei });
  return accept(emptyBytes);
}

/** The module `bank`. */
export const bankModule: Module = {
  key,
  name: key.name,
  version: 2,
  ownsAccounts: true,
  parameters: {
    gasPerAccount: integer(5_000n, {
      min: 1n,
      max: 10_000_000n,
      unit: "gas",
      description: "gas of a send per input and output; two are counted at least",
    }),
    accountsPerSendMax: integer(512n, {
      min: 2n,
      max: 4_096n,
      unit: "accounts",
      description: "most inputs and outputs of a send",
    }),
  },
  operations: { send },
  queries: {
    balance: createQuery(
      "both balances of an account",
      recordField({ address: addressField }),
      (context, { address }) => accept(coinsJson(balanceOf(context, address))),
    ),
    supply: createQuery("coins minted and burned", recordField({}), (context) => {
      const { minted, burned } = supply(context);
      return accept({ minted: coinsJson(minted), burned: coinsJson(burned) });
    }),
  },
  events: [thetaReceived],
  jobs: [],
  genesis: {
    init: (context, content) => {
      for (const { address, coins } of content.balances) mint(context, { to: address, coins });
    },
  },
  invariants: [{ name: "supply conserved", check: recount }],
  precompiles: [
    {
      address: precompileAddress(201),
      gas: () => 4n,
      run: (context, { input }) =>
        accept(amountWord(balanceOf(context, lastAddress(input)).thetaWei)),
    },
    { address: precompileAddress(203), gas: () => 21_000n, run: sendTheta },
  ],
};

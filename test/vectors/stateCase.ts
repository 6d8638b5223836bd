import { isDeepStrictEqual } from "node:util";
import { assert } from "../../base/assert.ts";
import type { Address, Digest, Verified } from "../../base/brand.ts";
import {
  bigIntToBytes,
  bigIntToFixedBytes,
  bytesToBigInt,
  bytesToDigest,
  bytesToHex,
  emptyBytes,
  hexToBytes,
  textToAddressOrNull,
  zeroDigest,
} from "../../base/bytes.ts";
import { moduleAddress } from "../../base/moduleAddress.ts";
import { encodeRlp } from "../../base/rlp.ts";
import { emptyKeccak, keccakDigest } from "../../crypto/keccak.ts";
import { verifiedOwn } from "../../crypto/verify.ts";
import { emptyAccount } from "../../ledger/accounts.ts";
import { BlockExecution } from "../../ledger/blockExecution.ts";
import { decodeEthereum } from "../../ledger/decode.ts";
import type { BlockContext, Chain } from "../../ledger/module.ts";
import { historyAddress } from "../../ledger/modules/evmHistory.ts";
import { Parameters } from "../../ledger/parameters.ts";
import type { Receipt } from "../../ledger/receiptTypes.ts";
import { Registry } from "../../ledger/registry.ts";
import { coreRegistry } from "../../ledger/runtime.ts";
import type { Account, StateChanges } from "../../ledger/state.ts";
import { ethereumOperation } from "../../ledger/thetaOperations.ts";
import type { EthereumTransaction } from "../../ledger/thetaTypes.ts";
import type { Transaction } from "../../ledger/transaction.ts";
import { MemoryKeyValue } from "../../store/memory.ts";
import { openStateTree } from "../../store/stateTree.ts";
import { emptyRoot } from "../../store/account.ts";

/*
 * One official state test through the ledger's own executor, journal and tries: the block's
 * transaction is tried as a proposer tries it, and what accounts changed is put into a tree of its
 * own, whose root must be Ethereum's. What our modules write beside (supply, hashes of ancestors)
 * is left out of that tree.
 */

type StateAccount = {
  readonly balance?: string;
  readonly nonce?: string;
  readonly code?: string;
  readonly storage?: Readonly<Record<string, string>>;
};

type Expected = {
  readonly stateRoot: string;
  readonly logsHash: string;
  readonly diff: Readonly<Record<string, StateAccount | null>>;
  readonly gasUsed?: number;
  readonly status?: number;
  readonly logs?: number;
  readonly returned?: string;
  readonly exception?: string;
};

/** A case of a state test. */
export type StateCase = {
  readonly i: number;
  readonly data: string;
  readonly gasLimit: string;
  readonly value: string;
  readonly accessList?: readonly {
    readonly address: string;
    readonly storageKeys: readonly string[];
  }[];
  readonly txbytes: string;
  readonly expect: Expected;
};

/** A state test: one environment and state, and transactions that are alike. */
export type StateTest = {
  readonly id: string;
  readonly fork: string;
  readonly env: Readonly<Record<string, string>>;
  readonly pre: Readonly<Record<string, StateAccount>>;
  readonly tx: Readonly<Record<string, string | undefined>>;
  readonly cases: readonly StateCase[];
};

/** Chain that the official transactions are signed for. */
const chain: Chain = { name: "state tests", id: 1, genesisHash: zeroDigest };

/** This runtime without its own precompiles: the tests put contracts at some of their addresses. */
const registry = new Registry(
  coreRegistry.modules.map((module) => ({ ...module, precompiles: [] })),
);

/** Start of the modules' reserved accounts: they are not Ethereum's. */
const modulePrefix = moduleAddress("x").slice(0, 16);

function addressFrom(text: string): Address {
  const address = textToAddressOrNull(text);
  assert(address !== null, `not an address: ${text}`);
  return address;
}

function wordFrom(text: string): Uint8Array {
  return bigIntToBytes(BigInt(text));
}

function slotFrom(text: string): Digest {
  return bytesToDigest(bigIntToFixedBytes(BigInt(text), 32));
}

function changesOf(pre: StateTest["pre"]): StateChanges {
  const accounts = new Map<Address, Account>();
  const storage = new Map<Address, Map<Digest, Uint8Array>>();
  const code = new Map<Digest, Uint8Array>();
  for (const [text, account] of Object.entries(pre)) {
    const address = addressFrom(text);
    const bytes = hexToBytes(account.code ?? "0x");
    const codeHash = bytes.length === 0 ? emptyKeccak : keccakDigest(bytes);
    if (bytes.length > 0) code.set(codeHash, bytes);
    const balance = BigInt(account.balance ?? "0x0");
    accounts.set(address, {
      ...emptyAccount,
      nonce: BigInt(account.nonce ?? "0x0"),
      balance,
      codeHash,
    });
    const words = new Map<Digest, Uint8Array>();
    for (const [slot, word] of Object.entries(account.storage ?? {})) {
      if (BigInt(word) !== 0n) words.set(slotFrom(slot), wordFrom(word));
    }
    if (words.size > 0) storage.set(address, words);
  }
  return { accounts, storage, storageCleared: new Set(), code, modules: new Map() };
}

/** Only what Ethereum has, too. */
function ethereumChanges(changes: StateChanges): StateChanges {
  const own = (address: Address): boolean =>
    address === historyAddress || address.startsWith(modulePrefix);
  return {
    accounts: new Map([...changes.accounts].filter(([address]) => !own(address))),
    storage: new Map([...changes.storage].filter(([address]) => !own(address))),
    storageCleared: changes.storageCleared,
    code: changes.code,
    modules: new Map(),
  };
}

function transactionOf({ tx }: StateTest, item: StateCase): Verified<Transaction> {
  const maxFeePerGas = BigInt(tx["maxFeePerGas"] ?? tx["gasPrice"] ?? "0x0");
  const maxPriorityFeePerGas = BigInt(tx["maxPriorityFeePerGas"] ?? tx["gasPrice"] ?? "0x0");
  const legacy = item.accessList === undefined ? "legacy" : "accessList";
  const nonce = BigInt(tx["nonce"] ?? "0x0");
  const body: EthereumTransaction = {
    type: tx["maxFeePerGas"] === undefined ? legacy : "feeMarket",
    nonce,
    gasLimit: BigInt(item.gasLimit),
    maxFeePerGas,
    maxPriorityFeePerGas,
    to: tx["to"] === undefined || tx["to"] === "" ? null : addressFrom(tx["to"]),
    value: BigInt(item.value),
    data: hexToBytes(item.data),
    accessList: (item.accessList ?? []).map(({ address, storageKeys }) => ({
      address: addressFrom(address),
      storageKeys: storageKeys.map((key) => hexToBytes(slotFrom(key))),
    })),
    authorizations: [],
  };
  const payer = addressFrom(tx["sender"] ?? "");
  const encoded = hexToBytes(item.txbytes);
  return verifiedOwn<Transaction>({
    envelope: "ethereum",
    hash: keccakDigest(encoded),
    encoded,
    payer,
    signers: [{ address: payer, sequence: nonce + 1n }],
    feeBid: { type: "perGas", maxFeePerGas, maxPriorityFeePerGas },
    gasLimit: body.gasLimit,
    expiryHeight: null,
    op: { ...ethereumOperation, body },
  });
}

/** No limit of ours may stand in the way of theirs. */
function parametersOf(fork: string): Parameters {
  const values = new Map(registry.parametersWith(new Map()).entries());
  values.set("evm.fork", fork.toLowerCase());
  values.set("chain.transactionGasMax", 1n << 64n);
  values.set("evm.blockGasMax", 1n << 64n);
  values.set("chain.transactionBytesMax", 1n << 30n);
  values.set("chain.blockBytesMax", 1n << 30n);
  return new Parameters(values);
}

function blockOf({ env, fork }: StateTest): BlockContext {
  const older = fork === "Istanbul";
  return {
    height: Number(env["currentNumber"]),
    epoch: 0,
    view: 0,
    timestampMs: Number(env["currentTimestamp"]) * 1_000,
    parentHash: zeroDigest,
    proposer: addressFrom(env["currentCoinbase"] ?? ""),
    gasLimit: BigInt(env["currentGasLimit"] ?? "0x0"),
    baseFee: older ? 0n : BigInt(env["currentBaseFee"] ?? "0x0"),
    randomness: slotFrom((older ? env["currentDifficulty"] : env["currentRandom"]) ?? "0x0"),
  };
}

/** What is wrong with a case, or `null`. */
export async function stateFault(test: StateTest, item: StateCase): Promise<string | null> {
  const expected = item.expect;
  if (expected.exception !== undefined && !decodeEthereum(hexToBytes(item.txbytes), chain).ok) {
    return null; // Refused at the border, so nothing can have changed.
  }
  const tree = await openStateTree(new MemoryKeyValue(), {
    retention: { type: "archive" },
    cacheBytes: 1 << 20,
  });
  const root = tree.apply(emptyRoot, changesOf(test.pre));
  const execution = new BlockExecution(registry, {
    reader: tree.reader(root),
    chain,
    block: blockOf(test),
    parameters: parametersOf(test.fork),
  });
  const outcome = await execution.tryTransaction(transactionOf(test, item));
  const { changes } = execution.finish({ epochLast: false, jobsMax: 0 });
  const after = tree.apply(root, ethereumChanges(changes));
  if (expected.exception !== undefined) {
    if (outcome.ok) return `accepted, expected ${expected.exception}`;
    return after === root ? null : "a refused transaction changed the state";
  }
  if (!outcome.ok) return `refused: ${JSON.stringify(outcome.refusal, bigIntText)}`;
  return (
    receiptFault(outcome.value, expected) ??
    diffFault(tree.reader(after), expected.diff) ??
    unequal("state root", after, expected.stateRoot)
  );
}

function bigIntText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

function unequal(what: string, got: unknown, wanted: unknown): string | null {
  if (isDeepStrictEqual(got, wanted)) return null;
  const text = (value: unknown): string => JSON.stringify(value, bigIntText);
  return `${what}: got ${text(got)}, expected ${text(wanted)}`;
}

function receiptFault(receipt: Receipt, expected: Expected): string | null {
  const logs = receipt.logs.map(({ address, topics, data }) => [
    hexToBytes(address),
    topics.map((topic) => hexToBytes(topic)),
    data,
  ]);
  return (
    unequal("gas", receipt.gasUsed, BigInt(expected.gasUsed ?? 0)) ??
    unequal("status", receipt.status, expected.status) ??
    unequal("logs", receipt.logs.length, expected.logs) ??
    unequal("logs hash", keccakDigest(encodeRlp(logs)), expected.logsHash) ??
    (expected.returned === undefined
      ? null
      : unequal("returned", bytesToHex(receipt.returnData), expected.returned))
  );
}

type Reader = ReturnType<Awaited<ReturnType<typeof openStateTree>>["reader"]>;

function diffFault(state: Reader, diff: Expected["diff"]): string | null {
  for (const [text, wanted] of Object.entries(diff)) {
    const address = addressFrom(text);
    const account = state.account(address);
    if (wanted === null) {
      if (account !== null) return `${text} is there, expected to be removed`;
      continue;
    }
    if (account === null) return `${text} is not there`;
    const code = state.code(account.codeHash) ?? emptyBytes;
    const fault =
      unequalInteger(`nonce of ${text}`, account.nonce, wanted.nonce) ??
      unequalInteger(`balance of ${text}`, account.balance, wanted.balance) ??
      (wanted.code === undefined
        ? null
        : unequal(`code of ${text}`, bytesToHex(code), wanted.code));
    if (fault !== null) return fault;
    for (const [slot, word] of Object.entries(wanted.storage ?? {})) {
      const got = bytesToBigInt(state.storage(address, slotFrom(slot)) ?? emptyBytes);
      const wrong = unequal(`slot ${slot} of ${text}`, got, BigInt(word));
      if (wrong !== null) return wrong;
    }
  }
  return null;
}

function unequalInteger(what: string, got: bigint, wanted: string | undefined): string | null {
  return wanted === undefined ? null : unequal(what, got, BigInt(wanted));
}

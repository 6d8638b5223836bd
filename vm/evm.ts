import { createCustomCommon, Mainnet, type Common } from "@ethereumjs/common";
import { paramsEVM, type EVM, type EVMResult, type EVMRunCallOpts } from "@ethereumjs/evm";
import { Account, Address as EvmAddress } from "@ethereumjs/util";
import { assert } from "../base/assert.ts";
import type { Address, Digest } from "../base/brand.ts";
import {
  bytesToAddress,
  bytesToBigInt,
  bytesToDigest,
  bytesToHexDigits,
  concatBytes,
  emptyBytes,
  hexToBytes,
  zeroAddress,
  zeroDigest,
} from "../base/bytes.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { recoverAnyPublicKey } from "../crypto/secp256k1.ts";
import { AccessJournal } from "./accessJournal.ts";
import { FrameEvm } from "./calls.ts";
import { delegationTo, isDelegation } from "./delegation.ts";
import { fastPrecompiles } from "./fastPrecompiles.ts";
import { isFrom, type ForkName } from "./forks.ts";
import { ownInterpreter } from "./interpreter.ts";
import { bls12381, bn254 } from "./pairingCurves.ts";
import {
  customPrecompiles,
  type PrecompileHost,
  type PrecompileScene,
  type PrecompileSpec,
} from "./precompiles.ts";
import { evmLogs } from "./logs.ts";
import type { EvmLog, StateAccess } from "./stateAccess.ts";
import { StateManager } from "./stateManager.ts";
import { attachTracer, type EvmTracer } from "./tracer.ts";
import { floorGasOf, intrinsicGasOf } from "./transactionGas.ts";

/*
 * The EVM behind one interface. An `Evm` runs one transaction at a time and forgets it; whoever
 * runs several at once has several (`vm/evmPool.ts`). Who may send what, and who gets the fees, is
 * the ledger's matter.
 */

/** What an EVM is made for; never changed afterwards. */
export type EvmConfig = {
  readonly fork: ForkName;
  readonly chainId: number;
  readonly precompiles: readonly PrecompileSpec[];
  /** Whether it can tell a tracer of every instruction; several times slower, with equal results. */
  readonly traced: boolean;
};

/** What contracts may know of their block. */
export type EvmBlock = {
  readonly number: number;
  readonly timestampSeconds: number;
  readonly coinbase: Address;
  readonly gasLimit: bigint;
  /** TFuelWei per gas. */
  readonly baseFee: bigint;
  readonly randomness: Digest;
  /** Hash of an ancestor at most 256 blocks back; `null` where there is none. */
  hashOf(number: number): Digest | null;
};

/** A delegation of an account's code, its signature already recovered [EIP-7702]. */
export type EvmAuthorization = {
  /** `null` if the signature is nobody's. */
  readonly authority: Address | null;
  readonly chainId: bigint;
  /** Whose code; the zero address ends a delegation. */
  readonly address: Address;
  readonly nonce: bigint;
};

/** A message from outside. */
export type EvmMessage = {
  readonly caller: Address;
  /** `null` creates a contract, at the address of the caller's nonce less one. */
  readonly to: Address | null;
  /** TFuelWei; the caller has them. */
  readonly value: bigint;
  readonly data: Uint8Array;
  readonly gasLimit: bigint;
  /** TFuelWei per gas, what GASPRICE answers. */
  readonly gasPrice: bigint;
};

/** A transaction: its gas is paid and its sender's nonce raised before it runs. */
export type EvmTransaction = EvmMessage & {
  readonly accessList: readonly {
    readonly address: Address;
    readonly storageKeys: readonly Uint8Array[];
  }[];
  readonly authorizations: readonly EvmAuthorization[];
};

/** What became of a message. A failed one has changed nothing but delegations. */
export type EvmResult = {
  readonly ok: boolean;
  /** Empty when done, `revert`, or the library's word for what went wrong. */
  readonly failure: string;
  /** At most the limit. */
  readonly gasUsed: bigint;
  /** The same before refunds: what the limit had to be at least. */
  readonly gasPeak: bigint;
  /** What it returned, its revert data, or a new contract's code. */
  readonly returnData: Uint8Array;
  /** None of a failed message. */
  readonly logs: readonly EvmLog[];
  /** Of a creation, failed or not. */
  readonly contractAddress: Address | null;
  /** TFuelWei that self-destruction took from the supply. */
  readonly burned: bigint;
};

/** What is told of a message while it runs, to whoever asks. */
export type EvmWatch = {
  /** All accounts and slots that became warm, those of reverted frames too [EIP-2929]. */
  readonly onTouched?: (touched: ReadonlyMap<Address, ReadonlySet<Digest>>) => void;
  /** Sees frames and instructions, of an EVM made for that. */
  readonly tracer?: EvmTracer;
};

/**
 * Precompiles that are elsewhere while a message runs, by where they belong; `null`: nowhere. What
 * is warm stays as it was.
 */
export type PrecompileMoves = ReadonlyMap<Address, Address | null>;

/** Where a message runs. */
export type EvmScene = EvmWatch & {
  readonly moves?: PrecompileMoves;
  readonly state: StateAccess;
  readonly block: EvmBlock;
  readonly precompiles: PrecompileHost;
};

/** Of the intrinsic gas of an authorization, what is given back for an account that exists. */
const existingAuthorityRefund = 12_500n;

const nonceMax = (1n << 64n) - 1n;

/** An EVM that stays as it is configured. */
export async function createEvm(config: EvmConfig): Promise<Evm> {
  const common = createCustomCommon({ chainId: config.chainId }, Mainnet, {
    hardfork: config.fork,
    customCrypto: { keccak256, ecrecover: recoverForContract },
  });
  common.updateParams(paramsEVM); // As the library does, but only while it makes the EVM.
  const manager = new StateManager();
  const journal = new AccessJournal(manager);
  const scene: PrecompileScene = { message: null, host: null };
  const history: History = { block: null, last: null };
  const precompiles = fastPrecompiles(common);
  // The library's own function for it takes no other bn254 than its own.
  const evm = new FrameEvm({
    common,
    stateManager: manager,
    customPrecompiles: [...precompiles, ...customPrecompiles(config, scene)],
    ...(config.traced
      ? {}
      : { customOpcodes: ownInterpreter({ common, manager, journal, precompiles }) }),
    bls: bls12381,
    bn254,
    blockchain: blockchainOf(history),
  });
  const precompiled = [...evm.precompiles.keys()];
  if (!config.traced) {
    journal.keepWarm(new Set(precompiled));
    Object.assign(evm, { journal });
  }
  evm.events.on("beforeMessage", (message) => {
    scene.message = message;
  });
  // The library writes its parameters into it while the EVM is made, and never again.
  Object.freeze(common);
  const warm = config.traced ? precompiled : [];
  return new Evm({ config, evm, common, manager, scene, history, warm });
}

type LibraryBlock = NonNullable<EVMRunCallOpts["block"]>;

/** The block of the message at work, and the last one in the library's form. */
type History = {
  block: EvmBlock | null;
  last: { readonly key: string; readonly made: LibraryBlock } | null;
};

type Parts = {
  readonly config: EvmConfig;
  readonly evm: EVM;
  readonly common: Common;
  readonly manager: StateManager;
  readonly scene: PrecompileScene;
  readonly history: History;
  /** What the journal must be told for each message to be warm. */
  readonly warm: readonly string[];
};

/** One EVM: runs messages one after another. */
export class Evm {
  readonly #config: EvmConfig;
  readonly #evm: EVM;
  readonly #manager: StateManager;
  readonly #scene: PrecompileScene;
  readonly #history: History;
  readonly #warm: readonly string[];
  readonly #keepsOld: boolean;
  readonly #refundQuotient: bigint;

  constructor(parts: Parts) {
    this.#config = parts.config;
    this.#evm = parts.evm;
    this.#manager = parts.manager;
    this.#scene = parts.scene;
    this.#history = parts.history;
    this.#warm = parts.warm;
    this.#keepsOld = parts.common.isActivatedEIP(6780);
    this.#refundQuotient = isFrom(parts.config.fork, "london") ? 5n : 2n; // EIP-3529
  }

  /** Whether a call to this address runs code of the program. */
  isPrecompile(address: Address): boolean {
    return this.#evm.precompiles.has(address.slice(2));
  }

  /** Runs a transaction by Ethereum's rules: intrinsic gas, warm addresses, refunds, floor. */
  run(scene: EvmScene, transaction: EvmTransaction): Promise<EvmResult> {
    const { fork } = this.#config;
    const intrinsic = intrinsicGasOf(transaction, fork);
    const floor = floorGasOf(transaction, fork);
    assert(intrinsic <= transaction.gasLimit, "the gas limit is below the intrinsic gas");
    return this.#within(scene, async () => {
      this.#warmUp(scene.block, transaction);
      const refund = await this.#authorize(transaction.authorizations);
      const gasLimit = transaction.gasLimit - intrinsic;
      const result = await this.#message(scene.block, { ...transaction, gasLimit });
      const spent = result.execResult.executionGasUsed + intrinsic;
      const asked = refund + (result.execResult.gasRefund ?? 0n);
      const most = spent / this.#refundQuotient;
      const used = spent - (asked < most ? asked : most);
      const gasPeak = spent > floor ? spent : floor;
      return { result, gasUsed: used > floor ? used : floor, gasPeak };
    });
  }

  /** Runs a bare message: a call of the system, whose gas somebody else accounts for. */
  call(scene: EvmScene, message: EvmMessage): Promise<EvmResult> {
    return this.#within(scene, async () => {
      this.#warmUp(scene.block, { ...message, accessList: [], authorizations: [] });
      const result = await this.#message(scene.block, message);
      const { executionGasUsed: gasUsed } = result.execResult;
      return { result, gasUsed, gasPeak: gasUsed };
    });
  }

  async #within(
    scene: EvmScene,
    work: () => Promise<{
      readonly result: EVMResult;
      readonly gasUsed: bigint;
      readonly gasPeak: bigint;
    }>,
  ): Promise<EvmResult> {
    assert(this.#scene.host === null, "one message at a time");
    const { tracer } = scene;
    assert(tracer === undefined || this.#config.traced, "this EVM shows no instructions");
    this.#scene.host = scene.precompiles;
    this.#history.block = scene.block;
    this.#manager.open(scene.state);
    if (scene.onTouched !== undefined) this.#evm.journal.startReportingAccessList();
    const detach = tracer === undefined ? null : attachTracer(this.#evm, tracer);
    const restore = scene.moves === undefined ? null : move(this.#evm.precompiles, scene.moves);
    const { result, gasUsed, gasPeak } = await work();
    restore?.();
    detach?.();
    scene.onTouched?.(touchedOf(this.#evm.journal.accessList));
    await this.#destroy(result);
    // Empty accounts that were touched go [EIP-161]; what was warm is cold again.
    await this.#evm.journal.cleanup();
    this.#evm.transientStorage.clear();
    const burned = this.#manager.close();
    this.#scene.host = null;
    this.#scene.message = null;
    this.#history.block = null;
    return { ...resultOf(result), gasUsed, gasPeak, burned };
  }

  #message(block: EvmBlock, message: EvmMessage): Promise<EVMResult> {
    const { caller, to, value, data, gasLimit, gasPrice } = message;
    return this.#evm.runCall({
      block: this.#blockOf(block),
      caller: evmAddress(caller),
      ...(to === null ? {} : { to: evmAddress(to) }),
      value,
      data,
      gasLimit,
      gasPrice,
      blobVersionedHashes: [],
      skipNonceIncrement: true,
    });
  }

  /** In the library's form: the same for all messages of a block. */
  #blockOf(block: EvmBlock): LibraryBlock {
    const { last } = this.#history;
    const key = blockKey(block);
    if (last?.key === key) return last.made;
    const made = blockOf(block);
    this.#history.last = { key, made };
    return made;
  }

  /** Addresses and slots that a transaction has paid for already [EIP-2929, 2930, 3651]. */
  #warmUp(block: EvmBlock, transaction: EvmTransaction): void {
    const { fork } = this.#config;
    if (!isFrom(fork, "berlin")) return;
    const { journal } = this.#evm;
    for (const address of this.#warm) journal.addAlwaysWarmAddress(address);
    journal.addAlwaysWarmAddress(transaction.caller);
    if (transaction.to !== null) journal.addAlwaysWarmAddress(transaction.to);
    if (isFrom(fork, "shanghai")) journal.addAlwaysWarmAddress(block.coinbase);
    for (const { address, storageKeys } of transaction.accessList) {
      journal.addAlwaysWarmAddress(address, true);
      for (const key of storageKeys) {
        journal.addAlwaysWarmSlot(address, bytesToHexDigits(key), true);
      }
    }
  }

  /** Carries out delegations, skipping void ones; answers the gas to give back [EIP-7702]. */
  async #authorize(authorizations: readonly EvmAuthorization[]): Promise<bigint> {
    let refund = 0n;
    for (const authorization of authorizations) {
      const { authority, chainId, address, nonce } = authorization;
      if (chainId !== 0n && chainId !== BigInt(this.#config.chainId)) continue;
      if (nonce >= nonceMax || authority === null) continue;
      const target = evmAddress(authority);
      this.#evm.journal.addAlwaysWarmAddress(authority);
      const known = await this.#manager.getAccount(target);
      const code = await this.#manager.getCode(target);
      if (code.length > 0 && !isDelegation(code)) continue;
      const account = known ?? new Account();
      if (account.nonce !== nonce) continue;
      if (known !== undefined) refund += existingAuthorityRefund;
      account.nonce += 1n;
      await this.#evm.journal.putAccount(target, account);
      const delegation = address === zeroAddress ? emptyBytes : delegationTo(address);
      await this.#manager.putCode(target, delegation);
    }
    return refund;
  }

  /** Ends contracts that destroyed themselves; from Cancun only those of this very transaction. */
  async #destroy({ execResult }: EVMResult): Promise<void> {
    for (const address of execResult.selfdestruct?.keys() ?? []) {
      if (this.#keepsOld && execResult.createdAddresses?.has(address) !== true) continue;
      await this.#evm.journal.deleteAccount(new EvmAddress(hexToBytes(address)));
    }
  }
}

/** The library's account of what is warm: hex digits without prefix. */
function touchedOf(
  reported: ReadonlyMap<string, ReadonlySet<string>> | undefined,
): ReadonlyMap<Address, ReadonlySet<Digest>> {
  const entries = [...(reported ?? [])].map(([address, slots]) => {
    const digests = [...slots].map((slot) => bytesToDigest(hexToBytes(slot)));
    return [bytesToAddress(hexToBytes(address)), new Set(digests)] as const;
  });
  return new Map(entries);
}

/** Moves precompiles; the answer puts all of them back. */
function move(precompiles: EVM["precompiles"], moves: PrecompileMoves): () => void {
  const before = new Map(precompiles);
  for (const from of moves.keys()) precompiles.delete(from.slice(2));
  for (const [from, to] of moves) {
    const precompile = before.get(from.slice(2));
    if (to !== null && precompile !== undefined) precompiles.set(to.slice(2), precompile);
  }
  return () => {
    precompiles.clear();
    for (const [address, precompile] of before) precompiles.set(address, precompile);
  };
}

function resultOf(result: EVMResult): Omit<EvmResult, "gasUsed" | "gasPeak" | "burned"> {
  const { exceptionError, returnValue, logs } = result.execResult;
  const created = result.createdAddress;
  return {
    ok: exceptionError === undefined,
    failure: exceptionError?.error ?? "",
    returnData: returnValue,
    logs: evmLogs(exceptionError === undefined ? (logs ?? []) : []),
    contractAddress: created === undefined ? null : bytesToAddress(created.bytes),
  };
}

function evmAddress(address: Address): EvmAddress {
  return new EvmAddress(hexToBytes(address));
}

/** Blobs are off: their gas has its lowest price, of which nothing can be bought. */
const blobGasPrice = 1n;

/** Equal for blocks in which contracts would see no difference, hashes of ancestors aside. */
function blockKey(block: EvmBlock): string {
  const { number, timestampSeconds, coinbase, gasLimit, baseFee, randomness } = block;
  return `${number}/${timestampSeconds}/${coinbase}/${gasLimit}/${baseFee}/${randomness}`;
}

function blockOf(block: EvmBlock): LibraryBlock {
  const prevRandao = hexToBytes(block.randomness);
  return {
    header: {
      number: BigInt(block.number),
      coinbase: evmAddress(block.coinbase),
      timestamp: BigInt(block.timestampSeconds),
      difficulty: bytesToBigInt(prevRandao), // What DIFFICULTY answers before Paris.
      prevRandao,
      gasLimit: block.gasLimit,
      baseFeePerGas: block.baseFee,
      getBlobGasPrice: () => blobGasPrice,
    },
  };
}

type Blockchain = {
  getBlock(number: number): Promise<{ hash(): Uint8Array }>;
  putBlock(): Promise<void>;
  shallowCopy(): Blockchain;
};

function blockchainOf(history: History): Blockchain {
  const blockchain: Blockchain = {
    getBlock: (number) => {
      const hash = hexToBytes(history.block?.hashOf(number) ?? zeroDigest);
      return Promise.resolve({ hash: () => hash });
    },
    putBlock: () => Promise.resolve(),
    shallowCopy: () => blockchain,
  };
  return blockchain;
}

/** For the precompile at 1, which takes a high s too; it catches what is thrown. */
function recoverForContract(
  digest: Uint8Array,
  v: bigint,
  r: Uint8Array,
  s: Uint8Array,
): Uint8Array {
  const yParity = Uint8Array.of(v === 28n ? 1 : 0);
  const key = recoverAnyPublicKey(digest, concatBytes(r, s, yParity));
  if (key === null) throw new RangeError("nobody's signature");
  return key.subarray(1);
}

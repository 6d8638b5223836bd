import { assert } from "../../base/assert.ts";
import type { Address, Verified } from "../../base/brand.ts";
import { emptyBytes, textToBytes } from "../../base/bytes.ts";
import type { Outcome } from "../../base/outcome.ts";
import type { Committee } from "../../consensus/types.ts";
import { blsPublicKeyOf, proveBlsPossession } from "../../crypto/bls.ts";
import { keccak256, keccakDigest } from "../../crypto/keccak.ts";
import { addressOf as addressOfKey } from "../../crypto/secp256k1.ts";
import { verifiedOwn } from "../../crypto/verify.ts";
import type { Header } from "../../ledger/blockTypes.ts";
import {
  blockContextOf,
  createExecutor,
  type BlockRefusal,
  type ExecutionResult,
  type Executor,
} from "../../ledger/execute.ts";
import {
  createGenesis,
  genesisBlock,
  genesisKeyDomain,
  genesisState,
  type Genesis,
} from "../../ledger/genesis.ts";
import type { GenesisContent } from "../../ledger/genesisTypes.ts";
import { blockHash } from "../../ledger/header.ts";
import { noCoins } from "../../ledger/modules/bank.ts";
import { conservationFault, invariantFault } from "../../ledger/invariants.ts";
import type { BlockContext } from "../../ledger/module.ts";
import type { ParameterValue } from "../../ledger/parameters.ts";
import type { Registry } from "../../ledger/registry.ts";
import { coreRegistry } from "../../ledger/runtime.ts";
import { decodeWith, encodeWith, type Json } from "../../ledger/schema.ts";
import { ethereumOperation, thetaOperations } from "../../ledger/thetaOperations.ts";
import type { Coins, EthereumTransaction, ThetaTransaction } from "../../ledger/thetaTypes.ts";
import type { Signer, Transaction } from "../../ledger/transaction.ts";
import { MemoryState } from "./memoryState.ts";

const addresses = new Map<string, Address>();

/** The private key of the account that tests call by this name. */
export function privateKeyOf(name: string): Uint8Array {
  return keccak256(textToBytes(`secret key of ${name}`));
}

/** The address that tests call by this name. */
export function addressOf(name: string): Address {
  const known = addresses.get(name);
  if (known !== undefined) return known;
  const address = addressOfKey(privateKeyOf(name));
  addresses.set(name, address);
  return address;
}

/** The BLS secret key that tests call by this name. */
export function blsSecretOf(name: string): Uint8Array {
  const secret = keccak256(textToBytes(`key ${name}`));
  secret[0] = 1; // Below the order of the group, and not zero.
  return secret;
}

/** Parameters that make tables easy to read: a gas costs one wei, epochs have ten blocks. */
export const smallParameters: ReadonlyMap<string, ParameterValue> = new Map<string, ParameterValue>(
  [
    ["chain.baseFeeFloor", 1n],
    ["chain.epochBlocks", 10n],
    ["bank.gasPerAccount", 1n],
    ["stake.gas", 2n],
    ["stake.registerKeyGas", 2n],
    ["stake.depositMin", 100n],
    ["stake.validatorStakeMin", 100n],
    ["stake.validatorsMax", 3n],
    ["stake.returnBlocks", 5n],
    ["stake.returnMs", 8_000n],
    ["reward.gas", 2n],
    ["reward.tfuelWeiPerBlock", 0n],
    ["reward.intervalBlocks", 10n],
    ["split.gas", 2n],
    ["split.gasPerShare", 0n],
    ["split.noticeBlocks", 0n],
    ["reserve.gas", 1n],
    ["reserve.gasPerResource", 1n],
    ["reserve.releaseGas", 2n],
    ["reserve.settleGas", 2n],
    ["reserve.slashGas", 1n],
    ["reserve.slashGasPerVoucher", 1n],
    ["reserve.batchGas", 1n],
    ["reserve.batchGasPerVoucher", 1n],
    ["reserve.batchGasPerIncrement", 1n],
    // As in Theta.
    ["reserve.freezeBlocks", 5n],
    ["reserve.freezeMs", 0n],
  ],
);

/** The fee that covers two units of gas. */
export const smallFee: Coins = { thetaWei: 0n, tfuelWei: 2n };

/**
 * A chain without consensus: blocks are executed one after another and their invariants checked.
 */
export class LedgerNetwork {
  readonly registry: Registry;
  readonly genesis: Genesis;
  readonly executor: Executor;
  state: MemoryState;
  head: Header;
  committee: Committee;
  /** Milliseconds between two blocks. */
  blockMs = 1_000;
  /** Who proposes the next blocks. */
  proposer = "proposer";
  #nonce = 0;

  constructor(options: {
    readonly balances: readonly (readonly [name: string, coins: Coins])[];
    readonly parameters?: ReadonlyMap<string, ParameterValue>;
    readonly stakes?: readonly (readonly [source: string, holder: string, amount: bigint])[];
    readonly registry?: Registry;
    readonly chainId?: number;
  }) {
    this.registry = options.registry ?? coreRegistry;
    const stakes = options.stakes ?? [["genesis", "genesis", 1_000n] as const];
    const content = {
      chainName: "testledger",
      chainId: options.chainId ?? 7_660_001,
      kind: "development" as const,
      timestampMs: 1_700_000_000_000,
      parameters: new Map([...smallParameters, ...(options.parameters ?? [])]),
      balances: options.balances.map(([name, coins]) => ({ address: addressOf(name), coins })),
      stakes: stakes.map(([source, holder, amount]) => {
        return { source: addressOf(source), holder: addressOf(holder), amount };
      }),
    };
    const holders = [...new Set(stakes.map(([, holder]) => holder))];
    this.genesis = createGenesis({ ...content, keys: genesisKeys(content, holders) });
    this.executor = createExecutor(this.registry, this.genesis.chain);
    const { changes, committee } = genesisState(this.genesis, this.registry, MemoryState.empty());
    this.state = MemoryState.empty().apply(changes);
    this.committee = committee;
    const facts = { stateRoot: this.state.root, committee };
    this.head = genesisBlock(this.genesis, this.registry, facts).header;
    this.checkInvariants();
  }

  /** The context of the next block. */
  next(): BlockContext {
    return blockContextOf(this.nextHeader(), this.head);
  }

  nextHeader(): Header {
    const height = this.head.height + 1;
    const epochBlocks = this.executor.parameters(this.state).count("chain.epochBlocks");
    const epoch = Math.floor((height - 1) / epochBlocks);
    const rules = this.executor.nextRules(this.state, this.head, epoch);
    return {
      ...this.head,
      height,
      epoch,
      view: height,
      parentHash: blockHash(this.head),
      timestampMs: this.head.timestampMs + this.blockMs,
      proposer: addressOf(this.proposer),
      gasLimit: rules.gasLimit,
      baseFee: rules.baseFee,
      runtimeHash: rules.runtimeHash,
      gasUsed: 0n,
    };
  }

  /** Executes the next block and makes it the head; a refused one changes nothing. */
  async execute(
    transactions: readonly Verified<Transaction>[],
    evidence: readonly Uint8Array[] = [],
  ): Promise<Outcome<ExecutionResult, BlockRefusal>> {
    const header = this.nextHeader();
    assert(
      this.executor.checkHeader(this.state, this.head, header) === null,
      "the next header fits its parent",
    );
    const block = blockContextOf(header, this.head);
    const outcome = await this.executor.executeBlock({
      reader: this.state,
      block,
      transactions,
      evidence,
    });
    if (!outcome.ok) return outcome;
    const fault = conservationFault(this.state, outcome.value.changes);
    assert(fault === null, fault ?? "");
    this.state = this.state.apply(outcome.value.changes);
    this.head = { ...header, gasUsed: outcome.value.gasUsed, stateRoot: this.state.root };
    this.committee = outcome.value.nextCommittee ?? this.committee;
    this.checkInvariants();
    return outcome;
  }

  /** Asserts what every module says must hold. */
  checkInvariants(): void {
    const context = this.executor.open(this.state, this.next());
    const fault = invariantFault(this.registry, context, this.state);
    assert(fault === null, fault ?? "");
  }

  query(module: string, name: string, parameters: unknown): Json {
    const context = this.executor.open(this.state, this.next());
    const answer = this.registry.query(module, name)?.answer(context, parameters);
    assert(answer?.ok === true, `the query ${module}.${name} was refused`);
    return answer.value;
  }

  nonceOf(name: string): bigint {
    return this.state.account(addressOf(name))?.nonce ?? 0n;
  }

  /** A Theta transaction, signed by `signers` with the sequences that stand in it. */
  theta(body: ThetaTransaction, signers: readonly Signer[]): Verified<Transaction> {
    const fee = body.type === "slash" ? body.proposer.coins : "fee" in body ? body.fee : noCoins;
    const feeBid = { type: "whole", fee: fee.tfuelWei } as const;
    const op = { ...thetaOperations[body.type], body };
    return this.#transaction({ envelope: "native", signers, feeBid, gasLimit: 0n, op });
  }

  /** Theta's type 7, which pays by gas. */
  smartContract(
    body: Extract<ThetaTransaction, { readonly type: "smartContract" }>,
  ): Verified<Transaction> {
    const { address, sequence } = body.from;
    const { gasPrice, gasLimit } = body;
    return this.#transaction({
      envelope: "native",
      signers: [{ address, sequence }],
      feeBid: { type: "perGas", maxFeePerGas: gasPrice, maxPriorityFeePerGas: gasPrice },
      gasLimit,
      op: { ...thetaOperations.smartContract, body },
    });
  }

  ethereum(sender: string, body: EthereumTransaction): Verified<Transaction> {
    const signers = [{ address: addressOf(sender), sequence: body.nonce + 1n }];
    const { maxFeePerGas, maxPriorityFeePerGas, gasLimit } = body;
    const feeBid = { type: "perGas", maxFeePerGas, maxPriorityFeePerGas } as const;
    const op = { ...ethereumOperation, body };
    return this.#transaction({ envelope: "ethereum", signers, feeBid, gasLimit, op });
  }

  operation(
    signers: readonly Signer[],
    op: { readonly module: string; readonly name: string; readonly body: Uint8Array },
    rest: { readonly fee: bigint; readonly gasLimit: bigint; readonly expiryHeight?: number },
  ): Verified<Transaction> {
    const feeBid = { type: "whole", fee: rest.fee } as const;
    const { gasLimit } = rest;
    const parts = { envelope: "operation", signers, feeBid, gasLimit, op } as const;
    return this.#transaction({ ...parts, expiryHeight: rest.expiryHeight ?? null });
  }

  #transaction(
    parts: Pick<Transaction, "envelope" | "signers" | "feeBid" | "gasLimit" | "op"> & {
      readonly expiryHeight?: number | null;
    },
  ): Verified<Transaction> {
    this.#nonce += 1;
    const encoded = textToBytes(`transaction ${this.#nonce} `.padEnd(110, "."));
    const payer = parts.signers[0]?.address;
    assert(payer !== undefined, "somebody signs");
    const hash = keccakDigest(encoded);
    const { expiryHeight = null } = parts;
    return verifiedOwn<Transaction>({ ...parts, hash, encoded, payer, expiryHeight });
  }
}

function genesisKeys(
  content: Omit<GenesisContent, "keys">,
  holders: readonly string[],
): GenesisContent["keys"] {
  const genesis = genesisKeyDomain(content);
  return holders.map((name) => {
    const secret = blsSecretOf(name);
    const holder = addressOf(name);
    const proof = proveBlsPossession({ holder, genesis }, secret);
    return { holder, blsKey: blsPublicKeyOf(secret), proof };
  });
}

/** An input of a Theta transaction without signature: whoever executes has checked that. */
export function inputOf(
  name: string,
  coins: Coins,
  sequence: bigint,
): { address: Address; coins: Coins; sequence: bigint; signature: Uint8Array } {
  return { address: addressOf(name), coins, sequence, signature: emptyBytes };
}

/** A plain Ethereum transfer. */
export function transferOf(
  parts: Pick<EthereumTransaction, "nonce" | "to" | "value"> & Partial<EthereumTransaction>,
): EthereumTransaction {
  return {
    type: "feeMarket",
    gasLimit: 21_000n,
    maxFeePerGas: 1n,
    maxPriorityFeePerGas: 0n,
    data: emptyBytes,
    accessList: [],
    authorizations: [],
    ...parts,
  };
}

/** What a module operation's body is on the wire. */
export function operationBody(
  registry: Registry,
  op: { readonly module: string; readonly name: string; readonly body: unknown },
): Uint8Array {
  const schema = registry.operation(op.module, op.name)?.schema;
  assert(schema !== null && schema !== undefined, `${op.module}.${op.name} has no schema`);
  const bytes = encodeWith(schema, op.body);
  assert(decodeWith(schema, bytes).ok, "the body decodes");
  return bytes;
}

import { assert } from "../base/assert.ts";
import type { Address, Digest } from "../base/brand.ts";
import { emptyBytes, hexToBytes } from "../base/bytes.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { encodeRlp } from "../base/rlp.ts";
import { signDigest } from "../crypto/secp256k1.ts";
import {
  isReservedAccount,
  transactSchema,
  writeSchema,
  type AccountWrite,
} from "../ledger/modules/dev.ts";
import { refusalSentence } from "../ledger/refusal.ts";
import { signEthereum, signOperation, type DigestSigner } from "../ledger/sign.ts";
import type { EthereumTransaction } from "../ledger/thetaTypes.ts";
import type { NodeApi, SubmitRefusal } from "../rpc/api.ts";
import type { DevelopmentApi, ImpersonatedCall } from "../rpc/developmentApi.ts";
import type { BlockClock } from "./blockClock.ts";
import type { CommittedBlock } from "./chain.ts";
import type { DevnetAccount } from "./devnet.ts";
import type { ValidatorKeys } from "./keys.ts";
import type { Reads } from "./reads.ts";
import { Snapshots, snapshotsMax, writeBack } from "./snapshots.ts";

/*
 * What a devnet does for test frameworks (docs/adr/012-development-operations.md). State is changed
 * by operations of the module `dev`, signed with the validator's own account; time by the clock
 * that blocks are given. So the chain stays one that any node can execute again.
 */

/** What a devnet works with. */
export type DevelopmentParts = {
  readonly api: Pick<
    NodeApi,
    | "chain"
    | "head"
    | "state"
    | "stateAt"
    | "pendingAccount"
    | "submit"
    | "waitCommitted"
    | "nextBaseFee"
  >;
  readonly reads: Reads;
  readonly clock: BlockClock;
  readonly accounts: readonly DevnetAccount[];
  readonly keys: ValidatorKeys;
  /** Transactions may be put in blocks again. */
  readonly onWork: () => void;
};

/** Accounts that may be impersonated at a time. */
const impersonatedMax = 10_000;

/** Blocks of one request to mine. */
export const mineBlocksMax = 1_024;

/** Longest wait for an operation's block. */
const commitMsMax = 30_000;

/** Bytes of one operation's writes: below the limit of a transaction. */
const writeBytesMax = 96 * 1_024;

/** Heights for which an operation is good: makes two of the same content differ. */
const expiryBlocks = 1_000;

/** How often a revert writes again what was changed while it was under way. */
const revertRoundsMax = 16;

/** How far the clock may be moved at once, in seconds: a hundred years. */
export const timeJumpSecondsMax = 3_155_760_000;

/** The development methods of one node. */
export class Development implements DevelopmentApi {
  readonly #parts: DevelopmentParts;
  readonly #impersonated = new Set<Address>();
  readonly #snapshots = new Snapshots();
  readonly #operator: DigestSigner;
  #automines = true;
  /** Blocks being mined by order: work goes in whatever `#automines` says. */
  #mining = 0;
  /** Operations go out one after another: each needs the sequence after the last. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(parts: DevelopmentParts) {
    this.#parts = parts;
    const { address, privateKey } = parts.keys;
    this.#operator = { address, sign: (digest) => signDigest(digest, privateKey) };
  }

  get accounts(): readonly Address[] {
    return this.#parts.accounts.map(({ address }) => address);
  }

  /** Whether transactions have to wait for `mine`. */
  get holdsWork(): boolean {
    return !this.#automines && this.#mining === 0;
  }

  /** Blocks were committed. */
  onCommitted(blocks: readonly CommittedBlock[]): void {
    for (const { result } of blocks) this.#snapshots.onCommitted(result.changes);
  }

  sign(from: Address, transaction: EthereumTransaction): Uint8Array | null {
    const account = this.#parts.accounts.find(({ address }) => address === from);
    if (account === undefined) return null;
    const { address, privateKey } = account;
    const signer = { address, sign: (digest: Uint8Array) => signDigest(digest, privateKey) };
    return signEthereum(transaction, this.#parts.api.chain.id, signer);
  }

  signDigest(from: Address, digest: Uint8Array): Uint8Array | null {
    const account = this.#parts.accounts.find(({ address }) => address === from);
    return account === undefined ? null : signDigest(digest, account.privateKey);
  }

  /** The library is loaded when it is first needed; it throws whatever it finds wrong. */
  async typedDataDigest(data: unknown): Promise<Outcome<Uint8Array, string>> {
    const { BaseError, hashTypedData, validateTypedData } = await import("viem");
    try {
      validateTypedData(data as Parameters<typeof validateTypedData>[0]);
      return accept(hexToBytes(hashTypedData(data as Parameters<typeof hashTypedData>[0])));
    } catch (error) {
      return refuse(error instanceof BaseError ? error.shortMessage : String(error));
    }
  }

  isImpersonated(address: Address): boolean {
    return this.#impersonated.has(address);
  }

  impersonate(address: Address): boolean {
    if (this.#impersonated.size >= impersonatedMax) return false;
    this.#impersonated.add(address);
    return true;
  }

  stopImpersonating(address: Address): boolean {
    return this.#impersonated.delete(address);
  }

  transactAs({
    from,
    to,
    value,
    data,
    gasLimit,
  }: ImpersonatedCall): Promise<Outcome<Digest, SubmitRefusal>> {
    const body = { from, to: to === null ? [] : [to], value, data, gasLimit };
    const encoded = encodeRlp(transactSchema.toItem(body));
    return this.#inTurn(() => this.#submit("transact", encoded, gasLimit));
  }

  async write(accounts: readonly AccountWrite[]): Promise<Outcome<null, string>> {
    const body = encodeRlp(writeSchema.toItem({ accounts }));
    const hash = await this.#inTurn(() => this.#submit("write", body, gasOf(accounts)));
    return hash.ok ? this.#committed(hash.value) : refuse(wordsOf(hash.refusal));
  }

  async #committed(hash: Digest): Promise<Outcome<null, string>> {
    const options = { timeoutMs: commitMsMax, signal: new AbortController().signal };
    const done = await this.#parts.api.waitCommitted(hash, options);
    if (!done.ok) return refuse(`the operation was not committed: ${done.refusal.code}`);
    const { failure } = done.value.receipt;
    return failure === "" ? accept(null) : refuse(`the operation failed: ${failure}`);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => undefined);
    return done;
  }

  async #submit(
    op: "write" | "transact",
    body: Uint8Array,
    gasLimit: bigint,
  ): Promise<Outcome<Digest, SubmitRefusal>> {
    const { api } = this.#parts;
    const { address } = this.#operator;
    const sequence = api.pendingAccount(address).nonce + 1n;
    const noCoins = { thetaWei: 0n, tfuelWei: 0n };
    const raw = signOperation(
      {
        // Twice the price of now, for the base fee may rise until it is in a block.
        fee: { thetaWei: 0n, tfuelWei: 2n * api.nextBaseFee() * gasLimit },
        inputs: [{ address, coins: noCoins, sequence, signature: emptyBytes }],
        module: "dev",
        op,
        body,
        gasLimit,
        expiryHeight: api.head().header.height + expiryBlocks,
        scope: "",
      },
      api.chain.genesisHash,
      [this.#operator],
    );
    const [answer] = await api.submit([{ envelope: "native", raw }], { local: true });
    assert(answer !== undefined, "each submission has an answer");
    return answer.ok ? accept(answer.value.hash) : answer;
  }

  async mine(blocks: number): Promise<Outcome<null, string>> {
    if (blocks > mineBlocksMax)
      return refuse(`limit mineBlocksMax is ${mineBlocksMax}: each block is agreed on and stored`);
    const { api } = this.#parts;
    const wanted = api.head().header.height + blocks;
    this.#mining += 1;
    try {
      while (api.head().header.height < wanted) {
        this.#parts.onWork();
        const written = await this.write([]);
        if (!written.ok) return written;
      }
    } finally {
      this.#mining -= 1;
    }
    return accept(null);
  }

  isAutomining(): boolean {
    return this.#automines;
  }

  setAutomining(on: boolean): void {
    this.#automines = on;
    if (on) this.#parts.onWork();
  }

  setNextTimestamp(seconds: number): Outcome<null, string> {
    const last = Math.floor(this.#parts.api.head().header.timestampMs / 1_000);
    if (seconds <= last)
      return refuse(
        `timestamp ${seconds} is not after the newest block's, ${last}: time never goes back`,
      );
    if (seconds > last + timeJumpSecondsMax)
      return refuse(`limit timeJumpSecondsMax is ${timeJumpSecondsMax}`);
    this.#parts.clock.setNext(seconds * 1_000);
    return accept(null);
  }

  increaseTime(seconds: number): number {
    this.#parts.clock.advance(seconds * 1_000);
    return Math.floor(this.#parts.clock.aheadMs / 1_000);
  }

  snapshot(): Outcome<number, string> {
    const id = this.#snapshots.take(this.#parts.api.head().header.height);
    return id === null ? refuse(`limit snapshotsMax is ${snapshotsMax}`) : accept(id);
  }

  async revert(id: number): Promise<Outcome<boolean, string>> {
    const height = this.#snapshots.heightOf(id);
    if (height === null) return accept(false);
    if (this.#snapshots.isFull)
      return refuse("too much has changed since the snapshot to write it back");
    for (let round = 0; round < revertRoundsMax; round += 1) {
      const entries = this.#differences(id, height);
      if (!entries.ok) return entries;
      if (entries.value.length === 0) {
        this.#snapshots.drop(id);
        this.#parts.reads.forget({ from: height + 1, to: this.#parts.api.head().header.height });
        return accept(true);
      }
      for (const part of inParts(entries.value)) {
        const written = await this.write(part);
        if (!written.ok) return written;
      }
    }
    return refuse("the state changes faster than the snapshot can be written back");
  }

  /** What of the state is not as it was; the operator's own account goes on counting. */
  #differences(id: number, height: number): Outcome<readonly AccountWrite[], string> {
    const { api } = this.#parts;
    const old = api.stateAt(height);
    if (!old.ok) return refuse(`the state of the snapshot at height ${height} is pruned`);
    const states = { old: old.value, now: api.state() };
    const entries: AccountWrite[] = [];
    for (const [address, slots] of this.#snapshots.touchedSince(id)) {
      if (address === this.#operator.address || isReservedAccount(address)) continue;
      const entry = writeBack(address, slots, states);
      if (entry !== null) entries.push(entry);
    }
    return accept(entries);
  }
}

function wordsOf(refusal: SubmitRefusal): string {
  return "got" in refusal ? refusalSentence(refusal) : refusal.detail;
}

/** More than the operation needs: it is charged for what it needs. */
function gasOf(accounts: readonly AccountWrite[]): bigint {
  const words = accounts.reduce((sum, { storage }) => sum + storage.length, 0);
  return 10_000n + 1_000n * BigInt(accounts.length) + 200n * BigInt(words);
}

/** Entries in parts that fit a transaction each. */
function inParts(entries: readonly AccountWrite[]): readonly (readonly AccountWrite[])[] {
  const parts: AccountWrite[][] = [];
  let size = writeBytesMax;
  for (const entry of entries) {
    const codeSize = entry.code.reduce((sum, { length }) => sum + length, 0);
    const entrySize = 128 + codeSize + 72 * entry.storage.length;
    if (size + entrySize > writeBytesMax) {
      parts.push([]);
      size = 0;
    }
    parts.at(-1)?.push(entry);
    size += entrySize;
  }
  return parts;
}

/** What a devnet alone has; its clock goes on from the newest block, which may lie ahead. */
export function openDevelopment(
  options: {
    readonly devnet: readonly DevnetAccount[] | null;
    readonly keys: ValidatorKeys | null;
  },
  parts: Pick<DevelopmentParts, "api" | "onWork" | "clock" | "reads">,
): Development | null {
  const { devnet, keys } = options;
  if (devnet === null || keys === null) return null;
  const { api, clock, reads, onWork } = parts;
  const aheadMs = api.head().header.timestampMs - clock.nowMs();
  if (aheadMs > 0) clock.advance(aheadMs);
  return new Development({ api, clock, reads, onWork, keys, accounts: devnet });
}

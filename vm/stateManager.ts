import type { AccountFields, StateManagerInterface } from "@ethereumjs/common";
import { Account, Address as EvmAddress } from "@ethereumjs/util";
import { assert } from "../base/assert.ts";
import type { Address, Digest } from "../base/brand.ts";
import {
  bigIntToFixedBytes,
  bytesToAddress,
  bytesToDigest,
  emptyBytes,
  hexToBytes,
} from "../base/bytes.ts";
import { emptyKeccak, keccakDigest } from "../crypto/keccak.ts";
import { CodeCache } from "./codeCache.ts";
import type { EvmAccount, StateAccess } from "./stateAccess.ts";

/*
 * The state that the EVM library sees: every frame of it is a checkpoint in the ledger's one
 * journal. The library awaits each answer although all are there at once, so nothing but this
 * thread's own microtasks can come between.
 */

const done: Promise<void> = Promise.resolve();
const emptyHashBytes = hexToBytes(emptyKeccak);
const emptyRootBytes = new Account().storageRoot;
const emptyRoot = bytesToDigest(emptyRootBytes);

/**
 * Bytes of code whose arrays are kept, of this transaction and of those before it. A code that went
 * comes from the state again, in one array for as long as that keeps it.
 */
const codeBytesMax = 4 * 1024 * 1024;

/** An address with its hex digits, without prefix. */
export type Named = {
  readonly address: EvmAddress;
  readonly text: Address;
  readonly digits: string;
};

/** A frame's start: what to revert to, and what had been burned until then. */
type Frame = { readonly mark: unknown; readonly gained: bigint };

/** The library's state manager over a `StateAccess`, for one transaction at a time. */
export class StateManager implements StateManagerInterface {
  #access: StateAccess | null = null;
  readonly #frames: Frame[] = [];
  /** TFuelWei that the transaction's writes added to all accounts; negative where coins burned. */
  #gained = 0n;
  /** Addresses by the words that name them. */
  readonly #named = new Map<bigint, Named>();
  /** Texts and bytes of what the library handed out or took in: it asks for the same again. */
  readonly #addresses = new Map<EvmAddress, Address>();
  readonly #bytes = new Map<Digest, Uint8Array>([
    [emptyKeccak, emptyHashBytes],
    [emptyRoot, emptyRootBytes],
  ]);
  readonly #digests = new Map<Uint8Array, Digest>();
  readonly #codes = new CodeCache(codeBytesMax);

  readonly originalStorageCache = {
    get: (address: EvmAddress, key: Uint8Array): Promise<Uint8Array> =>
      Promise.resolve(this.originalWord(address, digestOf(key)) ?? emptyBytes),
    clear: (): void => {},
  };

  /** Starts a transaction on a state. */
  open(access: StateAccess): void {
    assert(this.#access === null, "one transaction at a time");
    this.#access = access;
    access.beginTransaction();
  }

  /** Ends the transaction; answers the TFuelWei that were burned in it. */
  close(): bigint {
    assert(this.#frames.length === 0, `${this.#frames.length} frames are open at the end`);
    const burned = -this.#gained;
    assert(burned >= 0n, `the EVM made ${this.#gained} TFuelWei`);
    this.#access = null;
    this.#gained = 0n;
    this.#addresses.clear();
    this.#named.clear();
    this.#digests.clear();
    this.#bytes.clear();
    this.#remember(emptyKeccak, emptyHashBytes);
    this.#remember(emptyRoot, emptyRootBytes);
    return burned;
  }

  /** The state of the transaction at work. */
  get #state(): StateAccess {
    assert(this.#access !== null, "no transaction is open");
    return this.#access;
  }

  getAccount(address: EvmAddress): Promise<Account | undefined> {
    return Promise.resolve(this.accountOf(address) ?? undefined);
  }

  /** A copy: the library changes what it is given. */
  accountOf(address: EvmAddress): Account | null {
    const account = this.#state.account(this.#text(address));
    if (account === null) return null;
    const { nonce, balance, storageRoot, codeHash } = account;
    return new Account(nonce, balance, this.#bytesOf(storageRoot), this.#bytesOf(codeHash));
  }

  /** TFuelWei. */
  balanceOf(address: EvmAddress): bigint {
    return this.#state.account(this.#text(address))?.balance ?? 0n;
  }

  putAccount(address: EvmAddress, account?: Account): Promise<void> {
    if (account === undefined) return this.deleteAccount(address);
    const { nonce, balance, storageRoot, codeHash } = account;
    this.#put(this.#text(address), {
      nonce,
      balance,
      storageRoot: this.#digestOf(storageRoot),
      codeHash: this.#digestOf(codeHash),
    });
    return done;
  }

  deleteAccount(address: EvmAddress): Promise<void> {
    const text = this.#text(address);
    if (this.#state.account(text) === null) return done;
    this.#put(text, null);
    this.#state.clearStorage(text);
    return done;
  }

  modifyAccountFields(address: EvmAddress, fields: AccountFields): Promise<void> {
    const text = this.#text(address);
    const before = this.#state.account(text);
    const { storageRoot, codeHash } = fields;
    this.#put(text, {
      nonce: fields.nonce ?? before?.nonce ?? 0n,
      balance: fields.balance ?? before?.balance ?? 0n,
      storageRoot:
        storageRoot === undefined ? (before?.storageRoot ?? emptyRoot) : digestOf(storageRoot),
      codeHash: codeHash === undefined ? (before?.codeHash ?? emptyKeccak) : digestOf(codeHash),
    });
    return done;
  }

  putCode(address: EvmAddress, code: Uint8Array): Promise<void> {
    const text = this.#text(address);
    const codeHash = code.length === 0 ? emptyKeccak : keccakDigest(code);
    if (code.length > 0) this.#state.setCode(codeHash, code);
    const before = this.#state.account(text);
    this.#put(text, {
      nonce: before?.nonce ?? 0n,
      balance: before?.balance ?? 0n,
      storageRoot: before?.storageRoot ?? emptyRoot,
      codeHash,
    });
    return done;
  }

  /** The same array for the same code, by which what is known of it is found again. */
  codeOf(address: EvmAddress): Uint8Array {
    const codeHash = this.#state.account(this.#text(address))?.codeHash ?? emptyKeccak;
    if (codeHash === emptyKeccak) return emptyBytes;
    const code = this.#state.code(codeHash);
    assert(code !== null, `the code ${codeHash} is missing`);
    return this.#sameBytes(codeHash, code);
  }

  getCode(address: EvmAddress): Promise<Uint8Array> {
    return Promise.resolve(this.codeOf(address));
  }

  getCodeSize(address: EvmAddress): Promise<number> {
    return Promise.resolve(this.codeOf(address).length);
  }

  /** Whether an account is there that has nothing. */
  isEmptyAccount(address: Address): boolean {
    const account = this.#state.account(address);
    if (account === null) return false;
    return account.nonce === 0n && account.balance === 0n && account.codeHash === emptyKeccak;
  }

  /** A word without leading zeros; `null` for zero. */
  word(address: EvmAddress, slot: Digest): Uint8Array | null {
    return this.#state.storage(this.#text(address), slot);
  }

  /** The word when the transaction began. */
  originalWord(address: EvmAddress, slot: Digest): Uint8Array | null {
    return this.#state.originalStorage(this.#text(address), slot);
  }

  setWord(address: EvmAddress, slot: Digest, word: Uint8Array | null): void {
    this.#state.setStorage(this.#text(address), slot, word);
  }

  getStorage(address: EvmAddress, key: Uint8Array): Promise<Uint8Array> {
    return Promise.resolve(this.word(address, digestOf(key)) ?? emptyBytes);
  }

  putStorage(address: EvmAddress, key: Uint8Array, value: Uint8Array): Promise<void> {
    const word = value.length === 0 ? null : value;
    assert(word === null || word[0] !== 0, "the EVM hands in words without leading zeros");
    this.setWord(address, digestOf(key), word);
    return done;
  }

  /** Asked for each new contract, where there was no storage but before EIP-7610. */
  clearStorage(address: EvmAddress): Promise<void> {
    const text = this.#text(address);
    const root = this.#state.account(text)?.storageRoot ?? emptyRoot;
    if (root !== emptyRoot) this.#state.clearStorage(text);
    return done;
  }

  /** A frame begins. */
  begin(): void {
    this.#frames.push({ mark: this.#state.checkpoint(), gained: this.#gained });
  }

  /** The newest frame ends, and what it did stays. */
  keep(): void {
    this.#pop();
  }

  /** The newest frame ends, and what it did is undone. */
  undo(): void {
    const { mark, gained } = this.#pop();
    this.#state.revert(mark);
    this.#gained = gained;
  }

  checkpoint(): Promise<void> {
    this.begin();
    return done;
  }

  commit(): Promise<void> {
    this.keep();
    return done;
  }

  revert(): Promise<void> {
    this.undo();
    return done;
  }

  /** A frame has no root: the tree computes one per block. The library asks only where it runs blocks. */
  getStateRoot(): Promise<Uint8Array> {
    return Promise.reject(new Error("a transaction's state has no root"));
  }

  setStateRoot(): Promise<void> {
    return Promise.reject(new Error("a transaction's state has no root"));
  }

  hasStateRoot(): Promise<boolean> {
    return Promise.resolve(false);
  }

  clearCaches(): void {}

  shallowCopy(): StateManagerInterface {
    return new StateManager();
  }

  /** The address that a word of the stack names. */
  named(word: bigint): Named {
    const number = BigInt.asUintN(160, word);
    const known = this.#named.get(number);
    if (known !== undefined) return known;
    const address = new EvmAddress(bigIntToFixedBytes(number, 20));
    const text = bytesToAddress(address.bytes);
    this.#addresses.set(address, text);
    const named = { address, text, digits: text.slice(2) };
    this.#named.set(number, named);
    return named;
  }

  #pop(): Frame {
    const frame = this.#frames.pop();
    assert(frame !== undefined, "a frame ends that never began");
    return frame;
  }

  #put(address: Address, account: EvmAccount | null): void {
    const before = this.#state.account(address)?.balance ?? 0n;
    this.#gained += (account?.balance ?? 0n) - before;
    this.#state.setAccount(address, account);
  }

  /** The array in which this code ran before, by which what is known of it is found again. */
  #sameBytes(codeHash: Digest, code: Uint8Array): Uint8Array {
    const known = this.#codes.get(codeHash);
    if (known !== undefined) return known;
    this.#codes.add(codeHash, code);
    return code;
  }

  #text(address: EvmAddress): Address {
    const known = this.#addresses.get(address);
    if (known !== undefined) return known;
    const text = bytesToAddress(address.bytes);
    this.#addresses.set(address, text);
    return text;
  }

  #bytesOf(digest: Digest): Uint8Array {
    const known = this.#bytes.get(digest);
    if (known !== undefined) return known;
    const bytes = hexToBytes(digest);
    this.#remember(digest, bytes);
    return bytes;
  }

  #digestOf(bytes: Uint8Array): Digest {
    return this.#digests.get(bytes) ?? bytesToDigest(bytes);
  }

  #remember(digest: Digest, bytes: Uint8Array): void {
    this.#bytes.set(digest, bytes);
    this.#digests.set(bytes, digest);
  }
}

/** A word of 32 bytes as the journal's key. */
function digestOf(word: Uint8Array): Digest {
  return bytesToDigest(word);
}

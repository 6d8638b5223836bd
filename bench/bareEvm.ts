import {
  createCustomCommon,
  Mainnet,
  type AccountFields,
  type StateManagerInterface,
} from "@ethereumjs/common";
import { createEVM, type EVM } from "@ethereumjs/evm";
import { Account, type Address } from "@ethereumjs/util";
import { bytesToHexDigits, emptyBytes } from "../base/bytes.ts";
import { keccak256 } from "../crypto/keccak.ts";

/*
 * The peer of `bench/evm.ts`: the library's EVM on maps with a list of undoings, the least that a
 * state manager can be. No tries, no journal of ours, no transactions.
 */

const done: Promise<void> = Promise.resolve();

/** State in maps; accounts and words by hex text. */
export class MapState implements StateManagerInterface {
  readonly #accounts = new Map<string, Account>();
  readonly #code = new Map<string, Uint8Array>();
  readonly #words = new Map<string, Uint8Array>();
  readonly #originals = new Map<string, Uint8Array>();
  readonly #undo: (() => void)[] = [];
  readonly #marks: number[] = [];

  readonly originalStorageCache = {
    get: (address: Address, key: Uint8Array): Promise<Uint8Array> => {
      const at = wordKey(address, key);
      return Promise.resolve(this.#originals.get(at) ?? this.#words.get(at) ?? emptyBytes);
    },
    clear: (): void => this.#originals.clear(),
  };

  getAccount(address: Address): Promise<Account | undefined> {
    const account = this.#accounts.get(address.toString());
    if (account === undefined) return Promise.resolve(undefined);
    const { nonce, balance, storageRoot, codeHash } = account;
    return Promise.resolve(new Account(nonce, balance, storageRoot, codeHash));
  }

  putAccount(address: Address, account?: Account): Promise<void> {
    const at = address.toString();
    const before = this.#accounts.get(at);
    this.#undo.push(() => set(this.#accounts, at, before));
    set(this.#accounts, at, account);
    return done;
  }

  deleteAccount(address: Address): Promise<void> {
    return this.putAccount(address);
  }

  async modifyAccountFields(address: Address, fields: AccountFields): Promise<void> {
    const account = (await this.getAccount(address)) ?? new Account();
    if (fields.codeHash !== undefined) account.codeHash = fields.codeHash;
    await this.putAccount(address, account);
  }

  putCode(address: Address, code: Uint8Array): Promise<void> {
    const codeHash = keccak256(code);
    this.#code.set(bytesToHexDigits(codeHash), code);
    return this.modifyAccountFields(address, { codeHash });
  }

  getCode(address: Address): Promise<Uint8Array> {
    const account = this.#accounts.get(address.toString());
    if (account === undefined) return Promise.resolve(emptyBytes);
    return Promise.resolve(this.#code.get(bytesToHexDigits(account.codeHash)) ?? emptyBytes);
  }

  async getCodeSize(address: Address): Promise<number> {
    return (await this.getCode(address)).length;
  }

  getStorage(address: Address, key: Uint8Array): Promise<Uint8Array> {
    return Promise.resolve(this.#words.get(wordKey(address, key)) ?? emptyBytes);
  }

  putStorage(address: Address, key: Uint8Array, value: Uint8Array): Promise<void> {
    const at = wordKey(address, key);
    const before = this.#words.get(at);
    if (!this.#originals.has(at)) this.#originals.set(at, before ?? emptyBytes);
    this.#undo.push(() => set(this.#words, at, before));
    this.#words.set(at, value);
    return done;
  }

  clearStorage(): Promise<void> {
    return done;
  }

  checkpoint(): Promise<void> {
    this.#marks.push(this.#undo.length);
    return done;
  }

  commit(): Promise<void> {
    this.#marks.pop();
    return done;
  }

  revert(): Promise<void> {
    const mark = this.#marks.pop() ?? 0;
    while (this.#undo.length > mark) this.#undo.pop()?.();
    return done;
  }

  getStateRoot(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(32));
  }

  setStateRoot(): Promise<void> {
    return done;
  }

  hasStateRoot(): Promise<boolean> {
    return Promise.resolve(false);
  }

  clearCaches(): void {
    this.#undo.length = 0;
  }

  shallowCopy(): StateManagerInterface {
    return new MapState();
  }
}

function wordKey(address: Address, key: Uint8Array): string {
  return `${address.toString()}${bytesToHexDigits(key)}`;
}

function set<V>(map: Map<string, V>, at: string, value: V | undefined): void {
  if (value === undefined) map.delete(at);
  else map.set(at, value);
}

/** The library's EVM of the newest fork, with the same cryptography as ours. */
export function createBareEvm(state: MapState): Promise<EVM> {
  const common = createCustomCommon({ chainId: 1 }, Mainnet, {
    hardfork: "osaka",
    customCrypto: { keccak256 },
  });
  return createEVM({ common, stateManager: state });
}

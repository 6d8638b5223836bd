import type { Address, Digest } from "../../base/brand.ts";
import { bigIntToFixedBytes, bytesToBigInt, bytesToHex, zeroDigest } from "../../base/bytes.ts";
import { emptyKeccak } from "../../crypto/keccak.ts";
import { emptyAccount } from "../accounts.ts";
import type { Json } from "../schema.ts";
import type { Account, StateReader } from "../state.ts";
import {
  quantity,
  type Traced,
  type Tracer,
  type TraceOptions,
  type TraceBudget,
} from "./tracer.ts";

type Options = Extract<TraceOptions, { readonly tracer: "prestateTracer" }>;

/** Characters of an account's names and numbers, and of a word of storage. */
const accountCharacters = 200;
const wordCharacters = 140;

/** geth's `prestateTracer`: what a transaction needs of the state, or in `diffMode` changes of it. */
export class PrestateTracer implements Tracer {
  readonly #options: Options;
  readonly #budget: TraceBudget;

  constructor(options: Options, budget: TraceBudget) {
    this.#options = options;
    this.#budget = budget;
  }

  onEnter(): void {}

  onExit(): void {}

  onStep(): void {}

  answer(traced: Traced): Json {
    return this.#options.diffMode ? this.#difference(traced) : this.#before(traced);
  }

  #before({ reads, before }: Traced): Json {
    const shown: [Address, Json][] = [];
    for (const [address, account] of sorted(reads.accounts)) {
      const words = this.#options.withStorage ? (reads.storage.get(address) ?? noWords) : noWords;
      shown.push([address, this.#accountJson(account ?? emptyAccount, before, storageJson(words))]);
      this.#budget.spend(accountCharacters + words.size * wordCharacters);
    }
    return Object.fromEntries(shown);
  }

  #accountJson(account: Account, state: StateReader, storage: Json): Json {
    const code = this.#codeOf(account, state);
    return {
      balance: quantity(account.balance),
      ...(account.nonce === 0n ? {} : { nonce: Number(account.nonce) }),
      ...(code === null ? {} : { code }),
      ...(isEmptyObject(storage) ? {} : { storage }),
    };
  }

  #codeOf({ codeHash }: Account, state: StateReader): string | null {
    const code = codeHash === emptyKeccak ? null : state.code(codeHash);
    if (code === null || !this.#options.withCode) return null;
    this.#budget.spend(2 * code.length);
    return bytesToHex(code);
  }

  #difference(traced: Traced): Json {
    const pre: [Address, Json][] = [];
    const post: [Address, Json][] = [];
    const { accounts, storage, code } = traced.changes;
    for (const [address, now] of sorted(accounts)) {
      const was = traced.before.account(address);
      const words = this.#options.withStorage ? wordsOf(traced, address, storage.get(address)) : [];
      this.#budget.spend(2 * (accountCharacters + words.length * wordCharacters));
      const changed = now === null ? null : this.#changes(was, now, code);
      const after = Object.fromEntries(
        words.filter(({ now: word }) => word !== zeroDigest).map((w) => [w.slot, w.now]),
      );
      const earlier = Object.fromEntries(
        words.filter(({ was: word }) => word !== zeroDigest).map((w) => [w.slot, w.was]),
      );
      const isSame = changed !== null && isEmptyObject(changed) && words.length === 0;
      if (isSame) continue;
      if (was !== null) pre.push([address, this.#accountJson(was, traced.before, earlier)]);
      if (changed === null) continue;
      post.push([address, { ...changed, ...(isEmptyObject(after) ? {} : { storage: after }) }]);
    }
    return { post: Object.fromEntries(post), pre: Object.fromEntries(pre) };
  }

  #changes(
    was: Account | null,
    now: Account,
    code: ReadonlyMap<Digest, Uint8Array>,
  ): Readonly<Record<string, Json>> {
    const before = was ?? emptyAccount;
    const bytes = now.codeHash === before.codeHash ? undefined : code.get(now.codeHash);
    const codeShown = bytes !== undefined && this.#options.withCode;
    if (codeShown) this.#budget.spend(2 * bytes.length);
    return {
      ...(now.balance === before.balance ? {} : { balance: quantity(now.balance) }),
      ...(now.nonce === before.nonce ? {} : { nonce: Number(now.nonce) }),
      ...(codeShown ? { code: bytesToHex(bytes) } : {}),
    };
  }
}

const noWords: ReadonlyMap<Digest, Uint8Array | null> = new Map();

type Word = { readonly slot: Digest; readonly was: string; readonly now: string };

function wordsOf(
  { before }: Traced,
  address: Address,
  words: ReadonlyMap<Digest, Uint8Array | null> | undefined,
): readonly Word[] {
  return sorted(words ?? noWords)
    .map(([slot, now]) => ({
      slot,
      was: wordText(before.storage(address, slot)),
      now: wordText(now),
    }))
    .filter(({ was, now }) => was !== now);
}

function storageJson(words: ReadonlyMap<Digest, Uint8Array | null>): Json {
  return Object.fromEntries(sorted(words).map(([slot, word]) => [slot, wordText(word)]));
}

function wordText(word: Uint8Array | null): string {
  return word === null ? zeroDigest : bytesToHex(bigIntToFixedBytes(bytesToBigInt(word), 32));
}

function isEmptyObject(value: Json): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function sorted<K extends string, V>(map: ReadonlyMap<K, V>): readonly (readonly [K, V])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

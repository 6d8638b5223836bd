import fc from "fast-check";
import { expect, test, vi } from "vitest";
import type { Address, Digest } from "../base/brand.ts";
import { hexToBytes, zeroAddress, zeroDigest } from "../base/bytes.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import { addressOf } from "../test/fakes/ledgerNetwork.ts";
import { MemoryState } from "../test/fakes/memoryState.ts";
import { emptyAccount } from "./accounts.ts";
import { delegationTo } from "../vm/delegation.ts";
import { Journal } from "./journal.ts";
import type { Log } from "./receiptTypes.ts";

const accounts = ["a", "b"].map(addressOf);
const slots = ["00", "11"].map((byte) => `0x${byte.repeat(32)}` as Digest);
const keys = ["01", "0102", "0103", "02ff", "03"];

type Write =
  | { readonly type: "account"; readonly at: Address; readonly balance: bigint | null }
  | { readonly type: "storage"; readonly at: Address; readonly slot: Digest; readonly word: number }
  | { readonly type: "clear"; readonly at: Address }
  | { readonly type: "module"; readonly key: string; readonly value: number };

const write: fc.Arbitrary<Write> = fc.oneof(
  fc.record({
    type: fc.constant("account" as const),
    at: fc.constantFrom(...accounts),
    balance: fc.option(fc.bigInt(0n, 9n)),
  }),
  fc.record({
    type: fc.constant("storage" as const),
    at: fc.constantFrom(...accounts),
    slot: fc.constantFrom(...slots),
    word: fc.nat(3),
  }),
  fc.record({ type: fc.constant("clear" as const), at: fc.constantFrom(...accounts) }),
  fc.record({
    type: fc.constant("module" as const),
    key: fc.constantFrom(...keys),
    value: fc.nat(3),
  }),
);

function bytesOrNull(value: number): Uint8Array | null {
  return value === 0 ? null : Uint8Array.of(value);
}

function perform(journal: Journal, step: Write): void {
  switch (step.type) {
    case "account": {
      const { balance } = step;
      journal.setAccount(step.at, balance === null ? null : { ...emptyAccount, balance });
      break;
    }
    case "storage":
      journal.setStorage(step.at, step.slot, bytesOrNull(step.word));
      break;
    case "clear":
      journal.clearStorage(step.at);
      break;
    case "module":
      journal.setModuleValue("test", step.key, bytesOrNull(step.value));
      break;
  }
}

/** All that can be read, in one value. */
function seen(journal: Journal): unknown {
  const range = { from: Uint8Array.of(0), to: Uint8Array.of(255) };
  return {
    accounts: accounts.map((address) => journal.account(address)?.balance ?? null),
    storage: accounts.map((address) => slots.map((slot) => journal.storage(address, slot))),
    modules: keys.map((key) => journal.moduleValue("test", key)),
    range: journal.moduleRange("test", range),
    first: journal.moduleRange("test", { ...range, limit: 2 }),
  };
}

function stateAfter(steps: readonly Write[]): MemoryState {
  const journal = new Journal(MemoryState.empty());
  for (const step of steps) perform(journal, step);
  return MemoryState.empty().apply(journal.changes());
}

test("a revert leaves what was there at its checkpoint, however checkpoints nest", () => {
  fc.assert(
    fc.property(
      fc.array(write),
      fc.array(fc.tuple(fc.array(write, { maxLength: 5 }), fc.boolean()), { maxLength: 8 }),
      (before, frames) => {
        const journal = new Journal(stateAfter(before));
        const twin = new Journal(stateAfter(before));
        for (const [steps, reverts] of frames) {
          const checkpoint = journal.checkpoint();
          for (const step of steps) perform(journal, step);
          if (reverts) journal.revert(checkpoint);
          else for (const step of steps) perform(twin, step);
        }
        expect(seen(journal)).toEqual(seen(twin));
        const state = stateAfter(before);
        expect(state.apply(journal.changes()).root).toBe(state.apply(twin.changes()).root);
      },
    ),
  );
});

test("what the journal shows is what the state shows after its changes", () => {
  fc.assert(
    fc.property(fc.array(write), fc.array(write), (before, steps) => {
      const state = stateAfter(before);
      const journal = new Journal(state);
      for (const step of steps) perform(journal, step);
      const after = new Journal(state.apply(journal.changes()));
      expect(seen(journal)).toEqual(seen(after));
    }),
  );
});

test("a range merges writes and removals in byte order and stops at its limit", () => {
  const state = stateAfter([
    { type: "module", key: "01", value: 1 },
    { type: "module", key: "0102", value: 1 },
    { type: "module", key: "03", value: 1 },
  ]);
  const journal = new Journal(state);
  journal.setModuleValue("test", "01", null);
  journal.setModuleValue("test", "0103", Uint8Array.of(2));
  journal.setModuleValue("test", "02ff", Uint8Array.of(2));
  const from = hexToBytes("01");
  const range = (limit?: number): string[] =>
    journal
      .moduleRange("test", {
        from,
        to: hexToBytes("04"),
        ...(limit === undefined ? {} : { limit }),
      })
      .map(([key, value]) => `${[...key].join(".")}=${value[0] ?? 0}`);
  expect(range()).toEqual(["1.2=1", "1.3=2", "2.255=2", "3=1"]);
  expect(range(2)).toEqual(["1.2=1", "1.3=2"]);
  expect(range(0)).toEqual([]);
});

test("the original word is that of the transaction's start, written or reverted", () => {
  const [at = zeroAddress] = accounts;
  const [slot = zeroDigest] = slots;
  const journal = new Journal(MemoryState.empty());
  journal.setStorage(at, slot, Uint8Array.of(1));
  expect(journal.originalStorage(at, slot)).toBeNull();
  journal.beginTransaction();
  expect(journal.originalStorage(at, slot)).toEqual(Uint8Array.of(1));
  const frame = journal.checkpoint();
  journal.setStorage(at, slot, Uint8Array.of(2));
  journal.setStorage(at, slot, Uint8Array.of(3));
  expect(journal.originalStorage(at, slot)).toEqual(Uint8Array.of(1));
  journal.revert(frame);
  expect(journal.storage(at, slot)).toEqual(Uint8Array.of(1));
  expect(journal.originalStorage(at, slot)).toEqual(Uint8Array.of(1));
  journal.beginTransaction();
  journal.clearStorage(at);
  expect(journal.originalStorage(at, slot)).toBeNull();
});

test("code that is written and reverted is still the state's where that has it", () => {
  const code = Uint8Array.of(1, 2, 3);
  const hash = keccakDigest(code);
  const [at = zeroAddress] = accounts;
  const before = new Journal(MemoryState.empty());
  before.setCode(hash, code);
  before.setAccount(at, { ...emptyAccount, nonce: 1n, codeHash: hash });
  const state = MemoryState.empty().apply(before.changes());
  const journal = new Journal(state);
  const frame = journal.checkpoint();
  journal.setCode(hash, code);
  journal.revert(frame);
  expect(journal.code(hash)).toEqual(code);
  expect(journal.changes().code.size).toBe(0);
  expect(journal.isContract(at)).toBe(true);
  const delegation = delegationTo(at);
  const delegationHash = keccakDigest(delegation);
  journal.setCode(delegationHash, delegation);
  journal.setAccount(at, { ...emptyAccount, codeHash: delegationHash });
  expect(journal.isContract(at)).toBe(false);
});

test("logs are taken out since a checkpoint, and those before stay", () => {
  const journal = new Journal(MemoryState.empty());
  const [at = zeroAddress] = accounts;
  const log = (byte: number): Log => ({ address: at, topics: [], data: Uint8Array.of(byte) });
  const first = journal.checkpoint();
  journal.log(log(1));
  const second = journal.checkpoint();
  journal.log(log(2));
  expect(journal.takeLogs(second)).toEqual([log(2)]);
  expect(journal.logsSince(first)).toEqual([log(1)]);
});

test("a block keeps code up to a limit, and reads again what it did not keep", () => {
  const codes = Array.from({ length: 50 }, (_, i) => new Uint8Array(40).fill(i));
  const before = new Journal(MemoryState.empty());
  for (const code of codes) before.setCode(keccakDigest(code), code);
  const state = MemoryState.empty().apply(before.changes());
  const readsOf = (rounds: readonly (readonly Uint8Array[])[]): number => {
    const reads = vi.spyOn(state, "code").mockClear();
    const journal = new Journal(state, 400);
    for (const code of rounds.flat()) expect(journal.code(keccakDigest(code))).toEqual(code);
    return reads.mock.calls.length;
  };
  const few = codes.slice(0, 10);
  expect(readsOf([few, few, few])).toBe(10);
  // More than fit: what was read is not all there any more, or there would be 50 reads.
  expect(readsOf([codes, codes])).toBe(100);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import type { Address, Verified } from "../base/brand.ts";
import { textToBytes } from "../base/bytes.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import { verifiedOwn } from "../crypto/verify.ts";
import { addressOf } from "../test/fakes/ledgerNetwork.ts";
import { emptyAccount } from "./accounts.ts";
import { Mempool, mempoolLimits, type MempoolLimits } from "./mempool.ts";
import type { AccountReader } from "./module.ts";
import type { Transaction } from "./transaction.ts";

/**
 * `a1@5`: account a, sequence 1, price 5; `a1+b1@5` is signed by two; `x@5` has no sequence.
 * `x@5 about y` is alone about y.
 */
function make(text: string, expiryHeight: number | null = null): Verified<Transaction> {
  const [who = "", price = "1"] = text.replace(/ about .*/, "").split("@");
  const signers = who.split("+").map((signer) => {
    const digits = /[0-9]+$/.exec(signer)?.[0];
    const name = digits === undefined ? signer : signer.slice(0, -digits.length);
    return { address: addressOf(name), sequence: digits === undefined ? null : BigInt(digits) };
  });
  const encoded = textToBytes(text.padEnd(100, "."));
  return verifiedOwn<Transaction>({
    envelope: "native",
    hash: keccakDigest(encoded),
    encoded,
    payer: signers[0]?.address ?? addressOf("nobody"),
    signers,
    feeBid: { type: "whole", fee: BigInt(price) * 10n },
    gasLimit: 0n,
    expiryHeight,
    op: { module: "test", name: text, body: null },
  });
}

class Pool {
  readonly pool: Mempool;
  readonly nonces = new Map<Address, bigint>();
  readonly balances = new Map<Address, bigint>();
  height = 0;

  constructor(limits: Partial<MempoolLimits> = {}) {
    this.pool = new Mempool({ limits: { ...mempoolLimits, ...limits }, height: 0 });
  }

  readonly accounts: AccountReader = {
    get: (address) => ({
      ...emptyAccount,
      nonce: this.nonces.get(address) ?? 0n,
      balance: this.balances.get(address) ?? 1_000_000n,
    }),
  };

  /** `ok`, or the refusal's code; what it pushed out follows. */
  add(text: string, origin: "local" | "remote" = "remote", expiry: number | null = null): string {
    const transaction = make(text, expiry);
    const { feeBid } = transaction;
    const cost = feeBid.type === "whole" ? feeBid.fee : 0n;
    const subject = /about [a-z]+/.exec(text)?.[0] ?? null;
    const outcome = this.pool.add({ transaction, gas: 10n, cost, subject, origin }, this.accounts);
    if (!outcome.ok) return outcome.refusal.code;
    return [
      "ok",
      ...outcome.value.map(({ transaction: out, reason }) => `${reason} ${out.op.name}`),
    ].join(", ");
  }

  select(baseFee = 0n, uncommitted: readonly string[] = []): string {
    const blocks = uncommitted.map((text) => make(text));
    const selected = this.pool.select({ baseFee, uncommitted: blocks });
    return [...selected].map(({ op }) => op.name).join(" ");
  }

  commit(...texts: readonly string[]): string {
    this.height += 1;
    const transactions = texts.map((text) => make(text));
    for (const { signers } of transactions) {
      for (const { address, sequence } of signers) {
        if (sequence !== null) this.nonces.set(address, sequence);
      }
    }
    const removals = this.pool.onCommitted({ height: this.height, transactions }, this.accounts);
    return removals.map(({ transaction, reason }) => `${reason} ${transaction.op.name}`).join(", ");
  }
}

test("what has no sequence is alone about its subject; a higher bid replaces it", () => {
  const pool = new Pool();
  expect(pool.add("x@10 about pool")).toBe("ok");
  expect(pool.add("y@10 about pool")).toBe("replacementTooCheap");
  expect(pool.add("y@11 about other")).toBe("ok");
  expect(pool.add("z@11 about pool")).toBe("ok, replaced x@10 about pool");
  expect(pool.commit("z@11 about pool")).toBe("committed z@11 about pool");
  expect(pool.add("x@10 about pool")).toBe("ok");
});

test("price decides between accounts, sequence within one, age between equals", () => {
  const pool = new Pool();
  for (const text of ["a2@9", "b1@5", "a1@1", "c1@5", "d1@7"]) expect(pool.add(text)).toBe("ok");
  expect(pool.select()).toBe("d1@7 b1@5 c1@5 a1@1 a2@9");
  expect(pool.select(5n)).toBe("d1@7 b1@5 c1@5");
});

test("row E8: gap, duplicate, replacement, 2^64-1", () => {
  const pool = new Pool({ sequenceGapMax: 3, perSenderMax: 4 });
  expect(pool.add("a3@10")).toBe("ok");
  expect(pool.select()).toBe("");
  expect(pool.pool.pendingOf(addressOf("a"), 0n).nonce).toBe(0n);
  expect(pool.add("a1@10")).toBe("ok");
  expect(pool.pool.pendingOf(addressOf("a"), 0n).nonce).toBe(1n);
  expect(pool.add("a2@10")).toBe("ok");
  expect(pool.pool.pendingOf(addressOf("a"), 0n).nonce).toBe(3n);
  expect(pool.select()).toBe("a1@10 a2@10 a3@10");
  expect(pool.add("a1@10")).toBe("duplicate");
  expect(pool.add("a0@10")).toBe("sequenceTooLow");
  expect(pool.add("a2@09")).toBe("replacementTooCheap");
  expect(pool.add("a2@11")).toBe("ok, replaced a2@10");
  expect(pool.add("a8@10")).toBe("gapTooWide");
  expect(pool.add("a18446744073709551615@10")).toBe("gapTooWide");
  expect(pool.add("a7@10")).toBe("ok");
  expect(pool.add("a5@10")).toBe("senderQueueFull");
  expect(pool.commit("a1@10", "a2@99")).toBe("committed a1@10, overtaken a2@11");
  expect(pool.select()).toBe("a3@10");
  expect(pool.add("a2@50")).toBe("sequenceTooLow");
});

test("a transaction of two accounts waits for both and counts for both", () => {
  const pool = new Pool();
  expect(pool.add("a2+b1@9")).toBe("ok");
  expect(pool.select()).toBe("");
  expect(pool.add("a1@2")).toBe("ok");
  expect(pool.add("b2@3")).toBe("ok");
  expect(pool.select()).toBe("a1@2 a2+b1@9 b2@3");
  expect(pool.add("b1@9")).toBe("replacementTooCheap");
  expect(pool.add("b1@10")).toBe("ok, replaced a2+b1@9");
  expect(pool.select()).toBe("b1@10 b2@3 a1@2");
});

test("what uncommitted blocks hold is not selected again, and comes back when they die", () => {
  const pool = new Pool();
  for (const text of ["a1@1", "a2@1", "b1@1", "x@1"]) pool.add(text);
  expect(pool.select(0n, ["a1@1", "x@1"])).toBe("a2@1 b1@1");
  expect(pool.select()).toBe("a1@1 a2@1 b1@1 x@1");
});

test("a payer's pending costs stay within its balance", () => {
  const pool = new Pool();
  pool.balances.set(addressOf("a"), 50n);
  expect(pool.add("a1@2")).toBe("ok");
  expect(pool.add("a2@2")).toBe("ok");
  expect(pool.add("a3@2")).toBe("balanceTooLow");
  expect(pool.add("a2@3")).toBe("ok, replaced a2@2");
  expect(pool.pool.pendingOf(addressOf("a"), 0n).cost).toBe(50n);
  expect(pool.commit("a1@2", "a2@3")).toBe("committed a1@2, committed a2@3");
  expect(pool.pool.pendingOf(addressOf("a"), 2n).cost).toBe(0n);
});

test("row N1: a full pool takes higher bids, at the cost of the cheapest from elsewhere", () => {
  const pool = new Pool({ transactionsMax: 4 });
  for (const text of ["a1@5", "a2@3", "b1@4"]) pool.add(text);
  expect(pool.add("c1@2", "local")).toBe("ok");
  expect(pool.add("d1@3")).toBe("poolFull");
  expect(pool.add("d1@4")).toBe("ok, evicted a2@3");
  // The cheapest is b1, then d1; the local one stays although it is cheaper than all.
  expect(pool.add("e1@6")).toBe("ok, evicted d1@4");
  expect(pool.add("f1@6")).toBe("ok, evicted b1@4");
  expect(pool.select()).toBe("e1@6 f1@6 a1@5 c1@2");
  expect(pool.pool.sizeBytes).toBe(400);
  const bytes = new Pool({ sizeBytesMax: 250 });
  bytes.add("a1@5");
  bytes.add("b1@5");
  expect(bytes.add("c1@5")).toBe("poolBytesFull");
  expect(bytes.add("c1@6")).toBe("ok, evicted b1@5");
});

test("remote ones are forgotten after their time, local ones only at their own expiry", () => {
  const pool = new Pool({ lifetimeBlocks: 2 });
  pool.add("a1@1");
  pool.add("b1@1", "local");
  expect(pool.add("c1@1", "local", 1)).toBe("ok");
  expect(pool.commit()).toBe("expired c1@1");
  expect(pool.add("c1@1", "local", 1)).toBe("expired");
  expect(pool.commit()).toBe("expired a1@1");
  expect([...pool.pool.local()].map(({ op }) => op.name)).toEqual(["b1@1"]);
});

test("row N1: a full pool keeps local ones, but for those behind a gap or of long ago", () => {
  const pool = new Pool({ transactionsMax: 3, lifetimeBlocks: 20 });
  expect(pool.add("a1@1", "local")).toBe("ok");
  expect(pool.add("b2@1", "local")).toBe("ok");
  expect(pool.add("c1@2", "local")).toBe("ok");
  expect(pool.add("d1@5", "local")).toBe("ok, evicted b2@1");
  expect(pool.add("e1@5", "local")).toBe("poolFull");
  for (let height = 1; height <= 20; height += 1) expect(pool.commit()).toBe("");
  expect(pool.add("e1@1", "local")).toBe("poolFull");
  expect(pool.add("e1@5", "local")).toBe("ok, evicted a1@1");
  expect(pool.select()).toBe("d1@5 e1@5 c1@2");
});

test("one that came from elsewhere is as good as local once it is submitted here", () => {
  const pool = new Pool({ transactionsMax: 2, lifetimeBlocks: 2 });
  pool.add("a1@1");
  pool.add("b1@1", "remote");
  const { hash } = make("a1@1");
  expect([pool.pool.makeLocal(hash), pool.pool.makeLocal(hash)]).toEqual([true, false]);
  expect([...pool.pool.local()].map(({ op }) => op.name)).toEqual(["a1@1"]);
  expect(pool.add("c1@9")).toBe("ok, evicted b1@1");
  expect(pool.commit("c1@9")).toBe("committed c1@9");
  expect(pool.commit()).toBe("");
  expect(pool.commit()).toBe("");
  expect(pool.select()).toBe("a1@1");
});

test("row N2: what a proposer cannot use has three tries; what is only early has more", () => {
  const pool = new Pool();
  pool.add("a1@1");
  pool.add("b1@1");
  const refusal = { got: 0n, expected: 1n } as const;
  const drop = (): string[] =>
    pool.pool
      .onDropped([
        { transaction: make("a1@1"), refusal: { code: "balanceTooLow", ...refusal } },
        { transaction: make("b1@1"), refusal: { code: "blockGasFull", ...refusal } },
      ])
      .map(({ transaction, reason }) => `${reason} ${transaction.op.name}`);
  expect([drop(), drop(), drop(), drop()]).toEqual([[], [], ["invalid a1@1"], []]);
  expect(pool.select()).toBe("b1@1");
});

test("whatever is added and committed: bounded, in sequence, in price order", () => {
  const limits = { transactionsMax: 12, perSenderMax: 5, sequenceGapMax: 3, lifetimeBlocks: 4 };
  const step = fc.oneof(
    fc.record({
      type: fc.constant("add" as const),
      who: fc.constantFrom("a", "b", "c", "a+b"),
      sequence: fc.nat(8),
      price: fc.integer({ min: 1, max: 20 }),
      origin: fc.constantFrom("local" as const, "remote" as const),
    }),
    fc.record({ type: fc.constant("commit" as const), count: fc.nat(3) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const pool = new Pool(limits);
      for (const event of steps) {
        if (event.type === "add") {
          const who = event.who.split("+").map((name) => `${name}${event.sequence}`);
          pool.add(`${who.join("+")}@${event.price}`, event.origin);
        } else {
          const ready = pool.select().split(" ").filter(Boolean);
          pool.commit(...ready.slice(0, event.count));
        }
        expect(pool.pool.size).toBeLessThanOrEqual(limits.transactionsMax);
        expect(pool.pool.sizeBytes).toBe(pool.pool.size * 100);
        const next = new Map(pool.nonces);
        for (const transaction of pool.pool.select({ baseFee: 0n, uncommitted: [] })) {
          for (const { address, sequence } of transaction.signers) {
            expect(sequence).toBe((next.get(address) ?? 0n) + 1n);
            next.set(address, sequence ?? 0n);
          }
        }
        const costs = [...pool.pool.transactions()].filter(({ payer }) => payer === addressOf("a"));
        const cost = costs.reduce(
          (sum, { feeBid }) => sum + (feeBid.type === "whole" ? feeBid.fee : 0n),
          0n,
        );
        expect(pool.pool.pendingOf(addressOf("a"), 0n).cost).toBe(cost);
      }
    }),
    { numRuns: 300 },
  );
});

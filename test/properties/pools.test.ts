import fc from "fast-check";
import { expect, test } from "vitest";
import type { Verified } from "../../base/brand.ts";
import { emptyBytes } from "../../base/bytes.ts";
import type { Transaction } from "../../ledger/transaction.ts";
import { consentDigest, type BatchEntry, type SignedVoucher } from "../../ledger/voucher.ts";
import { addressOf, LedgerNetwork } from "../fakes/ledgerNetwork.ts";
import {
  batchOf,
  paymentOf,
  poolTransaction,
  signerOf,
  slashOf,
  voucherOf,
} from "../fakes/poolSteps.ts";

// Whoever submits what in which order: coins are conserved (the network checks that after each
// block), no pool pays more than its fund, a cheat loses the whole collateral and gets nothing
// back, an honest payer is never condemned, and nobody but the target can spoil a voucher.

const names = ["alice", "bob", "carol", "dora"];
const name = fc.constantFrom(...names);
const resource = fc.constantFrom("r1", "r1", "r1", "r2");

/** Amounts, sequences and addresses are text in JSON. */
type Event = { readonly event: string; readonly value: Readonly<Record<string, string>> };

/** A network and what its pools have reported so far. */
class World {
  readonly network: LedgerNetwork;
  readonly events: Event[] = [];

  constructor() {
    this.network = new LedgerNetwork({
      balances: names.map((each) => [each, { thetaWei: 0n, tfuelWei: 100_000n }]),
      parameters: new Map([
        ["reserve.durationBlocksMin", 1n],
        ["split.noticeBlocks", 1n],
      ]),
    });
  }

  /** One block of what is valid of these; how many were. */
  async block(transactions: readonly Verified<Transaction>[]): Promise<number> {
    const { network } = this;
    const input = { reader: network.state, block: network.next(), candidates: transactions };
    const rest = { transactionsMax: 100, evidence: [] };
    const built = await network.executor.buildBlock({ ...input, ...rest });
    const outcome = await network.execute(built.included);
    expect(outcome.ok).toBe(true);
    const receipts = outcome.ok ? [...outcome.value.receipts, outcome.value.jobReceipt] : [];
    for (const log of receipts.flatMap((receipt) => receipt?.logs ?? [])) {
      const described = network.registry.describeLog(log);
      if (described?.module !== "reserve") continue;
      const value = described.value as Event["value"]; // Events are records.
      this.events.push({ event: described.event, value });
    }
    return built.included.length;
  }

  of(event: string): readonly Event["value"][] {
    return this.events.filter((each) => each.event === event).map(({ value }) => value);
  }

  balance(who: string): bigint {
    return this.network.state.account(addressOf(who))?.balance ?? 0n;
  }
}

function idOf(value: Event["value"]): string {
  return `${value["owner"]} ${value["sequence"]}`;
}

function amountOf(value: Event["value"] | undefined, field: string): bigint {
  return BigInt(value?.[field] ?? "0");
}

function total(values: readonly Event["value"][], field: string): bigint {
  return values.reduce((sum, value) => sum + amountOf(value, field), 0n);
}

const voucher = fc.record({
  source: name,
  target: name,
  amount: fc.bigInt(0n, 120n),
  paymentSequence: fc.bigInt(1n, 3n),
  reserveSequence: fc.bigInt(1n, 3n),
  resourceId: resource,
});

const action = fc.oneof(
  fc.record({
    type: fc.constant("reserve" as const),
    by: name,
    fund: fc.bigInt(1n, 150n),
    extra: fc.bigInt(1n, 20n),
    duration: fc.nat(12),
  }),
  fc.record({
    type: fc.constant("pay" as const),
    voucher,
    targetMin: fc.constantFrom(0n, 0n, 40n),
    fee: fc.constantFrom(2n, 2n, 30n),
  }),
  fc.record({
    type: fc.constant("batch" as const),
    by: name,
    vouchers: fc.array(fc.tuple(voucher, fc.boolean()), { maxLength: 5 }),
  }),
  fc.record({
    type: fc.constant("slash" as const),
    by: name,
    vouchers: fc.array(voucher, { minLength: 1, maxLength: 5 }),
  }),
  fc.record({
    type: fc.constant("rule" as const),
    by: name,
    shares: fc.array(fc.tuple(name, fc.nat(50)), { maxLength: 2 }),
    resourceId: resource,
  }),
  fc.record({ type: fc.constant("release" as const), by: name, pool: fc.nat(3) }),
  fc.record({ type: fc.constant("idle" as const), blocks: fc.nat(4) }),
  // Payers propose blocks too, those of their own cheats among them.
  fc.record({ type: fc.constant("leader" as const), by: name }),
);

function entryWith(
  network: LedgerNetwork,
  signed: SignedVoucher,
  target: string | null,
): BatchEntry {
  const digest = consentDigest(signed, 0n, network.genesis.chain);
  const targetSignature = target === null ? emptyBytes : signerOf(target).sign(digest);
  return { ...signed, targetMin: 0n, targetSignature };
}

type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

function transactionOf(network: LedgerNetwork, given: Action): Verified<Transaction> | null {
  switch (given.type) {
    case "reserve": {
      const { by, fund, extra, duration } = given;
      const coins = `fund ${fund} collateral ${fund + extra}`;
      const line = `reserve ${by} ${coins} duration ${duration} for r1`;
      return poolTransaction(network, line.split(" "));
    }
    case "pay":
      return paymentOf(network, voucherOf(network, given.voucher), given);
    case "batch":
      return batchOf(
        network,
        given.by,
        given.vouchers.map(([terms, consents]) =>
          entryWith(network, voucherOf(network, terms), consents ? terms.target : null),
        ),
      );
    case "slash": {
      const { source: owner = "alice", reserveSequence = 1n } = given.vouchers[0] ?? {};
      const vouchers = given.vouchers.map((terms) => voucherOf(network, terms));
      return slashOf(network, given.by, { owner, reserveSequence, vouchers, fee: 20n });
    }
    case "rule": {
      const shares = given.shares.map(([who, percentage]) => `${who}:${percentage}`);
      const line = `rule ${given.by} for ${given.resourceId} ${shares.join(" ")} duration 5`;
      return poolTransaction(network, line.split(" "));
    }
    case "release":
      return poolTransaction(network, ["release", given.by, "pool", `${given.pool}`]);
    case "leader":
      network.proposer = given.by;
      return null;
    case "idle":
      return null;
  }
}

/** What must hold of everything that was reported. */
function checkPools(world: World): void {
  const opened = new Map(world.of("Opened").map((value) => [idOf(value), value]));
  const condemned = new Set(world.of("Condemned").map(idOf));
  expect(condemned.size).toBe(world.of("Condemned").length);
  for (const [id, pool] of opened) {
    const mine = (event: string): readonly Event["value"][] =>
      world.of(event).filter((value) => idOf(value) === id);
    const fund = amountOf(pool, "fund");
    const paid = total(mine("Settled"), "paid");
    expect(paid).toBeLessThanOrEqual(fund);
    // The whole collateral, whoever proved it, and nothing of the fund comes back.
    const lost = condemned.has(id) ? amountOf(pool, "collateral") : 0n;
    expect(total(mine("Condemned"), "collateral")).toBe(lost);
    expect(condemned.has(id) ? total(mine("Closed"), "returned") : 0n).toBe(0n);
    for (const closed of mine("Closed")) {
      const left = fund - paid + (condemned.has(id) ? 0n : amountOf(pool, "collateral"));
      expect(amountOf(closed, "returned") + amountOf(closed, "burned")).toBe(left);
      expect(amountOf(closed, "burned") > 0n && !condemned.has(id)).toBe(false);
    }
  }
}

test("M1 M10: any interleaving conserves coins, and a cheat loses all of it", async () => {
  let cheats = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 40 }), async (actions) => {
      const world = new World();
      for (const given of actions) {
        if (given.type === "idle") {
          for (let i = 0; i < given.blocks; i += 1) await world.block([]);
          continue;
        }
        const transaction = transactionOf(world.network, given);
        if (transaction !== null) await world.block([transaction]);
      }
      for (let i = 0; i < 20; i += 1) await world.block([]);
      checkPools(world);
      cheats += world.of("Condemned").length;
      // Everything has ended, so all of it is accounted for.
      expect(world.of("Closed").length).toBe(world.of("Opened").length);
    }),
    { numRuns: 60 },
  );
  expect(cheats).toBeGreaterThan(0);
});

/** What an honest payer signs: amounts grow within a sequence; the highest of each add up. */
function honestVouchers(
  network: LedgerNetwork,
  steps: readonly { readonly target: string; readonly add: bigint; readonly next: boolean }[],
  fund: bigint,
): SignedVoucher[] {
  const at = new Map<string, { sequence: bigint; amount: bigint }>();
  const signed: SignedVoucher[] = [];
  let owed = 0n;
  for (const { target, add, next } of steps) {
    if (owed + add > fund) continue;
    owed += add;
    const before = at.get(target) ?? { sequence: 1n, amount: 0n };
    // Theta's rule: a new sequence starts again from zero, settled before or not.
    const now = next
      ? { sequence: before.sequence + 1n, amount: add }
      : { sequence: before.sequence, amount: before.amount + add };
    at.set(target, now);
    const numbers = { amount: now.amount, paymentSequence: now.sequence, reserveSequence: 1n };
    const terms = { source: "alice", target, resourceId: "r1", ...numbers };
    signed.push(voucherOf(network, terms, { typed: next }));
  }
  return signed;
}

const step = fc.record({
  target: fc.constantFrom("bob", "carol", "dora"),
  add: fc.bigInt(1n, 40n),
  next: fc.boolean(),
});

const use = fc.record({
  how: fc.constantFrom("pay", "batch", "slash"),
  picks: fc.array(fc.nat(30), { minLength: 1, maxLength: 8 }),
});

function useOf(
  network: LedgerNetwork,
  given: { readonly how: string; readonly picks: readonly number[] },
  signed: readonly SignedVoucher[],
): Verified<Transaction> | null {
  const picked = given.picks.flatMap((at) => signed.slice(at % signed.length).slice(0, 1));
  const first = picked[0];
  if (first === undefined) return null;
  if (given.how === "pay") return paymentOf(network, first, { fee: 2n, targetMin: 0n });
  if (given.how === "slash") {
    const proof = { owner: "alice", reserveSequence: 1n, vouchers: picked, fee: 40n };
    return slashOf(network, "dora", proof);
  }
  const entries = picked.map((each) => {
    const target = names.find((who) => addressOf(who) === each.target) ?? null;
    return entryWith(network, each, target);
  });
  return batchOf(network, "carol", entries);
}

test("M4: an honest payer is never condemned, by Theta's rule of sequences too", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 25 }),
      fc.array(use, { maxLength: 15 }),
      fc.bigInt(1n, 300n),
      async (steps, uses, fund) => {
        const world = new World();
        const line = `reserve alice fund ${fund} collateral ${fund + 1n} duration 90 for r1`;
        const opening = poolTransaction(world.network, line.split(" "));
        expect(opening === null ? 0 : await world.block([opening])).toBe(1);
        const signed = honestVouchers(world.network, steps, fund);
        for (const given of signed.length === 0 ? [] : uses) {
          const transaction = useOf(world.network, given, signed);
          if (transaction !== null) await world.block([transaction]);
        }
        expect(world.of("Condemned")).toEqual([]);
      },
    ),
    { numRuns: 80 },
  );
});

test("M12: nobody but its target can make a voucher worth less", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.bigInt(1n, 100n),
      fc.array(fc.tuple(name, voucher), { maxLength: 8 }),
      async (amount, others) => {
        const world = new World();
        const { network } = world;
        const line = "reserve alice fund 2000 collateral 2001 duration 90 for r1";
        const opening = poolTransaction(network, line.split(" "));
        await world.block(opening === null ? [] : [opening]);
        const terms = { source: "alice", target: "bob", resourceId: "r1" };
        const numbers = { amount, paymentSequence: 1n, reserveSequence: 1n };
        const held = voucherOf(network, { ...terms, ...numbers });
        for (const [by, given] of others) {
          if (by === "bob") continue;
          // Alice herself signs whatever she likes for bob, and anybody hands it in.
          const signed = voucherOf(network, { ...given, ...terms, reserveSequence: 1n });
          await world.block([batchOf(network, by, [entryWith(network, signed, null)])]);
        }
        await world.block([paymentOf(network, held, { fee: 2n, targetMin: 0n })]);
        const got = total(world.of("Settled"), "net");
        expect(got).toBeGreaterThanOrEqual(amount);
      },
    ),
    { numRuns: 60 },
  );
});

test("M10: no split rule takes a payment below the least that its target signed", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(name, fc.nat(60)), { maxLength: 4 }),
      fc.bigInt(1n, 100n),
      fc.bigInt(0n, 100n),
      fc.nat(3),
      async (shares, amount, targetMin, wait) => {
        const world = new World();
        const { network } = world;
        const rule = shares.map(([who, percentage]) => `${who}:${percentage}`).join(" ");
        for (const line of [
          "reserve alice fund 100 collateral 101 duration 90 for r1",
          `rule alice for r1 ${rule} duration 2`,
        ]) {
          const transaction = poolTransaction(network, line.split(" "));
          await world.block(transaction === null ? [] : [transaction]);
        }
        for (let i = 0; i < wait; i += 1) await world.block([]);
        const numbers = { amount, paymentSequence: 1n, reserveSequence: 1n };
        const terms = { source: "alice", target: "bob", resourceId: "r1", ...numbers };
        const before = world.balance("bob");
        const payment = paymentOf(network, voucherOf(network, terms), { fee: 2n, targetMin });
        const paid = await world.block([payment]);
        const gained = world.balance("bob") - before + 2n;
        expect(paid === 0 || gained >= targetMin).toBe(true);
        // It is refused only where the target would get less.
        const taken = total(world.of("Settled"), "net");
        expect(paid === 1 ? taken >= targetMin : amount > 0n).toBe(true);
      },
    ),
    { numRuns: 60 },
  );
});

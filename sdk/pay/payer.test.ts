import fc from "fast-check";
import { expect, test } from "vitest";
import { emptyBytes } from "../../base/bytes.ts";
import { SigningThread } from "../../crypto/signThread.node.ts";
import { voucherPayer } from "../../ledger/voucher.ts";
import { PayWorld, resourceId, testAddress, testSigner } from "../../test/fakes/payWorld.ts";
import { Payer, type Ahead, type Payment } from "./payer.ts";

/*
 * Goal: a payer signs no more than its budgets and its funds, nothing twice, and knows after a
 * crash what it signed.
 */

async function paid(
  payer: Payer,
  cost: bigint,
  options: { readonly to?: number; readonly range?: string | null } = {},
): Promise<Payment | string> {
  const { to = 2, range = null } = options;
  const answer = await payer.pay({ target: testAddress(to), resourceId, cost, range });
  return answer.ok ? answer.value : answer.refusal.code;
}

async function amountOf(payment: Promise<Payment | string>): Promise<bigint | string> {
  const value = await payment;
  return typeof value === "string" ? value : value.voucher.amount;
}

test("amounts grow within one payment sequence, each receiver's by itself", async () => {
  const world = new PayWorld();
  const payer = await world.payer();
  expect(await amountOf(paid(payer, 10n))).toBe(10n);
  expect(await amountOf(paid(payer, 5n, { to: 3 }))).toBe(5n);
  const last = await paid(payer, 7n);
  expect(last).toMatchObject({ added: 7n, voucher: { amount: 17n, paymentSequence: 1n } });
  if (typeof last === "string") throw new Error(last);
  expect(voucherPayer(last.voucher, world.chain.names)).toBe(testAddress(1));
});

test("the fund is never exceeded, to the wei, whoever is paid", async () => {
  const world = new PayWorld();
  const payer = await world.payer();
  expect(await amountOf(paid(payer, 600n))).toBe(600n);
  expect(await amountOf(paid(payer, 401n, { to: 3 }))).toBe("fundExhausted");
  expect(await amountOf(paid(payer, 400n, { to: 3 }))).toBe(400n);
  expect(await amountOf(paid(payer, 1n))).toBe("fundExhausted");
});

test("what is signed ahead on another thread is the payer's, and on its books", async () => {
  const world = new PayWorld();
  const signer = new SigningThread(new Uint8Array(32).fill(1));
  const payer = await world.payer({ signer });
  const ranges = Array.from({ length: 5 }, (_, i) => ({ range: `range ${i}`, cost: 10n }));
  const ahead = await payer.payAhead({ target: testAddress(2), resourceId, ranges });
  if (!ahead.ok) throw new Error(ahead.refusal.code);
  const { terms, amounts } = ahead.value;
  const signatures = await payer.signAhead(terms, amounts);
  const payers = amounts.map((amount, i) => {
    const signature = signatures[i] ?? emptyBytes;
    return voucherPayer({ ...terms, amount, signature }, world.chain.names);
  });
  expect(payers).toEqual(ranges.map(() => testAddress(1)));
  await expect(payer.signAhead(terms, [51n])).rejects.toThrow("on the books");
  await signer.close();
});

test("what is prepared is signed once, and given out when it is on the books", async () => {
  const world = new PayWorld();
  const inPlace = testSigner(1);
  const asked: number[] = [];
  const signMany = (digests: readonly Uint8Array[]): Promise<readonly Uint8Array[]> => {
    asked.push(digests.length);
    return Promise.resolve(digests.map((digest) => inPlace.sign(digest)));
  };
  const payer = await world.payer({ signer: { ...inPlace, signMany } });
  const book = async (first: number, count: number): Promise<Ahead> => {
    const ranges = Array.from({ length: count }, (_, i) => ({ range: `${first + i}`, cost: 10n }));
    const ahead = await payer.payAhead({ target: testAddress(2), resourceId, ranges });
    if (!ahead.ok) throw new Error(ahead.refusal.code);
    return ahead.value;
  };
  const { terms, amounts } = await book(0, 2);
  payer.prepareAhead(terms, [10n, 20n, 30n, 40n, 50n, 1_000_000n]);
  await expect(payer.signAhead(terms, [30n])).rejects.toThrow("on the books");
  const signatures = [
    ...(await payer.signAhead(terms, amounts)),
    ...(await payer.signAhead(terms, (await book(2, 4)).amounts)),
  ];
  // Five were prepared, the sixth is beyond what is authorized; the one that follows was not.
  expect(asked).toEqual([5, 1]);
  const payers = signatures.map((signature, i) => {
    const amount = 10n * BigInt(i + 1);
    return voucherPayer({ ...terms, amount, signature }, world.chain.names);
  });
  expect(payers).toEqual(signatures.map(() => testAddress(1)));
});

test("M1 only a payer that was told to signs beyond the fund", async () => {
  const world = new PayWorld();
  const payer = await world.payer({ overspend: "forced" });
  expect(await amountOf(paid(payer, 1_500n))).toBe(1_500n);
});

test("budgets hold for one receiver and for all", async () => {
  const world = new PayWorld();
  const payer = await world.payer({ budget: { perReceiver: 50n, total: 80n } });
  expect(await amountOf(paid(payer, 50n))).toBe(50n);
  expect(await amountOf(paid(payer, 1n))).toBe("budgetReceiver");
  expect(await amountOf(paid(payer, 31n, { to: 3 }))).toBe("budgetTotal");
  expect(await amountOf(paid(payer, 30n, { to: 3 }))).toBe(30n);
});

test("a second pool is the top-up", async () => {
  const world = new PayWorld();
  const payer = await world.payer({}, [1n, 2n]);
  expect(await amountOf(paid(payer, 990n))).toBe(990n);
  const next = await paid(payer, 20n);
  expect(next).toMatchObject({ voucher: { reserveSequence: 2n, amount: 20n } });
});

test("a pool near its end, or without the resource, is not used", async () => {
  const world = new PayWorld();
  const payer = await world.payer();
  payer.setHeight(471);
  expect(await paid(payer, 1n)).toBe("poolsEnding");
  const target = testAddress(2);
  const other = await payer.pay({ target, resourceId: "music", cost: 1n, range: null });
  expect(other).toEqual({ ok: false, refusal: { code: "noPool", resourceId: "music" } });
});

test("a range is paid once, until it came", async () => {
  const world = new PayWorld();
  const payer = await world.payer();
  expect(await paid(payer, 10n, { range: "f 0-9" })).toMatchObject({ added: 10n });
  expect(await paid(payer, 10n, { range: "f 0-9" })).toMatchObject({ added: 0n });
  expect(payer.unserved(testAddress(2))).toBe(10n);
  payer.arrived(testAddress(2), "f 0-9");
  expect(payer.unserved(testAddress(2))).toBe(0n);
  await payer.served(testAddress(2), ["f 0-9"]);
  expect(await paid(payer, 10n, { range: "f 0-9" })).toMatchObject({ added: 10n });
});

test("after a crash it knows what it signed and what it is owed", async () => {
  const world = new PayWorld();
  const payer = await world.payer();
  await paid(payer, 10n, { range: "f 0-9" });
  const before = await paid(payer, 12n, { range: "f 10-19" });
  const again = await world.payer({}, []);
  expect(await paid(again, 12n, { range: "f 10-19" })).toEqual({ ...Object(before), added: 0n });
  expect(again.unservedRanges(testAddress(2))).toEqual(["f 0-9", "f 10-19"]);
  expect(await amountOf(paid(again, 1n))).toBe(23n);
  const rewritten = new Payer({
    signer: testSigner(1),
    chain: world.chain.names,
    store: world.payerStore,
  });
  rewritten.load(again.live());
  expect(rewritten.live()).toEqual(again.live());
  expect(rewritten.pools()).toEqual(again.pools());
});

test("what a power cut took is still counted against the fund", async () => {
  const world = new PayWorld();
  const payer = await world.payer();
  await paid(payer, 5n);
  const synced = world.payerStore.records.length - 1; // The last was not synced.
  await paid(payer, 5n);
  world.payerStore.records.splice(synced);
  const again = await world.payer({}, []);
  const [pool] = again.pools();
  expect(pool?.lanes[0]).toMatchObject({ amount: 0n, authorized: 320n });
  expect(pool?.fund).toBe(1_000n);
});

test("its own newer voucher, shown by a receiver, is taken over; nobody else's is", async () => {
  const world = new PayWorld();
  const payer = await world.payer();
  const forgetful = await world.payer({ store: { append: async () => {}, write: async () => {} } });
  const shown = await paid(payer, 70n);
  if (typeof shown === "string") throw new Error(shown);
  expect(await forgetful.adopt({ ...shown.voucher, amount: 71n })).toBe(false);
  expect(await forgetful.adopt(shown.voucher)).toBe(true);
  expect(await forgetful.adopt(shown.voucher)).toBe(false);
  expect(await amountOf(paid(forgetful, 1n))).toBe(71n);
});

test("authorizations that are not used are given to whoever needs them", async () => {
  const world = new PayWorld();
  const payer = await world.payer();
  await paid(payer, 10n); // Authorizes 640 of 1,000.
  expect(await amountOf(paid(payer, 900n, { to: 3 }))).toBe(900n);
  expect(await amountOf(paid(payer, 90n))).toBe(100n);
  expect(await amountOf(paid(payer, 1n, { to: 4 }))).toBe("fundExhausted");
  await payer.trim();
});

test("two first payments to one receiver at once do not forget one another", async () => {
  const world = new PayWorld();
  const payer = await world.payer();
  const payments = await Promise.all([paid(payer, 30n), paid(payer, 400n), paid(payer, 5n)]);
  expect(payments.map((one) => (typeof one === "string" ? one : one.added))).toEqual([
    30n,
    400n,
    5n,
  ]);
  expect(payer.pools()[0]?.signed).toBe(435n);
});

test("payments at once, in any mix, never exceed the fund and never share an amount", async () => {
  const payments = fc.array(
    fc.record({ cost: fc.bigInt({ min: 1n, max: 200n }), to: fc.integer({ min: 2, max: 5 }) }),
    { maxLength: 40 },
  );
  await fc.assert(
    fc.asyncProperty(payments, async (list) => {
      const world = new PayWorld();
      const payer = await world.payer();
      const answers = await Promise.all(list.map(({ cost, to }) => paid(payer, cost, { to })));
      const vouchers = answers.flatMap((answer) =>
        typeof answer === "string" ? [] : [answer.voucher],
      );
      const best = new Map<string, bigint>();
      for (const { target, amount } of vouchers) {
        expect(amount).toBeGreaterThan(best.get(target) ?? 0n);
        best.set(target, amount);
      }
      const signed = [...best.values()].reduce((sum, amount) => sum + amount, 0n);
      expect(signed).toBeLessThanOrEqual(1_000n);
      expect(payer.pools()[0]?.signed).toBe(signed);
      const refused = list.filter((_, i) => typeof answers[i] === "string");
      for (const { cost } of refused) expect(signed + cost).toBeGreaterThan(1_000n);
    }),
    { numRuns: 100 },
  );
});

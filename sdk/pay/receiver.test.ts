import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesToBigInt, bigIntToFixedBytes, bytesToDigest } from "../../base/bytes.ts";
import { signVoucher, type SignedVoucher, type Voucher } from "../../ledger/voucher.ts";
import { PayWorld, resourceId, testAddress, testSigner } from "../../test/fakes/payWorld.ts";
import { chainSilenceMsMax, Receiver } from "./receiver.ts";

/*
 * Goal: whatever a payer sends, the receiver serves only what it can settle, and loses at most its
 * exposure. Method: a receiver and a chain of pools in memory; the payer is a liar where it helps.
 */

function voucher(
  world: PayWorld,
  fields: Partial<Voucher> & { readonly by?: number } = {},
): SignedVoucher {
  const { by = 1, ...rest } = fields;
  const terms = {
    target: testAddress(2),
    amount: 10n,
    paymentSequence: 1n,
    reserveSequence: 1n,
    resourceId,
    ...rest,
  };
  return signVoucher(terms, "theta", { chain: world.chain.names, signer: testSigner(by) });
}

function charge(
  receiver: Receiver,
  given: SignedVoucher,
  cost = 10n,
  range: string | null = null,
): ReturnType<Receiver["charge"]> {
  return receiver.charge({ voucher: given, resourceId: given.resourceId, cost, range });
}

async function codeOf(answer: ReturnType<Receiver["charge"]>): Promise<string> {
  const outcome = await answer;
  return outcome.ok ? "ok" : outcome.refusal.code;
}

test("a voucher pays for a request, and only for as much as it adds", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver();
  const first = await charge(receiver, voucher(world, { amount: 15n }));
  expect(first).toEqual({ ok: true, value: { taken: 10n, balance: 5n } });
  expect(await codeOf(charge(receiver, voucher(world, { amount: 15n })))).toBe("unpaid");
  expect(await codeOf(charge(receiver, voucher(world, { amount: 20n })))).toBe("ok");
  expect(receiver.accountOf({ owner: testAddress(1), sequence: 1n })?.balance).toBe(0n);
});

test("both forms of signature count", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver();
  const typed = signVoucher(voucher(world), "typed", {
    chain: world.chain.names,
    signer: testSigner(1),
  });
  expect(await codeOf(charge(receiver, typed))).toBe("ok");
});

test("M12 a voucher for another chain, pool, resource or target is refused", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver();
  const elsewhere = { ...world.chain.names, name: "othernet", id: 367 };
  const reset = { ...world.chain.names, genesisHash: bytesToDigest(new Uint8Array(32).fill(9)) };
  const by = { signer: testSigner(1) };
  const terms = voucher(world);
  const other = signVoucher(terms, "theta", { ...by, chain: elsewhere });
  expect(await codeOf(charge(receiver, other))).toBe("signatureInvalid");
  // After a reset of the network the typed form counts no more.
  const stale = signVoucher(terms, "typed", { ...by, chain: reset });
  expect(await codeOf(charge(receiver, stale))).toBe("signatureInvalid");
  expect(await codeOf(charge(receiver, voucher(world, { reserveSequence: 2n })))).toBe(
    "poolUnknown",
  );
  expect(await codeOf(charge(receiver, voucher(world, { target: testAddress(3) })))).toBe(
    "targetWrong",
  );
  const moved = { ...voucher(world), resourceId: "music" };
  const asked = { voucher: voucher(world), resourceId: "music", cost: 10n, range: null };
  expect(await codeOf(receiver.charge(asked))).toBe("resourceWrong");
  expect(await codeOf(charge(receiver, moved))).toBe("signatureInvalid");
  expect(await codeOf(charge(receiver, voucher(world, { by: 3 })))).toBe("poolUnknown");
  expect(world.receiverStore.records).toEqual([]);
});

test("M3 a resource that the pool does not list is refused", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver();
  const given = voucher(world, { resourceId: "music" });
  expect(await codeOf(charge(receiver, given))).toBe("resourceNotInPool");
});

test("malleable and mutilated signatures are refused", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver();
  const good = voucher(world);
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const high = good.signature.slice();
  const s = order - bytesToBigInt(high.subarray(32, 64));
  high.set(bigIntToFixedBytes(s, 32), 32);
  high[64] = 1 - (high[64] ?? 0);
  const wrongV = good.signature.slice();
  wrongV[64] = 27;
  for (const signature of [high, wrongV, new Uint8Array(65), good.signature.with(3, 0)])
    expect(await codeOf(charge(receiver, { ...good, signature }))).toBe("signatureInvalid");
  expect(await codeOf(charge(receiver, good))).toBe("ok");
});

test("M5 payment sequences 0, equal, decreasing, and at their greatest", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver();
  const at = (paymentSequence: bigint, amount: bigint): SignedVoucher =>
    voucher(world, { paymentSequence, amount });
  expect(await codeOf(charge(receiver, at(0n, 10n)))).toBe("voucherMalformed");
  let before = 1n;
  for (const sequence of [1n, 0xd800n, 0x11_0000n, 1n << 53n, (1n << 64n) - 1n]) {
    expect(await codeOf(charge(receiver, at(sequence, 20n)))).toBe("ok");
    expect(await codeOf(charge(receiver, at(before, 10n)))).toBe(
      before === sequence ? "ok" : "sequenceStale",
    );
    before = sequence;
  }
  // Each was settled before the next was taken: nothing was left behind.
  expect(world.chain.balances.get(testAddress(2))).toBe(4n * 20n);
});

test("a higher sequence is taken only when nothing is unsettled under the lower", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver();
  expect(await codeOf(charge(receiver, voucher(world, { amount: 40n }), 40n))).toBe("ok");
  world.chain.failure = new Error("unreachable");
  const next = voucher(world, { paymentSequence: 2n, amount: 10n });
  expect(await codeOf(charge(receiver, next))).toBe("sequenceUnsettled");
  world.chain.failure = null;
  expect(await codeOf(charge(receiver, next))).toBe("ok");
  expect(world.chain.balances.get(testAddress(2))).toBe(40n);
});

test("a payer who settles a higher sequence himself gains nothing by the lower one", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver();
  expect(await codeOf(charge(receiver, voucher(world, { amount: 10n })))).toBe("ok");
  const own = voucher(world, { paymentSequence: 9n, amount: 1n });
  await world.chain.settle([{ voucher: own }]);
  world.nowMs += 20_000;
  await receiver.tick();
  expect(await codeOf(charge(receiver, voucher(world, { amount: 20n })))).toBe("sequenceStale");
});

test("amounts at the end of 256 bits overflow nothing", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver();
  const given = voucher(world, { amount: (1n << 256n) - 1n });
  expect(await codeOf(charge(receiver, given))).toBe("overspent");
});

test("M1 a voucher beyond the fund is paid in part and costs the collateral", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver({ exposureDivisor: 4n });
  expect(await codeOf(charge(receiver, voucher(world, { amount: 60n }), 60n))).toBe("ok");
  const elsewhere = voucher(world, { target: testAddress(3), amount: 930n });
  await world.chain.settle([{ voucher: elsewhere }]);
  const beyond = voucher(world, { amount: 90n });
  expect(await codeOf(charge(receiver, beyond, 30n))).toBe("ok"); // It cannot know yet.
  world.nowMs += 20_000;
  await receiver.tick();
  expect(world.chain.balances.get(testAddress(2))).toBe(70n);
  expect(world.chain.pools.get(`${testAddress(1)}/1`)).toMatchObject({
    isCondemned: true,
    collateral: 0n,
    used: 1_000n,
  });
  expect(await codeOf(charge(receiver, voucher(world, { amount: 91n }), 1n))).toBe("poolCondemned");
});

test("no more than the collateral divided by sixteen is ever unsettled", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver();
  for (let amount = 10n; amount <= 900n; amount += 10n) {
    expect(await codeOf(charge(receiver, voucher(world, { amount })))).toBe("ok");
    const settled = world.chain.balances.get(testAddress(2)) ?? 0n;
    expect(amount - settled).toBeLessThanOrEqual(100n);
  }
  const big = voucher(world, { amount: 1_010n - 100n + 100n });
  expect(await codeOf(charge(receiver, big, 110n))).toBe("overspent");
});

test("one request above the exposure is refused with the bound", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver();
  const answer = await charge(receiver, voucher(world, { amount: 101n }), 101n);
  expect(answer).toEqual({ ok: false, refusal: { code: "exposure", got: 101n, max: 100n } });
});

test("a range that was paid for and got lost is sent again, three times", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver();
  const given = voucher(world);
  const taken: (bigint | string)[] = [];
  for (let i = 0; i < 5; i += 1) {
    const answer = await charge(receiver, given, 10n, "file 0-100");
    taken.push(answer.ok ? answer.value.taken : answer.refusal.code);
  }
  expect(taken).toEqual([10n, 0n, 0n, 0n, "unpaid"]);
});

test("two requests at once cannot use one balance", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver();
  const given = voucher(world, { amount: 15n });
  const answers = await Promise.all([charge(receiver, given), charge(receiver, given)]);
  expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
});

test("the best voucher is on disk before anything is served; a restart goes on", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver();
  await charge(receiver, voucher(world, { amount: 25n }), 10n, "file 0-1");
  const again = await world.receiver();
  expect(await codeOf(charge(again, voucher(world, { amount: 25n }), 10n, "file 0-1"))).toBe("ok");
  expect(await codeOf(charge(again, voucher(world, { amount: 25n }), 15n))).toBe("ok");
  expect(await codeOf(charge(again, voucher(world, { amount: 25n }), 1n))).toBe("unpaid");
  world.receiverStore.failure = new Error("disk full");
  await expect(charge(again, voucher(world, { amount: 40n }))).rejects.toThrow("disk full");
});

test("the rewritten journal makes the same receiver", async () => {
  const world = new PayWorld();
  world.openPool(2n);
  const receiver = await world.receiver();
  await charge(receiver, voucher(world, { amount: 25n }), 10n, "file 0-1");
  await charge(receiver, voucher(world, { amount: 25n }), 10n, "file 1-2");
  await charge(receiver, voucher(world, { amount: 7n, reserveSequence: 2n }), 5n);
  const before = receiver.live();
  const dormant = new Receiver({
    address: receiver.address,
    chain: world.chain,
    store: world.receiverStore,
    now: () => world.nowMs,
  });
  dormant.load(before);
  expect(dormant.live()).toEqual(before);
  await dormant.tick();
  expect(dormant.live()).toEqual(before);
  expect(await dormant.summaries()).toEqual(await receiver.summaries());
});

test("M8 a pool near its end is not served from, and what it owes is settled", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver();
  expect(await codeOf(charge(receiver, voucher(world)))).toBe("ok");
  world.chain.heightNow = 471; // 30 blocks before the end are the margin.
  await receiver.tick();
  expect(world.chain.balances.get(testAddress(2))).toBe(10n);
  expect(await codeOf(charge(receiver, voucher(world, { amount: 20n })))).toBe("poolEnding");
});

test("M13 a receiver that sleeps past the end has lost what it did not settle", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver();
  await charge(receiver, voucher(world));
  world.chain.heightNow = 501;
  world.nowMs += 20_000;
  await receiver.tick();
  expect(world.chain.balances.get(testAddress(2)) ?? 0n).toBe(0n);
});

test("vouchers are settled by age", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver({ ageMsMax: 60_000 });
  await charge(receiver, voucher(world));
  expect(await receiver.tick()).toEqual([]);
  world.nowMs += 60_000;
  const [settled] = await receiver.tick();
  expect(settled?.paid).toBe(10n);
  expect(await receiver.tick()).toEqual([]);
});

test("M10 a split rule that leaves too little is not served under", async () => {
  const world = new PayWorld();
  world.chain.keptPercent = 95;
  const strict = await world.receiver();
  expect(await codeOf(charge(strict, voucher(world)))).toBe("shareTooSmall");
  const lenient = await world.receiver({ keptPercentMin: 90 });
  expect(await codeOf(charge(lenient, voucher(world)))).toBe("ok");
});

test("without a word from the chain nothing is served", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver();
  world.nowMs += chainSilenceMsMax + 1;
  expect(await codeOf(charge(receiver, voucher(world)))).toBe("chainSilent");
});

test("a pool that is gone is forgotten", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver();
  await charge(receiver, voucher(world));
  world.chain.pools.clear();
  world.nowMs += 20_000;
  await receiver.tick();
  expect(receiver.live()).toEqual([]);
  const again = await world.receiver();
  expect(again.live()).toEqual([]);
});

test("whatever comes, it serves no more than it is paid for in the end", async () => {
  const step = fc.record({
    amount: fc.bigInt({ min: 0n, max: 1_200n }),
    sequence: fc.bigInt({ min: 0n, max: 3n }),
    cost: fc.bigInt({ min: 1n, max: 120n }),
    by: fc.constantFrom(1, 1, 1, 3),
    settles: fc.boolean(),
    height: fc.constantFrom(1, 1, 1, 480),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const world = new PayWorld();
      let receiver = await world.receiver();
      let served = 0n;
      for (const { amount, sequence, cost, by, settles, height } of steps) {
        world.chain.heightNow = height;
        world.nowMs += 20_000;
        await receiver.tick();
        const given = voucher(world, { amount, paymentSequence: sequence, by });
        const answer = await charge(receiver, given, cost);
        if (answer.ok) served += answer.value.taken;
        if (settles) receiver = await world.receiver();
      }
      await receiver.settle();
      expect(served).toBeLessThanOrEqual(world.chain.balances.get(testAddress(2)) ?? 0n);
    }),
    { numRuns: 200 },
  );
});

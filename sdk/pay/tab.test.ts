import { expect, test } from "vitest";
import { PayWorld, resourceId, testAddress } from "../../test/fakes/payWorld.ts";
import type { Payer } from "./payer.ts";
import type { Receiver } from "./receiver.ts";
import { openTab, type Tab } from "./tab.ts";

/* Goal: a tab credits what was signed for and shown, and nothing else, whatever is sent. */

const target = testAddress(2);

async function tabOf(world: PayWorld): Promise<{ payer: Payer; receiver: Receiver; tab: Tab }> {
  const payer = await world.payer();
  const receiver = await world.receiver();
  const paid = await payer.pay({ target, resourceId, cost: 5n, range: null });
  if (!paid.ok) throw new Error(paid.refusal.code);
  const opened = await openTab(receiver, paid.value.voucher, resourceId);
  if (!opened.ok) throw new Error(opened.refusal.code);
  return { payer, receiver, tab: opened.value };
}

async function chainOf(
  payer: Payer,
  step: bigint,
): Promise<{ start: bigint; chain: ReturnType<Payer["startChain"]> }> {
  const ranges = [{ range: "r", cost: 1n }];
  const ahead = await payer.payAhead({ target, resourceId, ranges });
  if (!ahead.ok) throw new Error(ahead.refusal.code);
  const start = (ahead.value.amounts[0] ?? 0n) - 1n;
  return { start, chain: payer.startChain(ahead.value.terms, start, step, 8) };
}

test("steps are credited as they are shown, also when some are left out", async () => {
  const { payer, receiver, tab } = await tabOf(new PayWorld());
  const { start: amount, chain } = await chainOf(payer, 2n);
  const { token: anchor, signature, step } = chain;
  expect(await tab.offer([{ type: "chain", amount, step, anchor, signature }])).toBeNull();
  const balances: (bigint | undefined)[] = [];
  for (const steps of [1, 3]) {
    const tokens = Array.from({ length: steps }, () => {
      chain.advance();
      return { type: "token", token: chain.token } as const;
    });
    expect(await tab.offer(tokens)).toBeNull();
    balances.push(receiver.accountOf({ owner: payer.address, sequence: 1n })?.balance);
  }
  expect(balances).toEqual([7n, 13n]);
});

test("a token of no chain, of another, or twice is refused", async () => {
  const { payer, tab } = await tabOf(new PayWorld());
  const token = new Uint8Array(32).fill(1);
  expect(await tab.offer([{ type: "token", token }])).toMatchObject({ code: "voucherMalformed" });
  const { start: amount, chain } = await chainOf(payer, 2n);
  const { token: anchor, signature, step } = chain;
  await tab.offer([{ type: "chain", amount, step, anchor, signature }]);
  const wrong = { code: "signatureInvalid" };
  expect(await tab.offer([{ type: "token", token }])).toMatchObject(wrong);
  expect(await tab.offer([{ type: "token", token: anchor }])).toMatchObject(wrong);
});

test("another price than was signed for is refused, and a step of nothing", async () => {
  const { payer, tab } = await tabOf(new PayWorld());
  const { start: amount, chain } = await chainOf(payer, 2n);
  const { token: anchor, signature } = chain;
  for (const step of [0n, 3n]) {
    const offered = tab.offer([{ type: "chain", amount, step, anchor, signature }]);
    expect(await offered).toMatchObject({ code: "signatureInvalid" });
  }
});

test("steps beyond 256 bits are refused, and leave records that can be read", async () => {
  const world = new PayWorld();
  const { payer, tab } = await tabOf(world);
  const { start: amount, chain } = await chainOf(payer, 1n << 255n);
  const { token: anchor, signature, step } = chain;
  await tab.offer([{ type: "chain", amount, step, anchor, signature }]);
  const tokens = [1, 2].map(() => {
    chain.advance();
    return { type: "token", token: chain.token } as const;
  });
  expect(await tab.offer(tokens)).toMatchObject({ code: "voucherMalformed" });
  await tab.keep();
  expect((await world.receiver()).live().length).toBeGreaterThan(0);
});

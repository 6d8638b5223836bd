import { expect, test } from "vitest";
import { signVoucher, type SignedVoucher } from "../../ledger/voucher.ts";
import { PayWorld, resourceId, testAddress, testSigner } from "../../test/fakes/payWorld.ts";
import { Watcher } from "./watcher.ts";

function voucher(world: PayWorld, to: number, amount: bigint): SignedVoucher {
  const terms = {
    target: testAddress(to),
    amount,
    paymentSequence: 1n,
    reserveSequence: 1n,
    resourceId,
  };
  return signVoucher(terms, "theta", { chain: world.chain.names, signer: testSigner(1) });
}

function watcher(world: PayWorld, vouchers: readonly SignedVoucher[]): Watcher {
  const parts = { chain: world.chain, blocksLeftMin: 30 };
  return new Watcher({ ...parts, vouchers: () => Promise.resolve(vouchers) });
}

test("M13 a sleeping receiver is settled for before its pool ends", async () => {
  const world = new PayWorld();
  const watching = watcher(world, [voucher(world, 2, 70n)]);
  expect((await watching.tick()).settled).toEqual([]);
  world.chain.heightNow = 470;
  expect((await watching.tick()).settled).toHaveLength(1);
  expect(world.chain.balances.get(testAddress(2))).toBe(70n);
  expect((await watching.tick()).settled).toEqual([]);
});

test("M1 vouchers that together exceed the fund condemn the pool", async () => {
  const world = new PayWorld();
  const vouchers = [voucher(world, 2, 700n), voucher(world, 3, 400n)];
  expect((await watcher(world, vouchers).tick()).slashed).toHaveLength(1);
  expect(world.chain.slashes).toBe(1);
  expect(world.chain.balances.get(testAddress(2))).toBe(700n);
  expect(world.chain.balances.get(testAddress(3))).toBe(300n);
});

test("receiver and watcher at once: the voucher is paid once", async () => {
  const world = new PayWorld();
  const receiver = await world.receiver();
  const given = voucher(world, 2, 60n);
  await receiver.charge({ voucher: given, resourceId, cost: 60n, range: null });
  world.chain.heightNow = 470;
  await Promise.all([watcher(world, [given]).tick(), receiver.tick()]);
  expect(world.chain.balances.get(testAddress(2))).toBe(60n);
  expect(world.chain.pools.get(`${testAddress(1)}/1`)?.used).toBe(60n);
});

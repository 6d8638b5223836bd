import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesOf } from "../../test/fakes/transactions.ts";
import { encodeTopUp, TopUpReader, type TopUp } from "./topUp.ts";

const amounts = fc.bigInt(0n, (1n << 256n) - 1n);
const topUps: fc.Arbitrary<TopUp> = fc.oneof(
  fc.record({ type: fc.constant("voucher" as const), amount: amounts, signature: bytesOf(65) }),
  fc.record({
    type: fc.constant("chain" as const),
    amount: amounts,
    step: amounts,
    anchor: bytesOf(32),
    signature: bytesOf(65),
  }),
  fc.record({ type: fc.constant("token" as const), token: bytesOf(32) }),
);

test("top-ups survive their bytes, however those are cut", () => {
  fc.assert(
    fc.property(
      fc.array(topUps, { maxLength: 8 }),
      fc.integer({ min: 1, max: 200 }),
      (all, cut) => {
        const bytes = Uint8Array.from(all.flatMap((each) => [...encodeTopUp(each)]));
        const reader = new TopUpReader();
        const read: TopUp[] = [];
        for (let at = 0; at < bytes.length; at += cut) {
          const outcome = reader.push(bytes.slice(at, at + cut));
          if (outcome.ok) read.push(...outcome.value);
        }
        expect(read).toEqual(all);
      },
    ),
  );
});

test("a kind that is none ends it", () => {
  for (const kind of [0, 4, 255])
    expect(new TopUpReader().push(Uint8Array.of(kind))).toMatchObject({ ok: false });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { checkTable } from "../../test/fakes/ledgerTable.ts";
import { shares } from "./reward.ts";

test("rewards are shared by active stake, to the last wei", async () => {
  await checkTable(`
    set reward.tfuelWeiPerBlock 10
    stakes alice hugo 200
    stakes bob hugo 100
    stakes carol ida 300
    account alice tfuel 2
    blocks 10               -> ok
    tfuel alice             -> 35       # 100 in 6 parts: 2, 1, 3 of them, as running sums
    tfuel bob               -> 17
    tfuel carol             -> 50
    withdraw alice hugo     -> ok
    blocks 9                -> ok
    tfuel alice             -> 33
    tfuel bob               -> 42
    tfuel carol             -> 125
  `);
});

test("a holder passes a part to a beneficiary", async () => {
  await checkTable(`
    set reward.tfuelWeiPerBlock 100
    stakes alice hugo 100
    account hugo tfuel 100
    split hugo dora 1001    -> failed splitTooHigh
    split hugo dora 1000    -> ok
    blocks 8                -> ok
    tfuel dora              -> 100
    tfuel alice             -> 900
    split hugo dora 0       -> ok
    blocks 9                -> ok
    tfuel dora              -> 100
    tfuel alice             -> 1900
  `);
});

test("shares add up exactly and keep proportions within one", () => {
  fc.assert(
    fc.property(
      fc.bigInt(0n, 10n ** 24n),
      fc.array(fc.bigInt(1n, 10n ** 27n), { minLength: 1, maxLength: 20 }),
      (total, weights) => {
        const parts = shares(total, weights);
        const weight = weights.reduce((sum, part) => sum + part, 0n);
        expect(parts.reduce((sum, part) => sum + part, 0n)).toBe(total);
        parts.forEach((part, i) => {
          const exact = (total * (weights[i] ?? 0n)) / weight;
          expect(part === exact || part === exact + 1n).toBe(true);
        });
      },
    ),
  );
});

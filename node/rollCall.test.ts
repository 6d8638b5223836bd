import { describe, expect, test } from "vitest";
import { bytesToHex } from "../base/bytes.ts";
import { createFakeCommittee } from "../test/fakes/committee.ts";
import { stubKey } from "../test/sim/stubs.ts";
import type { Signed } from "./messages.ts";
import { isVouchedFor } from "./rollCall.ts";

/*
 * Goal: a record is taken for the newest only if no quorum can have ended a view beyond it. The key
 * is the first of the committee's, and its record ends in view 7 of epoch 3.
 */

const self = { blsKey: stubKey(0), signed: { epoch: 3, view: 7 } };

function answersOf(answers: readonly (Signed | null)[]): ReadonlyMap<string, Signed> {
  return new Map(
    answers.flatMap((answer, i) =>
      answer === null ? [] : [[bytesToHex(stubKey(i + 1)), answer] as const],
    ),
  );
}

/** Answers of the others, from the second on; `null` is none. */
function isVouched(
  stakes: readonly bigint[],
  answers: readonly (Signed | null)[],
  epoch = 3,
): boolean {
  const { committee } = createFakeCommittee(stakes).epoch;
  return isVouchedFor({ epoch, committee }, self, answersOf(answers));
}

const at = (view: number, epoch = 3): Signed => ({ epoch, view });

describe("D7: a roll call", () => {
  const four = [1n, 1n, 1n, 1n];

  test.each([
    ["all others stand where the key stands", [at(7), at(7), at(7)], true],
    ["some are a view ahead, as when all stop at once", [at(8), at(6), at(8)], true],
    ["one went on", [at(7), at(7), at(9)], false],
    ["one is in a later epoch", [at(7), at(7), at(0, 4)], false],
    ["others are behind", [at(0), at(90, 2), at(7)], true],
    ["one does not answer: with this key it may have made a quorum", [at(7), at(7), null], false],
  ] as const)("of four, where %s: %s", (_, answers, expected) => {
    expect(isVouched(four, answers)).toBe(expected);
  });

  test("needs others with more than two thirds, or all of them", () => {
    const seven = [1n, 1n, 1n, 1n, 1n, 1n, 1n];
    expect(isVouched(seven, [at(7), at(7), at(7), at(7), at(7), null])).toBe(true);
    expect(isVouched(seven, [at(7), at(7), at(7), at(7), null, null])).toBe(false);
    expect(isVouched(seven, [at(7), at(7), at(7), at(7), at(7), at(99)])).toBe(true);
    expect(isVouched([1n, 1n], [at(7)])).toBe(true);
    expect(isVouched([1n, 1n], [null])).toBe(false);
    expect(isVouched([1n, 9n, 1n], [at(7), null])).toBe(true);
  });

  test("is of the epoch that runs", () => {
    expect(isVouched(four, [at(1, 4), at(1, 4), at(0, 4)], 4)).toBe(true);
    expect(isVouched(four, [at(2, 4), at(2, 4), at(0, 4)], 4)).toBe(false);
    expect(isVouched(four, [at(7), at(7), at(7)], 2)).toBe(false);
  });
});

import { describe, expect, it } from "vitest";
import { createFakeCommittee } from "../test/fakes/committee.ts";
import { stubDigest, stubKey, stubSign } from "../test/sim/stubs.ts";
import { Guard } from "./guard.ts";
import { emptySafetyRecord } from "./rules.ts";
import type { SafetyRecord, Signable } from "./types.ts";

const four = createFakeCommittee([1n, 1n, 1n, 1n]);
const block = stubDigest("block");
const other = stubDigest("other");
const first = emptySafetyRecord(four.epoch);
const vote = { epoch: 0, view: 3, block, parentView: 2 };
const high = four.certificate({ epoch: 0, view: 2, block: other, parentView: 1 }, [0, 1, 2]);
const voted: SafetyRecord = { ...first, votedView: 3, lockView: 2, highCertificate: high, vote };
const signable: Signable = { type: "vote", vote };

function createGuard(...records: readonly SafetyRecord[]): { guard: Guard; count: () => number } {
  let count = 0;
  const guard = new Guard(four.context.scope, stubKey(0), (message) => {
    count += 1;
    return stubSign(0, message);
  });
  for (const record of records) guard.onPersisted(record);
  return { guard, count: () => count };
}

function codeOf(records: readonly SafetyRecord[], asked: Signable): string {
  const verdict = createGuard(...records).guard.sign(asked);
  return verdict.ok ? "ok" : verdict.refusal.code;
}

describe("guard", () => {
  it("signs what is on disk, and the same bytes once", () => {
    const { guard, count } = createGuard(first, voted);
    const a = guard.sign(signable);
    expect(a.ok).toBe(true);
    expect(guard.sign({ type: "vote", vote: { ...vote } })).toEqual(a);
    expect(count()).toBe(1);
  });

  it("signs nothing that is not on disk", () => {
    expect(codeOf([], signable)).toBe("nothingPersisted");
    expect(codeOf([first], signable)).toBe("notPersisted");
    expect(codeOf([voted], { type: "vote", vote: { ...vote, block: other } })).toBe("notPersisted");
    expect(codeOf([voted], { type: "vote", vote: { ...vote, parentView: 1 } })).toBe(
      "notPersisted",
    );
  });

  it("K3: signs again after a restart what it had signed before", () => {
    const before = createGuard(first, voted).guard.sign(signable);
    expect(createGuard(voted).guard.sign(signable)).toEqual(before);
  });

  const timeout = { epoch: 0, view: 3, highCertificate: high, entryCertificate: null };
  const left: SafetyRecord = { ...voted, timeout };
  const low = first.highCertificate;
  const contradictions: readonly (readonly [string, SafetyRecord, SafetyRecord])[] = [
    ["another vote in the view", voted, { ...voted, vote: { ...vote, block: other } }],
    ["an older vote", voted, { ...voted, vote: { ...vote, view: 2, parentView: 1 } }],
    ["a voted view that goes back", voted, { ...voted, votedView: 2, vote: null }],
    ["a lock that goes back", voted, { ...voted, lockView: 1, vote: null }],
    ["a vote in a view that was left", { ...first, votedView: 3 }, voted],
    [
      "an epoch that goes back",
      { ...first, epoch: 1, highCertificate: { ...low, epoch: 1 } },
      first,
    ],
    [
      "a timeout that denies the vote",
      voted,
      { ...left, timeout: { ...timeout, highCertificate: low } },
    ],
    [
      "a second timeout of a view",
      left,
      { ...left, timeout: { ...timeout, highCertificate: low } },
    ],
    ["a lock above the high certificate", first, { ...voted, highCertificate: low }],
    [
      "a second proposal for a view",
      { ...voted, proposal: { epoch: 0, view: 3, block } },
      { ...voted, proposal: { epoch: 0, view: 3, block: other } },
    ],
  ];
  for (const [name, before, after] of contradictions) {
    it(`takes no record with ${name}`, () => {
      expect(codeOf([before, after], signable)).toBe("recordContradicts");
    });
  }

  it("keeps keys, chains and scopes apart", () => {
    const elsewhere = { genesis: other, scope: "" };
    const sign = (message: Uint8Array) => stubSign(0, message);
    const guard = new Guard(elsewhere, stubKey(0), sign);
    guard.onPersisted(voted);
    const here = createGuard(voted).guard.sign(signable);
    const there = guard.sign(signable);
    expect(here.ok && there.ok).toBe(true);
    expect(there).not.toEqual(here);
  });
});

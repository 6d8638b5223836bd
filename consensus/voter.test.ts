import { describe, expect, it } from "vitest";
import { createFakeCommittee } from "../test/fakes/committee.ts";
import { emptySafetyRecord, soundRules } from "./rules.ts";
import type { EpochInfo, SignedVote } from "./types.ts";
import { Voter } from "./voter.ts";

/*
 * Goal: a key whose record may not hold all that it signed is silent in every epoch that began, by
 * its root's timestamp, before the doubt ends, whichever epochs peers show it.
 */

const committee = createFakeCommittee([1n, 1n, 1n, 1n]);
const first = committee.epoch;
const doubtUntilMs = 50_000;

function epochAfter(epoch: number): EpochInfo {
  return { ...first, epoch, committee: { ...first.committee, epoch } };
}

describe("D7: a voter in doubt", () => {
  it("speaks only in an epoch with a later root, and then in all that follow", () => {
    const voter = new Voter(soundRules, first);
    voter.restore(first, 0, { record: null, doubtUntilMs });
    const speaks = [49_999, 50_000, 50_001, 50_002].map((rootMs, i) => {
      voter.startEpoch(epochAfter(i + 1), 0, rootMs);
      return voter.isActive;
    });
    expect(speaks).toEqual([false, false, true, true]);
  });

  it("that hears of its own unknown vote is silent like one without a record", () => {
    const voter = new Voter(soundRules, first);
    voter.restore(first, 0, { record: emptySafetyRecord(first), doubtUntilMs });
    expect(voter.isActive).toBe(true);
    const said = { epoch: 0, view: 2, block: committee.root, parentView: 1 };
    const vote: SignedVote = committee.vote(0, said);
    expect(voter.hear({ type: "vote", vote }).map(({ type }) => type)).toEqual(["fallSilent"]);
    expect(voter.startEpoch(epochAfter(1), 0, doubtUntilMs)).toEqual([]);
    expect(voter.isActive).toBe(false);
    expect(voter.startEpoch(epochAfter(2), 0, doubtUntilMs + 1)).toHaveLength(1);
    expect(voter.isActive).toBe(true);
  });

  it("without doubt speaks in the next epoch, however old its root", () => {
    const voter = new Voter(soundRules, first);
    voter.restore(first, 0, { record: emptySafetyRecord(first), doubtUntilMs });
    voter.startEpoch(epochAfter(1), 0, 1);
    expect(voter.isActive).toBe(true);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFakeCommittee } from "../test/fakes/committee.ts";
import { stubAggregate, stubDigest } from "../test/sim/stubs.ts";
import { checkCertificate, checkTimeoutCertificate } from "./certificateCheck.ts";
import { decodeSignedVote, encodeSignedVote } from "./codec.ts";
import { rootCertificate, soundRules } from "./rules.ts";
import { Tally } from "./tally.ts";

const block = stubDigest("block");
const other = stubDigest("other");
const four = createFakeCommittee([1n, 1n, 1n, 1n]);
const vote = { epoch: 0, view: 3, block, parentView: 2 };

function createTally(): Tally {
  return new Tally(four.epoch.committee, soundRules, stubAggregate);
}

describe("votes", () => {
  it("of a quorum make a valid certificate, in whatever order they come", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 3 }), (signers) => {
        const tally = createTally();
        for (const signer of signers) tally.addVote(four.vote(signer, vote));
        const certificate = tally.certificateFor(vote);
        expect(certificate).not.toBeNull();
        if (certificate === null) return;
        expect(checkCertificate(four.context, certificate).ok).toBe(true);
      }),
    );
  });

  it("K9: the same vote in two encodings is one vote, and only one decodes", () => {
    const tally = createTally();
    const signed = four.vote(0, vote);
    const bytes = encodeSignedVote(signed);
    const decoded = decodeSignedVote(bytes);
    expect(decoded.ok).toBe(true);
    if (!decoded.ok) return;
    expect(tally.addVote(signed)).toBe(true);
    expect(tally.addVote(decoded.value)).toBe(false);
    expect(tally.size).toBe(1);
    // The same list with a long length prefix, and with a byte behind it.
    const long = Uint8Array.from([0xf9, 0, bytes.length - 2, ...bytes.subarray(2)]);
    expect(decodeSignedVote(long).ok).toBe(false);
    expect(decodeSignedVote(Uint8Array.from([...bytes, 0])).ok).toBe(false);
  });

  it("K6: repeated in newer views never make two certificates of one view", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            signer: fc.nat(3),
            view: fc.integer({ min: 1, max: 4 }),
            block: fc.constantFrom(block, other),
          }),
          { maxLength: 40 },
        ),
        (votes) => {
          const tally = createTally();
          const certified = new Map<number, string>();
          const voted = new Map<string, string>();
          for (const { signer, view, block: voteBlock } of votes) {
            // Honest signers: one block a view, views ascending in any order of arrival.
            const own = voted.get(`${signer}/${view}`) ?? voteBlock;
            voted.set(`${signer}/${view}`, own);
            const next = { epoch: 0, view, block: own as typeof block, parentView: 0 };
            tally.addVote(four.vote(signer, next));
            if (tally.certificateFor(next) === null) continue;
            expect(certified.get(view) ?? own).toBe(own);
            certified.set(view, own);
          }
        },
      ),
    );
  });

  it("K6: for one block in several views are no quorum in any of them", () => {
    const tally = createTally();
    const older = { ...vote, view: 2, parentView: 0 };
    const newer = { ...vote, view: 3, parentView: 0 };
    for (const signer of [0, 1]) tally.addVote(four.vote(signer, older));
    for (const signer of [2, 3]) tally.addVote(four.vote(signer, newer));
    expect(tally.certificateFor(older)).toBeNull();
    expect(tally.certificateFor(newer)).toBeNull();
  });

  it("K8: of a non-validator are neither counted nor stored", () => {
    const tally = createTally();
    expect(tally.addVote(four.vote(4, vote))).toBe(false);
    expect(tally.addVote({ ...four.vote(0, vote), signer: 1_000_000 })).toBe(false);
    expect(tally.size).toBe(0);
  });

  it("K8: of far views push nothing but the signer's own", () => {
    const tally = createTally();
    for (let view = 1; view < 1_000; view += 1) {
      tally.addVote(four.vote(0, { ...vote, view, parentView: 0 }));
    }
    expect(tally.size).toBe(1);
  });

  it("K2: of two values in a slot count once", () => {
    const tally = createTally();
    tally.addVote(four.vote(0, vote));
    expect(tally.addVote(four.vote(0, { ...vote, block: other }))).toBe(false);
    expect(tally.certificateFor({ ...vote, block: other })).toBeNull();
  });
});

describe("timeouts", () => {
  const low = rootCertificate(four.epoch);
  const high = four.certificate({ epoch: 0, view: 2, block, parentView: 0 }, [0, 1, 2]);
  const leave = (signer: number, highCertificate = low, view = 3) =>
    four.timeout(signer, { epoch: 0, view, highCertificate, entryCertificate: null });

  it("of a quorum make a valid certificate with the highest of theirs", () => {
    const tally = createTally();
    for (const timeout of [leave(2, high), leave(0), leave(3)]) tally.addTimeout(timeout);
    const certificate = tally.timeoutCertificateFor(3);
    expect(certificate?.highCertificate.view).toBe(2);
    expect(certificate?.highViews).toEqual([0, 2, 0]);
    if (certificate === null) return;
    expect(checkTimeoutCertificate(four.context, certificate).ok).toBe(true);
  });
});

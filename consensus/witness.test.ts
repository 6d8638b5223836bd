import { describe, expect, it } from "vitest";
import { createFakeCommittee } from "../test/fakes/committee.ts";
import { stubDigest, stubSign } from "../test/sim/stubs.ts";
import { checkEvidence } from "./evidence.ts";
import { rootCertificate } from "./rules.ts";
import { signableBytes } from "./statements.ts";
import type { Evidence, SignedProposal, Vote } from "./types.ts";
import { Witness, witnessStatementsMax, witnessViewsMax, type Testimony } from "./witness.ts";

const four = createFakeCommittee([1n, 1n, 1n, 1n]);
const block = stubDigest("block");
const other = stubDigest("other");
const vote: Vote = { epoch: 0, view: 3, block, parentView: 2 };
const low = rootCertificate(four.epoch);
const high = four.certificate({ epoch: 0, view: 2, block, parentView: 0 }, [0, 1, 2]);

function voted(signer: number, signed: Vote): Testimony {
  return { type: "vote", vote: four.vote(signer, signed) };
}

function left(signer: number, highCertificate = low, view = 3): Testimony {
  const timeout = { epoch: 0, view, highCertificate, entryCertificate: null };
  return { type: "timeout", timeout: four.timeout(signer, timeout) };
}

function certified(view: number, name = block, signers = [0, 1, 2]): Testimony {
  const certificate = four.certificate({ epoch: 0, view, block: name, parentView: 0 }, signers);
  return { type: "certificate", certificate };
}

function proposed(signer: number, view: number, name = block): Testimony {
  const statement = { epoch: 0, view, block: name };
  const message = signableBytes(four.context.scope, { type: "proposal", statement });
  const proposal: SignedProposal = { statement, signer, signature: stubSign(signer, message) };
  return { type: "proposal", proposal };
}

/** All that was found in what was said, in order; each piece must convince a stranger. */
function seeAll(said: readonly Testimony[]): readonly Evidence["type"][] {
  const witness = new Witness();
  const found = said.flatMap((testimony) => witness.see(testimony));
  for (const evidence of found) expect(checkEvidence(four.context, evidence).ok).toBe(true);
  return found.map(({ type }) => type);
}

describe("a witness", () => {
  it("K1: finds two blocks of one leader in a view", () => {
    expect(seeAll([proposed(1, 3), proposed(1, 3, other)])).toEqual(["doubleProposal"]);
    expect(seeAll([proposed(1, 3), proposed(1, 3), proposed(1, 4, other)])).toEqual([]);
  });

  it("K2: finds two votes in a slot, whatever came between", () => {
    const between = Array.from({ length: 20 }, (_, i) => voted(0, { ...vote, view: 4 + i }));
    const twice = [voted(0, vote), ...between, voted(0, { ...vote, block: other })];
    expect(seeAll(twice)).toEqual(["doubleVote"]);
    const lie = voted(0, { ...vote, parentView: 1 });
    expect(seeAll([voted(0, vote), lie])).toEqual(["doubleVote"]);
    expect(seeAll([voted(0, vote), voted(1, { ...vote, block: other })])).toEqual([]);
  });

  it("finds a timeout that denies a vote, whichever comes first and however much later", () => {
    expect(seeAll([voted(0, vote), left(0)])).toEqual(["timeoutDeniesVote"]);
    expect(seeAll([left(0), voted(0, vote)])).toEqual(["timeoutDeniesVote"]);
    expect(seeAll([voted(0, vote), left(0, high)])).toEqual([]);
    expect(seeAll([voted(0, { ...vote, view: 5 }), left(0)])).toEqual([]);
    const views = Array.from({ length: 3 }, (_, i) => certified(60 * (i + 1)));
    expect(seeAll([voted(0, vote), ...views, left(0, low, 190)])).toEqual(["timeoutDeniesVote"]);
  });

  it("finds two high views in one view", () => {
    expect(seeAll([left(1), left(1, high)])).toEqual(["doubleTimeout"]);
  });

  it("K24: finds two certificates in a slot, against who is in both", () => {
    expect(seeAll([certified(3), certified(3, other, [1, 2, 3])])).toEqual([
      "conflictingCertificates",
    ]);
    expect(seeAll([certified(3), certified(4, other)])).toEqual([]);
  });

  it("tells of each kind of offence of a key once", () => {
    const three = [block, other, stubDigest("third")].map((name) =>
      voted(0, { ...vote, block: name }),
    );
    expect(seeAll(three)).toEqual(["doubleVote"]);
  });

  it("K8, K23: keeps a bounded number of statements, which far views do not push out", () => {
    const witness = new Witness();
    witness.see(voted(0, vote));
    for (let view = 4; view < 10_000; view += 1) {
      witness.see(voted(0, { ...vote, view }));
      witness.see(left(0, high, view));
      witness.see(proposed(0, view));
    }
    expect(witness.size).toBeLessThanOrEqual(witnessStatementsMax);
    expect(witness.see(voted(0, { ...vote, block: other })).length).toBe(1);
  });

  it("follows certificates, and forgets what is far behind them", () => {
    const witness = new Witness();
    for (let view = 1; view < 1_000; view += 1) {
      witness.see(certified(view));
      witness.see(voted(0, { ...vote, view, parentView: view - 1 }));
    }
    expect(witness.size).toBeLessThanOrEqual(2 * (2 * witnessViewsMax + 1));
    const near = { ...vote, view: 999 - witnessViewsMax + 20, block: other };
    expect(witness.see(voted(0, near)).length).toBe(1);
    witness.clear();
    expect(witness.size).toBe(0);
  });
});

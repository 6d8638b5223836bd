import { describe, expect, it } from "vitest";
import { createFakeCommittee } from "../test/fakes/committee.ts";
import { stubDigest } from "../test/sim/stubs.ts";
import { checkCommitProof, commitsParent } from "./commitProof.ts";
import { soundRules } from "./rules.ts";
import type { HeaderLink } from "./types.ts";

const four = createFakeCommittee([1n, 1n, 1n, 1n]);
const signers = [0, 1, 2];

/** A chain of blocks in these views, from height 1, each holding its parent's certificate. */
function chainOf(views: readonly number[]): readonly HeaderLink[] {
  let parent = { hash: four.root, view: 0, parentView: 0 };
  return views.map((view, index) => {
    const hash = stubDigest(`${index}/${view}`);
    const { view: parentView } = parent;
    const certified = {
      epoch: 0,
      view: parentView,
      block: parent.hash,
      parentView: parent.parentView,
    };
    const parentCertificate = four.certificate(certified, signers);
    const link = {
      epoch: 0,
      view,
      hash,
      parent: parent.hash,
      height: index + 1,
      parentCertificate,
    };
    parent = { hash, view, parentView };
    return link;
  });
}

function proofOf(views: readonly number[]) {
  const links = chainOf(views);
  const last = links.at(-1);
  const view = last?.view ?? 0;
  const parentView = last?.parentCertificate.view ?? 0;
  const vote = { epoch: 0, view, block: last?.hash ?? four.root, parentView };
  return { links, certificate: four.certificate(vote, signers) };
}

function codeOf(proof: ReturnType<typeof proofOf>, lastHeight = 100): string {
  const verdict = checkCommitProof({ epoch: 0, lastHeight }, proof);
  return verdict.ok ? "ok" : verdict.refusal.code;
}

describe("commit proof", () => {
  it("is two blocks certified in consecutive views, or a chain that ends so", () => {
    expect(codeOf(proofOf([1, 2]))).toBe("ok");
    expect(codeOf(proofOf([1, 4, 9, 10]))).toBe("ok");
  });

  it("K5: a gap between the last two views commits nothing", () => {
    expect(codeOf(proofOf([1, 3]))).toBe("viewsNotConsecutive");
    expect(codeOf(proofOf([1, 2, 4]))).toBe("viewsNotConsecutive");
    const { certificate } = proofOf([1, 3]);
    expect(commitsParent(certificate)).toBe(false);
    expect(soundRules.commitTarget(certificate, { endsEpoch: true })).toBe("none");
  });

  it("K5: is no bare certificate", () => {
    expect(codeOf(proofOf([1]))).toBe("tooShort");
    const { certificate } = proofOf([1, 2]);
    expect(codeOf({ links: [], certificate })).toBe("tooShort");
  });

  it("does not reach across epochs, gaps or other certificates", () => {
    const proof = proofOf([1, 2, 3]);
    const [first, second, third] = proof.links;
    if (first === undefined || second === undefined || third === undefined) return;
    expect(codeOf({ ...proof, links: [first, third] })).toBe("chainBroken");
    const moved = { ...third, epoch: 1 };
    expect(codeOf({ ...proof, links: [first, second, moved] })).toBe("epochWrong");
    expect(codeOf({ ...proof, certificate: proofOf([1, 2]).certificate })).toBe("certificateWrong");
    const lied = { ...proof.certificate, parentView: 1 };
    expect(codeOf({ ...proof, certificate: lied })).toBe("certificateWrong");
  });

  it("cannot be made for what an epoch's end has orphaned", () => {
    const { links, certificate } = proofOf([1, 2, 3, 4]);
    expect(codeOf({ links: links.slice(2), certificate }, 2)).toBe("heightWrong");
    expect(codeOf({ links: links.slice(1), certificate }, 2)).toBe("ok");
  });
});

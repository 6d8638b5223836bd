import { accept, refuse, type Outcome } from "../base/outcome.ts";
import type { Certificate, CommitProofSummary, EpochInfo, HeaderLink } from "./types.ts";

/** Why a chain of headers does not prove its first block committed. */
export type CommitProofRefusal =
  | { readonly code: "tooShort"; readonly got: number }
  | { readonly code: "tooLong"; readonly got: number; readonly max: number }
  | { readonly code: "epochWrong"; readonly got: number; readonly expected: number }
  | { readonly code: "heightWrong"; readonly got: number; readonly last: number }
  | { readonly code: "chainBroken"; readonly at: number }
  | { readonly code: "certificateWrong"; readonly got: string; readonly expected: string }
  | { readonly code: "viewsNotConsecutive"; readonly parentView: number; readonly view: number };

/**
 * Most headers in a proof: certified blocks without a commit in between. Longer runs are followed
 * block by block.
 */
export const commitProofLinksMax = 1_024;

/** The two-chain rule: a certificate of consecutive views commits the parent of its block. */
export function commitsParent(certificate: Certificate): boolean {
  return certificate.view > 1 && certificate.parentView + 1 === certificate.view;
}

/**
 * Whether the structure proves that the first link is committed: a chain B … X, Y within one epoch
 * where Y holds X's certificate, Y.view = X.view + 1, and the proof's certificate is Y's (DESIGN
 * 5). The caller has checked that certificate's signatures; the ones inside follow, since voters
 * check them. A block above the epoch's last height is orphaned by the epoch's end and can never be
 * proved.
 */
export function checkCommitProof(
  epoch: Pick<EpochInfo, "epoch" | "lastHeight">,
  proof: CommitProofSummary,
): Outcome<HeaderLink, CommitProofRefusal> {
  const { links, certificate } = proof;
  const [first] = links;
  const last = links.at(-1);
  if (first === undefined || last === undefined || links.length < 2) {
    return refuse({ code: "tooShort", got: links.length });
  }
  if (links.length > commitProofLinksMax) {
    return refuse({ code: "tooLong", got: links.length, max: commitProofLinksMax });
  }
  if (first.height > epoch.lastHeight) {
    return refuse({ code: "heightWrong", got: first.height, last: epoch.lastHeight });
  }
  for (const [at, link] of links.entries()) {
    if (link.epoch !== epoch.epoch) {
      return refuse({ code: "epochWrong", got: link.epoch, expected: epoch.epoch });
    }
    const parent = links[at - 1];
    if (parent !== undefined && !isChild(link, parent)) return refuse({ code: "chainBroken", at });
  }
  if (
    certificate.epoch !== epoch.epoch ||
    certificate.block !== last.hash ||
    certificate.view !== last.view ||
    certificate.parentView !== last.parentCertificate.view
  ) {
    return refuse({ code: "certificateWrong", got: certificate.block, expected: last.hash });
  }
  if (!commitsParent(certificate)) {
    const { view, parentView } = certificate;
    return refuse({ code: "viewsNotConsecutive", parentView, view });
  }
  return accept(first);
}

function isChild(link: HeaderLink, parent: HeaderLink): boolean {
  const held = link.parentCertificate;
  return (
    link.parent === parent.hash &&
    link.height === parent.height + 1 &&
    link.view > parent.view &&
    held.block === parent.hash &&
    held.epoch === parent.epoch &&
    held.view === parent.view
  );
}

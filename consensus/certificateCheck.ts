import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { encodeStatement } from "../base/statement.ts";
import { isQuorum, stakeOf, stakeTotal, validatorAt } from "./committee.ts";
import { isCanonicalBitmap, signersOf } from "./signers.ts";
import { timeoutStatement, voteStatement, type SigningScope } from "./statements.ts";
import type { Certificate, Committee, EpochInfo, TimeoutCertificate } from "./types.ts";

/** Some keys and the one message that all of them signed. */
export type SignedGroup = {
  readonly keys: readonly Uint8Array[];
  readonly message: Uint8Array;
};

/** Whether a signature is the aggregate of every key's signature over its group's message. */
export type AggregateVerifier = (groups: readonly SignedGroup[], signature: Uint8Array) => boolean;

/** Why a certificate was refused; both values that disagreed, where there are two. */
export type CertificateRefusal =
  | { readonly code: "epochWrong"; readonly got: number; readonly expected: number }
  | { readonly code: "rootWrong"; readonly got: string; readonly expected: string }
  | { readonly code: "viewsWrong"; readonly detail: string }
  | { readonly code: "bitmapWrong"; readonly size: number; readonly committeeSize: number }
  | { readonly code: "stakeTooLow"; readonly got: bigint; readonly total: bigint }
  | { readonly code: "signatureInvalid" };

/** What certificates are checked against: the epoch they must name, its committee and root. */
export type CertificateContext = {
  readonly scope: SigningScope;
  readonly epoch: Pick<EpochInfo, "epoch" | "committee" | "root">;
  readonly verify: AggregateVerifier;
};

type Checked = Outcome<null, CertificateRefusal>;

function checkSigners(committee: Committee, signers: Uint8Array): Checked {
  const committeeSize = committee.validators.length;
  if (!isCanonicalBitmap(signers, committeeSize)) {
    return refuse({ code: "bitmapWrong", size: signers.length, committeeSize });
  }
  const got = stakeOf(committee, signersOf(signers));
  const total = stakeTotal(committee);
  return isQuorum(got, total) ? accept(null) : refuse({ code: "stakeTooLow", got, total });
}

/**
 * Whether more than two thirds of the epoch's stake voted so; at view 0, whether it names the root.
 */
export function checkCertificate(context: CertificateContext, certificate: Certificate): Checked {
  const { epoch, committee, root } = context.epoch;
  if (certificate.epoch !== epoch) {
    return refuse({ code: "epochWrong", got: certificate.epoch, expected: epoch });
  }
  if (certificate.view === 0) return checkRootCertificate(certificate, root);
  if (certificate.parentView >= certificate.view) {
    const detail = `parent view ${certificate.parentView} at view ${certificate.view}`;
    return refuse({ code: "viewsWrong", detail });
  }
  const signers = checkSigners(committee, certificate.signers);
  if (!signers.ok) return signers;
  const keys = signersOf(certificate.signers).map((index) => validatorAt(committee, index).blsKey);
  const message = encodeStatement(voteStatement(context.scope, certificate));
  const isSigned = context.verify([{ keys, message }], certificate.signature);
  return isSigned ? accept(null) : refuse({ code: "signatureInvalid" });
}

function checkRootCertificate(certificate: Certificate, root: string): Checked {
  const { block, parentView, signers, signature } = certificate;
  if (block !== root) return refuse({ code: "rootWrong", got: block, expected: root });
  if (parentView !== 0 || signers.length > 0 || signature.length > 0) {
    return refuse({ code: "viewsWrong", detail: "a certificate of view 0 carries something" });
  }
  return accept(null);
}

/**
 * Whether more than two thirds of the epoch's stake left the view, and its high certificate is
 * valid.
 */
export function checkTimeoutCertificate(
  context: CertificateContext,
  certificate: TimeoutCertificate,
): Checked {
  const { epoch, committee } = context.epoch;
  if (certificate.epoch !== epoch) {
    return refuse({ code: "epochWrong", got: certificate.epoch, expected: epoch });
  }
  const signers = checkSigners(committee, certificate.signers);
  if (!signers.ok) return signers;
  const indices = signersOf(certificate.signers);
  const { highViews, highCertificate, view } = certificate;
  const highest = highViews.reduce((a, b) => Math.max(a, b), 0);
  if (highViews.length !== indices.length || highCertificate.view !== highest || highest >= view) {
    const held = highCertificate.view;
    const detail = `${highViews.length} high views up to ${highest}, certificate of view ${held}`;
    return refuse({ code: "viewsWrong", detail });
  }
  const keysOfView = new Map<number, Uint8Array[]>();
  indices.forEach((index, position) => {
    const highView = highViews[position] ?? 0;
    const keys = keysOfView.get(highView) ?? [];
    keys.push(validatorAt(committee, index).blsKey);
    keysOfView.set(highView, keys);
  });
  const groups = [...keysOfView].map(([highView, keys]) => ({
    keys,
    message: encodeStatement(timeoutStatement(context.scope, { epoch, view, highView })),
  }));
  if (!context.verify(groups, certificate.signature)) return refuse({ code: "signatureInvalid" });
  return checkCertificate(context, highCertificate);
}

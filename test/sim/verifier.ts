import type { Verified } from "../../base/brand.ts";
import { equalBytes } from "../../base/bytes.ts";
import {
  checkCertificate,
  checkTimeoutCertificate,
  type CertificateContext,
} from "../../consensus/certificateCheck.ts";
import { signableBytes, type SigningScope } from "../../consensus/statements.ts";
import type {
  BlockSummary,
  Certificate,
  EpochInfo,
  Signable,
  TimeoutCertificate,
} from "../../consensus/types.ts";
import { hashOf, type SimBlock } from "./fakeLedger.ts";
import { stubSign, stubVerify } from "./stubs.ts";

/**
 * What every host does with bytes from outside before the replica sees them, with stub signatures.
 */
export class Verifier {
  readonly #scope: SigningScope;
  readonly #certificates = new WeakMap<object, Map<EpochInfo, boolean>>();
  readonly #signatures = new WeakMap<object, boolean>();

  constructor(scope: SigningScope) {
    this.#scope = scope;
  }

  /** Whether the signature is that of a committee member; remembered by `owner`, which holds it. */
  isSigned(
    owner: object,
    signed: {
      readonly signable: Signable;
      readonly signer: number;
      readonly signature: Uint8Array;
    },
    epoch: EpochInfo,
  ): boolean {
    const key = epoch.committee.validators[signed.signer]?.blsKey;
    if (key === undefined) return false;
    const known = this.#signatures.get(owner);
    if (known !== undefined) return known;
    const identity = new DataView(key.buffer, key.byteOffset).getUint32(0) - 1;
    const expected = stubSign(identity, signableBytes(this.#scope, signed.signable));
    const isRight = equalBytes(expected, signed.signature);
    this.#signatures.set(owner, isRight);
    return isRight;
  }

  /** The signature of an identity. */
  sign(identity: number, signable: Signable): Uint8Array {
    return stubSign(identity, signableBytes(this.#scope, signable));
  }

  isCertificate(certificate: Certificate, epoch: EpochInfo): boolean {
    return this.#remember(
      certificate,
      epoch,
      (context) => checkCertificate(context, certificate).ok,
    );
  }

  isTimeoutCertificate(certificate: TimeoutCertificate, epoch: EpochInfo): boolean {
    return this.#remember(
      certificate,
      epoch,
      (context) => checkTimeoutCertificate(context, certificate).ok,
    );
  }

  /** Whether the hash is right and the certificates inside are valid in their epochs. */
  isBlock(
    block: SimBlock,
    epoch: EpochInfo,
    previous: EpochInfo | null,
  ): block is SimBlock & { readonly summary: Verified<BlockSummary> } {
    const { summary } = block;
    const { parentCertificate, timeoutCertificate, epochProof } = summary;
    return (
      summary.epoch === epoch.epoch &&
      hashOf(block) === summary.hash &&
      this.isCertificate(parentCertificate, epoch) &&
      (timeoutCertificate === null || this.isTimeoutCertificate(timeoutCertificate, epoch)) &&
      (epochProof === null ||
        (previous !== null && this.isCertificate(epochProof.certificate, previous)))
    );
  }

  #remember(
    owner: object,
    epoch: EpochInfo,
    check: (context: CertificateContext) => boolean,
  ): boolean {
    const verdicts = this.#certificates.get(owner) ?? new Map<EpochInfo, boolean>();
    this.#certificates.set(owner, verdicts);
    const known = verdicts.get(epoch);
    if (known !== undefined) return known;
    const verdict = check({ scope: this.#scope, epoch, verify: stubVerify });
    verdicts.set(epoch, verdict);
    return verdict;
  }
}

import { equalBytes } from "../../base/bytes.ts";
import {
  checkCertificate,
  checkTimeoutCertificate,
  type CertificateContext,
  type CertificateRefusal,
} from "../../consensus/certificateCheck.ts";
import type { Outcome } from "../../base/outcome.ts";
import type { Rules } from "../../consensus/rules.ts";
import { hasSigner, signersOf } from "../../consensus/signers.ts";
import { signableBytes, type SigningScope } from "../../consensus/statements.ts";
import type {
  Certificate,
  EpochInfo,
  Signable,
  TimeoutCertificate,
} from "../../consensus/types.ts";
import { hashOf, type SimBlock } from "./fakeLedger.ts";
import { stubSign, stubVerify } from "./stubs.ts";

/** The epoch with all stake in the hands of these signers: then only their signatures matter. */
function onlySigners(signers: Uint8Array, epoch: EpochInfo): EpochInfo {
  const validators = epoch.committee.validators.map((validator, index) => ({
    ...validator,
    stake: hasSigner(signers, index) ? 1n : 0n,
  }));
  return { ...epoch, committee: { ...epoch.committee, validators } };
}

/**
 * What every host does with bytes from outside before the replica sees them, with stub signatures.
 */
export class Verifier {
  readonly #scope: SigningScope;
  readonly #rules: Rules;
  readonly #certificates = new WeakMap<object, Map<EpochInfo, boolean>>();
  readonly #signatures = new WeakMap<object, boolean>();
  readonly #hashes = new WeakMap<SimBlock, boolean>();

  /**
   * `rules` decide what a quorum is, so that a planted bug is in all of a node and not in one part.
   */
  constructor(scope: SigningScope, rules: Rules) {
    this.#scope = scope;
    this.#rules = rules;
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
    return this.#remember(certificate, epoch, (context) => checkCertificate(context, certificate));
  }

  isTimeoutCertificate(certificate: TimeoutCertificate, epoch: EpochInfo): boolean {
    return this.#remember(
      certificate,
      epoch,
      (context) => checkTimeoutCertificate(context, certificate),
      certificate.highCertificate,
    );
  }

  /** Whether the hash is right and the certificates inside are valid in their epochs. */
  isBlock(block: SimBlock, epoch: EpochInfo, previous: EpochInfo | null): boolean {
    const { summary } = block;
    const { parentCertificate, timeoutCertificate, epochProof } = summary;
    return (
      summary.epoch === epoch.epoch &&
      this.#isHashRight(block) &&
      this.isCertificate(parentCertificate, epoch) &&
      (timeoutCertificate === null || this.isTimeoutCertificate(timeoutCertificate, epoch)) &&
      (epochProof === null ||
        (previous !== null && this.isCertificate(epochProof.certificate, previous)))
    );
  }

  #remember(
    owner: { readonly signers: Uint8Array },
    epoch: EpochInfo,
    check: (context: CertificateContext) => Outcome<null, CertificateRefusal>,
    inner: Certificate | null = null,
  ): boolean {
    const verdicts = this.#certificates.get(owner) ?? new Map<EpochInfo, boolean>();
    this.#certificates.set(owner, verdicts);
    const known = verdicts.get(epoch);
    if (known !== undefined) return known;
    const context = { scope: this.#scope, epoch, verify: stubVerify };
    const sound = check(context);
    let verdict = sound.ok;
    if (!sound.ok && sound.refusal.code === "stakeTooLow") {
      const alone = check({ ...context, epoch: onlySigners(owner.signers, epoch) });
      // Here only the certificate inside can lack stake, and it is looked at by itself.
      const isSigned = alone.ok || alone.refusal.code === "stakeTooLow";
      const isInnerRight = inner === null ? alone.ok : this.isCertificate(inner, epoch);
      verdict = this.#isQuorum(owner.signers, epoch) && isSigned && isInnerRight;
    }
    verdicts.set(epoch, verdict);
    return verdict;
  }

  #isHashRight(block: SimBlock): boolean {
    const known = this.#hashes.get(block);
    if (known !== undefined) return known;
    const isRight = hashOf(block) === block.summary.hash;
    this.#hashes.set(block, isRight);
    return isRight;
  }

  #isQuorum(signers: Uint8Array, { committee }: EpochInfo): boolean {
    const { weightOf, isQuorum } = this.#rules;
    const weights = committee.validators.map(weightOf);
    const power = signersOf(signers).reduce((sum, index) => sum + (weights[index] ?? 0n), 0n);
    return isQuorum(
      power,
      weights.reduce((sum, weight) => sum + weight, 0n),
    );
  }
}

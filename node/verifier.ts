import type { Digest, Verified } from "../base/brand.ts";
import {
  checkCertificate,
  checkTimeoutCertificate,
  type AggregateVerifier,
  type CertificateContext,
} from "../consensus/certificateCheck.ts";
import { encodeCertificate, encodeTimeoutCertificate } from "../consensus/codec.ts";
import { signableBytes, type SigningScope } from "../consensus/statements.ts";
import type {
  BlockSummary,
  Certificate,
  CommitProofSummary,
  EpochInfo,
  Proposal,
  Signable,
  SignedTimeout,
  SignedVote,
  TimeoutCertificate,
} from "../consensus/types.ts";
import {
  aggregatePublicKeys,
  blsVerify,
  blsVerifyBatch,
  parseBlsPublicKey,
  verifyAggregateDiffering,
} from "../crypto/bls.ts";
import type { BlsClaim, BlsPublicKey } from "../crypto/blsBackend.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import { verifiedWhen } from "../crypto/verify.ts";

/** Certificates remembered as verified: the same one comes in blocks, timeouts and proofs. */
export const certificatesKeptMax = 1_024;

/** Signatures of one message, verified together at its end: one pairing less for each. */
class Claims {
  readonly #claims: BlsClaim[] = [];
  /** Certificates that are good if all claims hold. */
  readonly certificates: Digest[] = [];

  /** Takes a claim of one message for later; differing messages cannot wait. */
  readonly collect: AggregateVerifier = (groups, signature) => {
    const keys: BlsPublicKey[] = [];
    for (const { keys: encoded } of groups) {
      const sum = sumOfKeys(encoded);
      if (sum === null) return false;
      keys.push(sum);
    }
    const [group] = groups;
    const [key] = keys;
    if (group === undefined || key === undefined) return false;
    if (groups.length === 1) {
      this.#claims.push({ key, message: group.message, signature });
      return true;
    }
    const messages = groups.map(({ message }) => message);
    return verifyAggregateDiffering(keys, messages, signature);
  };

  add(key: BlsPublicKey, message: Uint8Array, signature: Uint8Array): void {
    this.#claims.push({ key, message, signature });
  }

  /** How many wait to be verified. */
  get size(): number {
    return this.#claims.length;
  }

  hold(): boolean {
    const [only] = this.#claims;
    if (only === undefined) return true;
    if (this.#claims.length > 1) return blsVerifyBatch(this.#claims);
    return blsVerify(only.key, only.message, only.signature);
  }
}

function sumOfKeys(encoded: readonly Uint8Array[]): BlsPublicKey | null {
  const keys: BlsPublicKey[] = [];
  for (const bytes of encoded) {
    const key = parseBlsPublicKey(bytes);
    if (key === null) return null;
    keys.push(key);
  }
  return keys.length === 1 ? (keys[0] ?? null) : aggregatePublicKeys(keys);
}

/**
 * The border: whatever comes from other nodes is checked here against the committee of its epoch,
 * and past it the type says so. Structure that needs the chain is the replica's affair.
 */
export class Verifier {
  readonly #scope: SigningScope;
  readonly #onChecked: (claims: number, elapsedMs: number) => void;
  /** Oldest first. */
  readonly #certificates = new Set<Digest>();

  /** `onChecked` is told how many signatures were verified, and the milliseconds that it took. */
  constructor(genesis: Digest, onChecked: (claims: number, elapsedMs: number) => void) {
    this.#scope = { genesis, scope: "" };
    this.#onChecked = onChecked;
  }

  /** A vote of a member of this epoch's committee. */
  vote(signed: SignedVote, epoch: EpochInfo): Verified<SignedVote> | null {
    const { vote, signer, signature } = signed;
    const claims = new Claims();
    const isRight =
      vote.epoch === epoch.epoch &&
      this.#addSigned(claims, epoch, { signable: { type: "vote", vote }, signer, signature });
    return verifiedWhen(isRight && this.#settle(claims), signed);
  }

  /** A timeout with both certificates that travel beside it. */
  timeout(signed: SignedTimeout, epoch: EpochInfo): Verified<SignedTimeout> | null {
    const { timeout, signer, signature } = signed;
    const { highCertificate, entryCertificate } = timeout;
    const claims = new Claims();
    const isRight =
      timeout.epoch === epoch.epoch &&
      this.#addSigned(claims, epoch, {
        signable: { type: "timeout", timeout },
        signer,
        signature,
      }) &&
      this.#addCertificate(claims, epoch, highCertificate) &&
      this.#addTimeoutCertificate(claims, epoch, entryCertificate);
    return verifiedWhen(isRight && this.#settle(claims), signed);
  }

  /** A certificate of this epoch. */
  certificate(certificate: Certificate, epoch: EpochInfo): Verified<Certificate> | null {
    const claims = new Claims();
    const isRight = this.#addCertificate(claims, epoch, certificate);
    return verifiedWhen(isRight && this.#settle(claims), certificate);
  }

  /** The last certificate of a commit proof; its structure is judged by whoever takes it. */
  proof(proof: CommitProofSummary, epoch: EpochInfo): Verified<CommitProofSummary> | null {
    return verifiedWhen(this.certificate(proof.certificate, epoch) !== null, proof);
  }

  /** A block with the certificates in it; `previous` is the epoch that its epoch proof is of. */
  block(
    block: BlockSummary,
    epoch: EpochInfo,
    previous: EpochInfo | null,
  ): Verified<BlockSummary> | null {
    const claims = new Claims();
    const isRight = this.#addBlock(claims, block, { epoch, previous });
    return verifiedWhen(isRight && this.#settle(claims), block);
  }

  /** A block signed by the proposer it names, and claims that must hold with it. */
  proposal(
    proposal: Proposal,
    {
      epoch,
      previous,
      claimed = [],
    }: {
      readonly epoch: EpochInfo;
      readonly previous: EpochInfo | null;
      readonly claimed?: readonly BlsClaim[];
    },
  ): Verified<Proposal> | null {
    const { block, signer, signature } = proposal;
    const claims = new Claims();
    for (const { key, message, signature: own } of claimed) claims.add(key, message, own);
    const statement = { epoch: block.epoch, view: block.view, block: block.hash };
    const isRight =
      epoch.committee.validators[signer]?.address === block.proposer &&
      this.#addSigned(claims, epoch, {
        signable: { type: "proposal", statement },
        signer,
        signature,
      }) &&
      this.#addBlock(claims, block, { epoch, previous });
    return verifiedWhen(isRight && this.#settle(claims), proposal);
  }

  #addBlock(
    claims: Claims,
    block: BlockSummary,
    { epoch, previous }: { readonly epoch: EpochInfo; readonly previous: EpochInfo | null },
  ): boolean {
    const { parentCertificate, timeoutCertificate, epochProof } = block;
    return (
      block.epoch === epoch.epoch &&
      this.#addCertificate(claims, epoch, parentCertificate) &&
      this.#addTimeoutCertificate(claims, epoch, timeoutCertificate) &&
      (epochProof === null ||
        (previous !== null && this.#addCertificate(claims, previous, epochProof.certificate)))
    );
  }

  #addSigned(
    claims: Claims,
    epoch: EpochInfo,
    signed: {
      readonly signable: Signable;
      readonly signer: number;
      readonly signature: Uint8Array;
    },
  ): boolean {
    const validator = epoch.committee.validators[signed.signer];
    const key = validator === undefined ? null : parseBlsPublicKey(validator.blsKey);
    if (key === null) return false;
    claims.add(key, signableBytes(this.#scope, signed.signable), signed.signature);
    return true;
  }

  #addCertificate(claims: Claims, epoch: EpochInfo, certificate: Certificate): boolean {
    const name = keccakDigest(encodeCertificate(certificate));
    if (this.#certificates.has(name)) return certificate.epoch === epoch.epoch;
    claims.certificates.push(name);
    return checkCertificate(this.#context(claims, epoch), certificate).ok;
  }

  #addTimeoutCertificate(
    claims: Claims,
    epoch: EpochInfo,
    certificate: TimeoutCertificate | null,
  ): boolean {
    if (certificate === null) return true;
    const name = keccakDigest(encodeTimeoutCertificate(certificate));
    if (this.#certificates.has(name)) return certificate.epoch === epoch.epoch;
    claims.certificates.push(name);
    return checkTimeoutCertificate(this.#context(claims, epoch), certificate).ok;
  }

  #context(claims: Claims, epoch: EpochInfo): CertificateContext {
    return { scope: this.#scope, epoch, verify: claims.collect };
  }

  #settle(claims: Claims): boolean {
    const startMs = performance.now();
    const isRight = claims.hold();
    this.#onChecked(claims.size, performance.now() - startMs);
    if (!isRight) return false;
    for (const name of claims.certificates) this.#certificates.add(name);
    for (const oldest of this.#certificates) {
      if (this.#certificates.size <= certificatesKeptMax) break;
      this.#certificates.delete(oldest);
    }
    return true;
  }
}

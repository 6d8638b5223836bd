import type { Digest } from "../../base/brand.ts";
import type { CertificateContext } from "../../consensus/certificateCheck.ts";
import { signersToBitmap } from "../../consensus/signers.ts";
import { signableBytes } from "../../consensus/statements.ts";
import type {
  Certificate,
  EpochInfo,
  SignedTimeout,
  SignedVote,
  Timeout,
  TimeoutCertificate,
  Vote,
} from "../../consensus/types.ts";
import {
  stubAddress,
  stubAggregate,
  stubDigest,
  stubKey,
  stubSign,
  stubVerify,
} from "../sim/stubs.ts";

/** A committee with known keys: identity = index. Signatures are the simulator's stubs. */
export type FakeCommittee = {
  readonly epoch: EpochInfo;
  readonly context: CertificateContext;
  readonly root: Digest;
  vote(signer: number, vote: Vote): SignedVote;
  timeout(signer: number, timeout: Timeout): SignedTimeout;
  certificate(vote: Vote, signers: readonly number[]): Certificate;
  timeoutCertificate(timeouts: readonly SignedTimeout[]): TimeoutCertificate;
};

/** A committee of epoch 0 with these stakes. */
export function createFakeCommittee(stakes: readonly bigint[]): FakeCommittee {
  const root = stubDigest("root");
  const validators = stakes.map((stake, index) => ({
    address: stubAddress(index),
    blsKey: stubKey(index),
    stake,
  }));
  const epoch: EpochInfo = {
    epoch: 0,
    committee: { epoch: 0, validators },
    root,
    rootHeight: 0,
    lastHeight: 100,
    seed: stubDigest("seed"),
    absent: [],
  };
  const scope = { genesis: root, scope: "" };
  const vote = (signer: number, signed: Vote): SignedVote => ({
    vote: signed,
    signer,
    signature: stubSign(signer, signableBytes(scope, { type: "vote", vote: signed })),
  });
  return {
    epoch,
    context: { scope, epoch, verify: stubVerify },
    root,
    vote,
    timeout: (signer, timeout) => ({
      timeout,
      signer,
      signature: stubSign(signer, signableBytes(scope, { type: "timeout", timeout })),
    }),
    certificate: (voted, signers) => ({
      ...voted,
      signers: signersToBitmap(signers, stakes.length),
      signature: stubAggregate(signers.map((signer) => vote(signer, voted).signature)),
    }),
    timeoutCertificate: (timeouts) => {
      const high = timeouts.map(({ timeout }) => timeout.highCertificate);
      const highCertificate = high.reduce((a, b) => (b.view > a.view ? b : a));
      return {
        epoch: 0,
        view: timeouts[0]?.timeout.view ?? 0,
        highViews: high.map(({ view }) => view),
        highCertificate,
        signers: signersToBitmap(
          timeouts.map(({ signer }) => signer),
          stakes.length,
        ),
        signature: stubAggregate(timeouts.map(({ signature }) => signature)),
      };
    },
  };
}

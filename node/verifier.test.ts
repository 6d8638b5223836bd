import { describe, expect, it } from "vitest";
import { bytesToDigest } from "../base/bytes.ts";
import { encodeStatement } from "../base/statement.ts";
import { rootCertificate } from "../consensus/rules.ts";
import { signersToBitmap } from "../consensus/signers.ts";
import { proposalStatement, timeoutStatement, voteStatement } from "../consensus/statements.ts";
import type {
  BlockSummary,
  Certificate,
  EpochInfo,
  SignedTimeout,
  SignedVote,
  TimeoutCertificate,
} from "../consensus/types.ts";
import { aggregate, blsPublicKeyOf, blsSign, parseBlsPublicKey } from "../crypto/bls.ts";
import { textToPeerId } from "../p2p/peerId.ts";
import { addressOf, blsSecretOf } from "../test/fakes/ledgerNetwork.ts";
import { decodeIdentity, encodeIdentity, ValidatorPeers } from "./validatorPeers.ts";
import { Verifier } from "./verifier.ts";

/*
 * Goal: nothing that is not signed by the committee of its epoch gets past the border, whatever was
 * seen before; and a certificate is verified once.
 */

const names = ["a", "b", "c", "d"];
const digest = (fill: number) => bytesToDigest(new Uint8Array(32).fill(fill));
const genesis = digest(1);
const root = digest(2);
const block = digest(3);
const scope = { genesis, scope: "" };
const epoch: EpochInfo = {
  epoch: 0,
  committee: {
    epoch: 0,
    validators: names.map((name) => ({
      address: addressOf(name),
      blsKey: blsPublicKeyOf(blsSecretOf(name)),
      stake: 1n,
    })),
  },
  root,
  rootHeight: 0,
  lastHeight: 100,
  absent: [],
  seed: digest(4),
};

function sign(signer: number, message: Uint8Array): Uint8Array {
  return blsSign(message, blsSecretOf(names[signer] ?? ""));
}

function vote(signer: number, view = 1, parentView = 0): SignedVote {
  const voted = { epoch: 0, view, block, parentView };
  const message = encodeStatement(voteStatement(scope, voted));
  return { vote: voted, signer, signature: sign(signer, message) };
}

function certificate(signers: readonly number[], view = 1): Certificate {
  return {
    epoch: 0,
    view,
    block,
    parentView: 0,
    signers: signersToBitmap(signers, names.length),
    signature: aggregate(signers.map((signer) => vote(signer, view).signature)),
  };
}

function timeoutCertificate(signers: readonly number[]): TimeoutCertificate {
  const highViews = signers.map((signer) => (signer === 0 ? 1 : 0));
  const signatures = signers.map((signer, i) => {
    const statement = { epoch: 0, view: 3, highView: highViews[i] ?? 0 };
    return sign(signer, encodeStatement(timeoutStatement(scope, statement)));
  });
  return {
    epoch: 0,
    view: 3,
    highViews,
    highCertificate: certificate([0, 1, 2]),
    signers: signersToBitmap(signers, names.length),
    signature: aggregate(signatures),
  };
}

function timeout(signer: number, entry: TimeoutCertificate | null): SignedTimeout {
  const highCertificate = certificate([0, 1, 2]);
  const view = entry === null ? 2 : 4;
  const message = encodeStatement(timeoutStatement(scope, { epoch: 0, view, highView: 1 }));
  const stated = { epoch: 0, view, highCertificate, entryCertificate: entry };
  return { timeout: stated, signer, signature: sign(signer, message) };
}

function summary(parentCertificate: Certificate): BlockSummary {
  return {
    epoch: 0,
    view: parentCertificate.view + 1,
    hash: digest(9),
    parent: parentCertificate.block,
    height: 2,
    proposer: addressOf("b"),
    timestampMs: 5,
    parentCertificate,
    timeoutCertificate: null,
    epochProof: null,
    isEmpty: true,
    nextCommitteeHash: null,
  };
}

function proposal(signer: number, held: Certificate) {
  const described = summary(held);
  const statement = { epoch: 0, view: described.view, block: described.hash };
  const signature = sign(signer, encodeStatement(proposalStatement(scope, statement)));
  return { block: described, signer, signature };
}

const quiet = (): Verifier => new Verifier(genesis, () => {});

describe("votes at the border", () => {
  it("K8: pass if a member signed them, for this epoch and chain", () => {
    const verifier = quiet();
    expect(verifier.vote(vote(0), epoch)).toEqual(vote(0));
    expect(verifier.vote({ ...vote(0), signer: 1 }, epoch)).toBeNull();
    expect(verifier.vote({ ...vote(0), signer: 9 }, epoch)).toBeNull();
    expect(verifier.vote(vote(0), { ...epoch, epoch: 1 })).toBeNull();
    expect(new Verifier(digest(7), () => {}).vote(vote(0), epoch)).toBeNull();
  });

  it("K7: fail with any other field than the signed one", () => {
    const { vote: voted, ...rest } = vote(0, 2, 1);
    const changes = [{ view: 3 }, { parentView: 0 }, { block: root }];
    for (const change of changes) {
      expect(quiet().vote({ ...rest, vote: { ...voted, ...change } }, epoch)).toBeNull();
    }
  });
});

describe("certificates at the border", () => {
  it("K10: need more than two thirds of stake and every signature", () => {
    const verifier = quiet();
    expect(verifier.certificate(certificate([0, 1, 2]), epoch)).not.toBeNull();
    expect(verifier.certificate(certificate([0, 1]), epoch)).toBeNull();
    const padded = { ...certificate([0, 1]), signers: signersToBitmap([0, 1, 2], 4) };
    expect(verifier.certificate(padded, epoch)).toBeNull();
  });

  it("are verified once, and what differs in one bit is verified again", () => {
    let checked = 0;
    const verifier = new Verifier(genesis, (claims) => (checked += claims));
    const good = certificate([0, 1, 2]);
    verifier.certificate(good, epoch);
    verifier.certificate(good, epoch);
    expect(checked).toBe(1);
    const other = { ...good, signature: certificate([1, 2, 3]).signature };
    expect(verifier.certificate(other, epoch)).toBeNull();
    expect(verifier.certificate({ ...good, view: 2 }, epoch)).toBeNull();
    expect(checked).toBe(3);
  });

  it("of view 0 name the root and nothing else", () => {
    const verifier = quiet();
    expect(verifier.certificate(rootCertificate(epoch), epoch)).not.toBeNull();
    expect(verifier.certificate({ ...rootCertificate(epoch), block }, epoch)).toBeNull();
  });
});

describe("proposals and timeouts at the border", () => {
  it("a proposal is signed by the proposer it names and holds a good certificate", () => {
    const good = certificate([0, 1, 2]);
    const verifier = quiet();
    expect(verifier.proposal(proposal(1, good), { epoch, previous: null })).not.toBeNull();
    expect(verifier.proposal(proposal(0, good), { epoch, previous: null })).toBeNull();
    const forged = { ...good, signers: signersToBitmap([1, 2, 3], 4) };
    expect(quiet().proposal(proposal(1, forged), { epoch, previous: null })).toBeNull();
  });

  it("a proposal passes with what is claimed beside it only if that holds too", () => {
    const key = parseBlsPublicKey(blsPublicKeyOf(blsSecretOf("b")));
    if (key === null) throw new Error("a test key is a point");
    const message = Uint8Array.of(1, 2, 3);
    const claim = { key, message, signature: sign(1, message) };
    const given = proposal(1, certificate([0, 1, 2]));
    const passes = (claimed: readonly (typeof claim)[]): boolean =>
      quiet().proposal(given, { epoch, previous: null, claimed }) !== null;
    expect(passes([claim])).toBe(true);
    expect(passes([{ ...claim, message: Uint8Array.of(1, 2, 4) }])).toBe(false);
  });

  it("a failed message teaches the border nothing", () => {
    const verifier = quiet();
    const forged = { ...certificate([0, 1, 2]), signers: signersToBitmap([1, 2, 3], 4) };
    expect(verifier.proposal(proposal(1, forged), { epoch, previous: null })).toBeNull();
    expect(verifier.certificate(forged, epoch)).toBeNull();
  });

  it("a timeout shows how its view was reached, with differing high views", () => {
    const entry = timeoutCertificate([0, 1, 2]);
    const verifier = quiet();
    expect(verifier.timeout(timeout(3, null), epoch)).not.toBeNull();
    expect(verifier.timeout(timeout(3, entry), epoch)).not.toBeNull();
    expect(verifier.timeout({ ...timeout(3, entry), signer: 2 }, epoch)).toBeNull();
    const wrong = { ...entry, highViews: [1, 1, 0] };
    expect(quiet().timeout(timeout(3, wrong), epoch)).toBeNull();
    const few = timeoutCertificate([0, 1]);
    expect(quiet().timeout(timeout(3, few), epoch)).toBeNull();
  });
});

describe("who speaks for a validator", () => {
  const keys = { blsPublicKey: blsPublicKeyOf(blsSecretOf("a")), blsSecretKey: blsSecretOf("a") };
  const peer = textToPeerId("peerA");

  it("N10: shows it with the validator's key, for this node and chain only", () => {
    const said = encodeIdentity(genesis, peer, keys);
    expect(decodeIdentity(genesis, peer, said)).toEqual(keys.blsPublicKey);
    expect(decodeIdentity(genesis, textToPeerId("peerB"), said)).toBeNull();
    expect(decodeIdentity(digest(8), peer, said)).toBeNull();
    expect(decodeIdentity(genesis, peer, said.subarray(1))).toBeNull();
    expect(decodeIdentity(genesis, peer, new Uint8Array(0))).toBeNull();
  });

  it("is forgotten when it leaves, and a committee knows who is missing", () => {
    const peers = new ValidatorPeers();
    peers.add(peer, keys.blsPublicKey);
    const self = blsPublicKeyOf(blsSecretOf("b"));
    expect(peers.reach(epoch.committee, self)).toEqual({ peers: [peer], missing: 2 });
    peers.remove(peer);
    expect(peers.reach(epoch.committee, self)).toEqual({ peers: [], missing: 3 });
  });
});

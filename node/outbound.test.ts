import { beforeEach, describe, expect, test } from "vitest";
import { accept } from "../base/outcome.ts";
import type { Input, SignedTimeout, SignedVote } from "../consensus/types.ts";
import { textToPeerId, type PeerId } from "../p2p/peerId.ts";
import { createFakeCommittee } from "../test/fakes/committee.ts";
import { stubDigest, stubKey } from "../test/sim/stubs.ts";
import { peerMessageCodec, type PeerMessage } from "./messages.ts";
import { PeerOutbound } from "./outbound.ts";
import { ValidatorPeers } from "./validatorPeers.ts";

/*
 * Goal: what this validator says reaches whom it is for, once and straight where it can, and by
 * gossip where it cannot. It is the first of four; a vote is for the second, the next leader.
 */

const committee = createFakeCommittee([1n, 1n, 1n, 1n]);
const block = stubDigest("block");
const vote: SignedVote = committee.vote(0, { epoch: 0, view: 3, block, parentView: 2 });
const timeout: SignedTimeout = committee.timeout(0, {
  epoch: 0,
  view: 3,
  highCertificate: committee.certificate({ epoch: 0, view: 2, block, parentView: 1 }, [0, 1, 2]),
  entryCertificate: null,
});
const toLeader = { type: "validator", index: 1 } as const;
const toAll = { type: "all" } as const;

let validators: ValidatorPeers;
let direct: { readonly peers: readonly PeerId[]; readonly message: PeerMessage }[];
let gossiped: string[];
let delivered: Input[];
/** Peers whose queues are full. */
let full: Set<PeerId>;
let outbound: PeerOutbound;

function peerOf(identity: number): PeerId {
  return textToPeerId(`node-${identity}`);
}

function never(): never {
  throw new Error("nothing is committed here");
}

beforeEach(() => {
  validators = new ValidatorPeers();
  direct = [];
  gossiped = [];
  delivered = [];
  full = new Set();
  const broadcast = (peers: readonly PeerId[], message: PeerMessage): readonly PeerId[] => {
    const sent = peers.filter((peer) => !full.has(peer));
    if (sent.length > 0) direct.push({ peers: sent, message });
    return sent;
  };
  outbound = new PeerOutbound({
    network: { peers: () => [] },
    chain: {
      epoch: committee.epoch,
      pendingBlock: () => null,
      pendingTransactions: () => null,
      add: () => null,
      proofOf: () => never(),
    },
    store: { epochInfo: () => null },
    reads: { commitProof: () => null },
    validators,
    verifier: { block: () => null },
    fetcher: { fetch: () => Promise.resolve() },
    self: stubKey(0),
    statements: { broadcast },
    proposals: { broadcast },
    gossip: {
      publish: (bytes) => {
        const message = peerMessageCodec.decode(bytes);
        gossiped.push(message.ok ? message.value.type : "junk");
        return Promise.resolve(accept(1));
      },
      listeners: () => [],
    },
  });
  outbound.attach({ deliver: (input) => void delivered.push(input), wants: () => false });
});

describe("a vote", () => {
  test("goes straight to the next leader, and to nobody else", () => {
    for (const identity of [1, 2, 3]) validators.add(peerOf(identity), stubKey(identity));
    outbound.send(toLeader, { type: "vote", vote });
    expect(direct).toEqual([{ peers: [peerOf(1)], message: { type: "vote", vote } }]);
    expect([gossiped, delivered]).toEqual([[], []]);
  });

  test("whose leader is away goes to all, and counts here, where the certificate is made", () => {
    for (const identity of [2, 3]) validators.add(peerOf(identity), stubKey(identity));
    outbound.send(toLeader, { type: "vote", vote });
    expect([direct, gossiped]).toEqual([[], ["vote"]]);
    expect(delivered).toEqual([{ type: "voteReceived", vote }]);
  });

  test("whose leader takes nothing any more does the same", () => {
    validators.add(peerOf(1), stubKey(1));
    full.add(peerOf(1));
    outbound.send(toLeader, { type: "vote", vote });
    expect(gossiped).toEqual(["vote"]);
    expect(delivered).toHaveLength(1);
  });

  test("goes to every node that speaks for the leader", () => {
    validators.add(peerOf(1), stubKey(1));
    validators.add(peerOf(7), stubKey(1));
    outbound.send(toLeader, { type: "vote", vote });
    expect(direct.map(({ peers }) => peers)).toEqual([[peerOf(1), peerOf(7)]]);
  });
});

describe("a timeout", () => {
  test("goes straight to all members, and by gossip only if one is away or takes nothing", () => {
    for (const identity of [1, 2, 3]) validators.add(peerOf(identity), stubKey(identity));
    outbound.send(toAll, { type: "timeout", timeout });
    expect(direct.map(({ peers }) => peers)).toEqual([[peerOf(1), peerOf(2), peerOf(3)]]);
    expect(gossiped).toEqual([]);
    full.add(peerOf(3));
    outbound.send(toAll, { type: "timeout", timeout });
    expect(gossiped).toEqual(["timeout"]);
    validators.remove(peerOf(3));
    outbound.send(toAll, { type: "timeout", timeout });
    expect(gossiped).toEqual(["timeout", "timeout"]);
    expect(delivered).toEqual([]); // The replica counts its own by itself.
  });
});

test("a proposal that was committed or dropped meanwhile is not sent", () => {
  const statement = { epoch: 0, view: 3, block };
  const proposal = { statement, signer: 0, signature: new Uint8Array(96) };
  outbound.send(toAll, { type: "proposal", proposal });
  expect([direct, gossiped]).toEqual([[], []]);
});

import { describe, expect, test } from "vitest";
import { concatBytes, equalBytes } from "../base/bytes.ts";
import { encodeRlp, rlpNumber } from "../base/rlp.ts";
import { rootCertificate } from "../consensus/rules.ts";
import { envelopeCodec } from "../p2p/envelope.ts";
import { createFakeCommittee } from "../test/fakes/committee.ts";
import { provedChain } from "../test/fakes/provedChain.ts";
import { stubDigest } from "../test/sim/stubs.ts";
import {
  blockPartsCodec,
  digestsCodec,
  numberCodec,
  peerMessageCodec,
  signedCodec,
  standingCodec,
  type PeerMessage,
} from "./messages.ts";

/*
 * Goal: what nodes say has one encoding, and anything else is refused. Method: each message there
 * and back; then bytes all over it changed, which must be refused or mean another message that
 * encodes to just these bytes.
 */

/** Places of a message that are changed, at most. */
const placesMax = 400;

const committee = createFakeCommittee([1n, 1n, 1n, 1n]);
const { epoch } = committee;
const chain = provedChain(epoch, 2);
const signed = { epoch: 0, view: 3, block: stubDigest("block"), parentView: 2 };
const [first] = chain.blocks;
if (first === undefined) throw new Error("there are two blocks");
const timeout = {
  epoch: 0,
  view: 1,
  highCertificate: rootCertificate(epoch),
  entryCertificate: null,
};
const messages: readonly PeerMessage[] = [
  { type: "vote", vote: committee.vote(1, signed) },
  { type: "timeout", timeout: committee.timeout(1, timeout) },
  { type: "proof", proof: chain.proof },
  {
    type: "proposal",
    proposal: {
      signer: 2,
      signature: new Uint8Array(96).fill(7),
      header: first.header,
      body: { ...first.body, randomnessSignature: new Uint8Array(96) },
      transactions: [stubDigest("a"), stubDigest("b")],
    },
  },
];

describe("E3: messages of consensus", () => {
  test.each(messages.map((message) => [message.type, message] as const))(
    "a %s comes back as it was, and no other bytes mean it",
    (_, message) => {
      const bytes = peerMessageCodec.encode(message);
      expect(peerMessageCodec.decode(bytes)).toEqual({ ok: true, value: message });
      const ambiguous: number[] = [];
      const step = Math.ceil(bytes.length / placesMax);
      for (let at = 0; at < bytes.length; at += step) {
        const changed = bytes.slice();
        changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
        const decoded = peerMessageCodec.decode(changed);
        const isOther = decoded.ok && !equalBytes(peerMessageCodec.encode(decoded.value), changed);
        if (isOther) ambiguous.push(at);
      }
      expect(ambiguous).toEqual([]);
      for (const wrong of [bytes.subarray(0, -1), concatBytes(bytes, Uint8Array.of(0))]) {
        expect(peerMessageCodec.decode(wrong).ok).toBe(false);
      }
    },
  );

  test("a kind that there is not, and transactions inside a proposal, are refused", () => {
    const [vote] = messages;
    const envelope = envelopeCodec.decode(peerMessageCodec.encode(vote ?? never()));
    const body = envelope.ok ? envelope.value.body : never();
    for (const kind of [0, 5, 255]) {
      const decoded = peerMessageCodec.decode(envelopeCodec.encode({ kind, body }));
      expect(decoded.ok ? null : decoded.refusal.code).toBe("kindUnknown");
    }
    const proposal = messages.at(-1);
    if (proposal?.type !== "proposal") return never();
    const inside = { ...proposal.proposal.body, transactions: [new Uint8Array(3)] };
    const changed: PeerMessage = {
      type: "proposal",
      proposal: { ...proposal.proposal, body: inside },
    };
    expect(peerMessageCodec.decode(peerMessageCodec.encode(changed)).ok).toBe(false);
  });
});

test("E3: the smaller words between nodes have one encoding each", () => {
  const standing = { height: 7, proof: chain.proof };
  expect(standingCodec.decode(standingCodec.encode(standing))).toEqual({
    ok: true,
    value: standing,
  });
  const refused = [
    standingCodec.decode(encodeRlp([rlpNumber(7)])),
    standingCodec.decode(encodeRlp([Uint8Array.of(0, 7), []])),
    signedCodec.decode(encodeRlp([rlpNumber(1)])),
    signedCodec.decode(encodeRlp([rlpNumber(1), new Uint8Array(8).fill(255)])),
    numberCodec.decode(encodeRlp([])),
    numberCodec.decode(Uint8Array.of(0)),
    digestsCodec.decode(encodeRlp([new Uint8Array(31)])),
    blockPartsCodec.decode(encodeRlp([new Uint8Array(32)])),
  ];
  expect(refused.map(({ ok }) => ok)).toEqual(refused.map(() => false));
  const said = { epoch: 3, view: 9 };
  expect(signedCodec.decode(signedCodec.encode(said))).toEqual({ ok: true, value: said });
});

function never(): never {
  throw new Error("not this one");
}

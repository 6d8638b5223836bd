import { expect, test } from "vitest";
import { bytesToHex } from "../base/bytes.ts";
import { encodeEvidence } from "../consensus/evidence.ts";
import { signableBytes } from "../consensus/statements.ts";
import type { Committee, Evidence } from "../consensus/types.ts";
import { blsPublicKeyOf, blsSign } from "../crypto/bls.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import { addressOf, blsSecretOf } from "../test/fakes/ledgerNetwork.ts";
import { committeeFromJson, verifyEvidence } from "./evidence.ts";

const genesis = keccakDigest(new Uint8Array(1));
const committee: Committee = {
  epoch: 4,
  validators: ["a", "b"].map((name) => ({
    address: addressOf(name),
    blsKey: blsPublicKeyOf(blsSecretOf(name)),
    stake: 5n,
  })),
};

function doubleVote(name: string, blocks: readonly number[], epoch = 4): Evidence {
  const [first, second] = blocks.map((block) => {
    const vote = { epoch, view: 3, block: keccakDigest(Uint8Array.of(block)), parentView: 2 };
    const scope = { genesis, scope: "" };
    const message = signableBytes(scope, { type: "vote", vote });
    const signer = name === "b" ? 1 : 0;
    return { vote, signer, signature: blsSign(message, blsSecretOf(name)) };
  });
  if (first === undefined || second === undefined) throw new Error("two votes");
  return { type: "doubleVote", first, second };
}

function verdict(evidence: Evidence, changes: Partial<Parameters<typeof verifyEvidence>[1]> = {}) {
  const found = verifyEvidence(encodeEvidence(evidence), { committee, genesis, ...changes });
  return found.ok ? found.value.offenders : found.refusal;
}

test("evidence names the offender, offline", () => {
  expect(verdict(doubleVote("b", [1, 2]))).toEqual([addressOf("b")]);
});

test("what proves nothing says why", () => {
  const proof = doubleVote("b", [1, 2]);
  expect(verdict(doubleVote("b", [1, 1]))).toContain("do not contradict");
  expect(verdict(doubleVote("b", [1, 2], 5))).toBe("it is of epoch 5, the committee of epoch 4");
  expect(verdict(doubleVote("c", [1, 2]))).toContain("a signature is not of that validator");
  expect(verdict(proof, { genesis: keccakDigest(new Uint8Array(2)) })).toContain("on this chain");
  const alone = { ...committee, validators: committee.validators.slice(0, 1) };
  expect(verdict(proof, { committee: alone })).toBe("it names validator 1, the committee has 1");
  const facts = { committee, genesis };
  const cut = verifyEvidence(encodeEvidence(proof).subarray(1), facts);
  expect(cut.ok ? "" : cut.refusal).toContain("the bytes are no evidence");
});

test("a committee is read as the node shows it, or not at all", () => {
  const json = {
    epoch: 4,
    validators: committee.validators.map(({ address, blsKey, stake }) => ({
      address,
      blsKey: bytesToHex(blsKey),
      stake: stake.toString(),
    })),
  };
  expect(committeeFromJson(json)).toEqual(committee);
  expect(committeeFromJson({ ...json, epoch: "4" })).toBeNull();
  expect(committeeFromJson({ ...json, validators: [{}] })).toBeNull();
  expect(committeeFromJson(null)).toBeNull();
});

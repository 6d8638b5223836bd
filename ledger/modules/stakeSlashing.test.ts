import { expect, test } from "vitest";
import { assert } from "../../base/assert.ts";
import type { Address } from "../../base/brand.ts";
import { textToBytes, zeroAddress } from "../../base/bytes.ts";
import { indexOfValidator } from "../../consensus/committee.ts";
import { signersToBitmap } from "../../consensus/signers.ts";
import { signableBytes } from "../../consensus/statements.ts";
import type { Certificate, Evidence, Signable, SignedVote } from "../../consensus/types.ts";
import { aggregate, blsSign } from "../../crypto/bls.ts";
import { keccakDigest } from "../../crypto/keccak.ts";
import {
  addressOf,
  blsSecretOf,
  inputOf,
  LedgerNetwork,
  operationBody,
} from "../../test/fakes/ledgerNetwork.ts";
import { encodeReport } from "../blockEvidence.ts";

// Four validators with a stake each, and alice, who has given to the first; epochs of ten blocks.
const names = ["a", "b", "c", "d"] as const;
const rich = { thetaWei: 10_000n, tfuelWei: 10_000n };

function createNetwork(): LedgerNetwork {
  return new LedgerNetwork({
    balances: [...names, "alice"].map((name) => [name, rich] as const),
    stakes: [...names.map((name) => [name, name, 1_000n] as const), ["alice", "a", 500n]],
    parameters: new Map([
      ["stake.validatorsMax", 31n],
      ["stake.slashBasisPoints", 2_000n],
      ["stake.reporterBasisPoints", 2_500n],
      ["stake.jailBlocks", 12n],
      ["stake.jailMs", 14_000n],
      ["stake.returnBlocks", 15n],
      ["stake.returnMs", 15_000n],
    ]),
  });
}

const blocks = ["one", "two"].map((name) => keccakDigest(textToBytes(name)));

function signerOf(network: LedgerNetwork, name: string, epoch: number): number {
  const index = indexOfValidator({ ...network.committee, epoch }, addressOf(name));
  assert(index !== null, `${name} is a member`);
  return index;
}

function sign(network: LedgerNetwork, name: string, signable: Signable): Uint8Array {
  const scope = { genesis: network.genesis.hash, scope: "" };
  return blsSign(signableBytes(scope, signable), blsSecretOf(name));
}

function voteOf(network: LedgerNetwork, name: string, block: number, epoch = 0): SignedVote {
  const vote = { epoch, view: 3, block: blocks[block] ?? blocks[0] ?? never(), parentView: 2 };
  const signature = sign(network, name, { type: "vote", vote });
  return { vote, signer: signerOf(network, name, epoch), signature };
}

function never(): never {
  throw new Error("unreachable");
}

function doubleVote(network: LedgerNetwork, name: string, epoch = 0): Evidence {
  const [first, second] = [voteOf(network, name, 0, epoch), voteOf(network, name, 1, epoch)];
  return { type: "doubleVote", first, second };
}

function certificate(network: LedgerNetwork, who: readonly string[], block: number): Certificate {
  const votes = who.map((name) => voteOf(network, name, block)).sort((x, y) => x.signer - y.signer);
  const [first] = votes;
  assert(first !== undefined, "somebody votes");
  return {
    ...first.vote,
    signers: signersToBitmap(
      votes.map(({ signer }) => signer),
      names.length,
    ),
    signature: aggregate(votes.map(({ signature }) => signature)),
  };
}

async function report(
  network: LedgerNetwork,
  evidence: Evidence,
  reporter: Address = addressOf("r"),
): Promise<string> {
  const outcome = await network.execute([], [encodeReport({ evidence, reporter })]);
  return outcome.ok ? "ok" : outcome.refusal.refusal.code;
}

function thetaOf(network: LedgerNetwork, name: string): bigint {
  return network.executor.admission(network.state, network.next()).account(addressOf(name))
    .thetaWei;
}

function members(network: LedgerNetwork): string {
  const known = new Map([...names].map((name) => [addressOf(name), name]));
  return network.committee.validators
    .map(({ address, stake }) => `${known.get(address)}:${stake}`)
    .sort((x, y) => (x < y ? -1 : 1))
    .join(" ");
}

async function advance(network: LedgerNetwork, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) expect((await network.execute([])).ok).toBe(true);
}

async function unjail(network: LedgerNetwork, name: string): Promise<string> {
  const op = { module: "stake", name: "unjail" };
  const body = operationBody(network.registry, { ...op, body: { holder: addressOf(name) } });
  const signer = { address: addressOf(name), sequence: network.nonceOf(name) + 1n };
  const outcome = await network.execute([
    network.operation([signer], { ...op, body }, { fee: 2n, gasLimit: 2n }),
  ]);
  return outcome.ok ? (outcome.value.receipts[0]?.failure ?? "") : outcome.refusal.refusal.code;
}

test("K2: two votes in a slot cost a part of every stake behind them, and the seat", async () => {
  const network = createNetwork();
  expect(await report(network, doubleVote(network, "a"))).toBe("ok");
  // 20 % of 1000 and of 500, a quarter of it to the reporter; what is burned, the recount knows.
  expect(network.query("stake", "candidates", {})).toMatchObject({
    SortedCandidates: expect.arrayContaining([
      expect.objectContaining({
        Holder: addressOf("a"),
        Stakes: expect.arrayContaining([
          expect.objectContaining({ source: addressOf("a"), amount: "800" }),
          expect.objectContaining({ source: addressOf("alice"), amount: "400" }),
        ]),
      }),
    ]),
  });
  expect(thetaOf(network, "r")).toBe(75n);
  expect(members(network)).toBe("a:1500 b:1000 c:1000 d:1000");
  await advance(network, 9);
  expect(members(network)).toBe("b:1000 c:1000 d:1000");
  expect(network.query("stake", "offences", {})).toMatchObject([
    { epoch: 0, holder: addressOf("a"), view: 3, height: 1, slashed: "300", rewarded: "75" },
  ]);
});

test("K2: events tell of it", async () => {
  const network = createNetwork();
  const evidence = doubleVote(network, "a");
  const encoded = encodeReport({ evidence, reporter: addressOf("r") });
  const outcome = await network.execute([], [encoded]);
  const logs = outcome.ok ? (outcome.value.jobReceipt?.logs ?? []) : [];
  const events = logs.map((log) => network.registry.describeLog(log)?.event);
  expect(events).toEqual(["Slashed", "Slashed", "Punished"]);
});

test("all is burned where nobody reports", async () => {
  const network = createNetwork();
  expect(await report(network, doubleVote(network, "b"), zeroAddress)).toBe("ok");
  expect(network.query("stake", "offences", {})).toMatchObject([{ slashed: "200", rewarded: "0" }]);
});

test("of one epoch a holder is punished once, of another again", async () => {
  const network = createNetwork();
  const first = doubleVote(network, "a");
  const again: Evidence = {
    type: "doubleProposal",
    ...twoProposals(network, "a"),
  };
  expect(await report(network, first)).toBe("ok");
  expect(await report(network, first)).toBe("evidenceKnown");
  expect(await report(network, again)).toBe("evidenceKnown");
  const both = [first, doubleVote(network, "b")].map((evidence) =>
    encodeReport({ evidence, reporter: zeroAddress }),
  );
  expect((await network.execute([], both)).ok).toBe(false);
});

function twoProposals(network: LedgerNetwork, name: string) {
  const [first, second] = blocks.map((block) => {
    const statement = { epoch: 0, view: 3, block };
    const signature = sign(network, name, { type: "proposal", statement });
    return { statement, signer: signerOf(network, name, 0), signature };
  });
  assert(first !== undefined && second !== undefined, "two proposals");
  return { first, second };
}

test("a timeout that denies a vote is punished", async () => {
  const network = createNetwork();
  const statement = { epoch: 0, view: 4, highView: 1 };
  const root = { ...certificate(network, ["b"], 0), view: 1, parentView: 0 };
  const timeout = { epoch: 0, view: 4, highCertificate: root, entryCertificate: null };
  const signature = sign(network, "c", { type: "timeout", timeout });
  const evidence: Evidence = {
    type: "timeoutDeniesVote",
    vote: voteOf(network, "c", 0),
    timeout: { statement, signer: signerOf(network, "c", 0), signature },
  };
  const honest = { ...statement, highView: 2 };
  const truth = { ...evidence, timeout: { ...evidence.timeout, statement: honest } };
  expect(await report(network, truth)).toBe("evidenceFalse");
  expect(await report(network, evidence)).toBe("ok");
});

test("K24: two certificates in a slot punish whoever is in both, and nobody else", async () => {
  const network = createNetwork();
  const evidence: Evidence = {
    type: "conflictingCertificates",
    first: certificate(network, ["a", "b", "c"], 0),
    second: certificate(network, ["a", "b", "d"], 1),
  };
  expect(await report(network, evidence)).toBe("ok");
  const offences = network.query("stake", "offences", {});
  assert(Array.isArray(offences), "offences are a list");
  expect(offences.length).toBe(2);
  for (const holder of [addressOf("a"), addressOf("b")]) {
    expect(offences).toContainEqual(expect.objectContaining({ holder }));
  }
  await advance(network, 9);
  expect(members(network)).toBe("c:1000 d:1000");
});

test("what proves nothing makes the block invalid", async () => {
  const network = createNetwork();
  const honest = doubleVote(network, "a");
  assert(honest.type === "doubleVote", "made so");
  const same: Evidence = { ...honest, second: honest.first };
  expect(await report(network, same)).toBe("evidenceFalse");
  const forged = { ...honest, second: { ...honest.second, signature: honest.first.signature } };
  expect(await report(network, forged)).toBe("evidenceFalse");
  const stranger = { ...honest, first: { ...honest.first, signer: 200 } };
  expect(await report(network, { ...stranger, second: { ...honest.second, signer: 200 } })).toBe(
    "evidenceFalse",
  );
  expect(await report(network, doubleVote(network, "a", 7))).toBe("evidenceEpoch");
  const outcome = await network.execute([], [new Uint8Array([0xc0])]);
  expect(outcome.ok ? "ok" : outcome.refusal.refusal.code).toBe("evidenceMalformed");
});

test("evidence lives as long as the bond, by height and by time", async () => {
  const network = createNetwork();
  const early = doubleVote(network, "a");
  await advance(network, 24);
  expect(await report(network, early)).toBe("ok"); // Block 25: the last before bonds return.
  const late = createNetwork();
  const evidence = doubleVote(late, "a");
  await advance(late, 25);
  expect(await report(late, evidence)).toBe("evidenceEpoch");
});

test("who has left pays while the stake is held, who came later does not", async () => {
  const network = createNetwork();
  const sequence = network.nonceOf("a") + 1n;
  const holder = { address: addressOf("a"), coins: { thetaWei: 0n, tfuelWei: 0n } };
  const fee = { thetaWei: 0n, tfuelWei: 2n };
  const out = inputOf("a", { thetaWei: 0n, tfuelWei: 0n }, sequence);
  const signers = [{ address: addressOf("a"), sequence }];
  const leave = network.theta(
    { type: "withdrawStake", fee, source: out, holder, purpose: 0 },
    signers,
  );
  expect((await network.execute([leave])).ok).toBe(true);
  const given = inputOf("b", { thetaWei: 700n, tfuelWei: 0n }, 1n);
  const come = network.theta({ type: "depositStake", fee, source: given, holder, purpose: 0 }, [
    { address: addressOf("b"), sequence: 1n },
  ]);
  expect((await network.execute([come])).ok).toBe(true);
  const evidence = doubleVote(network, "a");
  await advance(network, 10);
  expect(await report(network, evidence)).toBe("ok");
  expect(JSON.stringify(network.query("stake", "candidates", {}))).toContain('"amount":"700"');
  expect(network.query("stake", "offences", {})).toMatchObject([{ slashed: "300" }]);
});

test("jail ends when it is asked to, after a height and a time", async () => {
  const network = createNetwork();
  expect(await unjail(network, "a")).toBe("notJailed");
  expect(await report(network, doubleVote(network, "a"))).toBe("ok"); // Block 2, jailed until 14.
  await advance(network, 10);
  expect(await unjail(network, "a")).toBe("keyJailed"); // Block 13.
  await advance(network, 2);
  expect(await unjail(network, "a")).toBe(""); // Block 16: 14 s have passed as well.
  await advance(network, 4);
  expect(members(network)).toBe("a:1200 b:1000 c:1000 d:1000");
});

import { beforeEach, describe, expect, test } from "vitest";
import type { Verified } from "../base/brand.ts";
import { zeroDigest } from "../base/bytes.ts";
import { rootCertificate } from "../consensus/rules.ts";
import type { EpochInfo, Input } from "../consensus/types.ts";
import { bodyDigests } from "../ledger/block.ts";
import { textToPeerId } from "../p2p/peerId.ts";
import { createFakeCommittee } from "../test/fakes/committee.ts";
import { provedChain } from "../test/fakes/provedChain.ts";
import { stubDigest } from "../test/sim/stubs.ts";
import { Inbound, openProposalsMax, voteViewsMax, type Unused } from "./inbound.ts";
import type { PeerMessage } from "./messages.ts";

/*
 * Goal: at the border nothing is believed unchecked, nothing useless is checked at all, and who is
 * only late or early is never punished. The chain is in epoch 5, view 100.
 */

const fake = createFakeCommittee([1n, 1n, 1n, 1n]);
const epoch: EpochInfo = {
  ...fake.epoch,
  epoch: 5,
  committee: { ...fake.epoch.committee, epoch: 5 },
};
const chain = provedChain(epoch, 3);
const genesis = chain.blocks[0]?.header.genesisHash ?? zeroDigest;
const from = textToPeerId("peer");

let delivered: Input[];
let unused: Unused[];
let checks: number;
let aheads: number;
let isGood: boolean;
let isRunning: boolean;
let leader: number | null;
let completing: Promise<null>;
/** What a peer gives of a block. */
let given: readonly Uint8Array[] | null;
let submitted: Uint8Array[];
let inbound: Inbound;

function checked<T>(value: T): Verified<T> | null {
  checks += 1;
  return isGood ? (value as Verified<T>) : null;
}

beforeEach(() => {
  delivered = [];
  unused = [];
  checks = 0;
  aheads = 0;
  isGood = true;
  isRunning = true;
  leader = null;
  completing = Promise.resolve(null);
  given = null;
  submitted = [];
  inbound = new Inbound({
    genesis,
    chain: { epoch, add: () => null, heldHeader: () => null },
    store: { epochInfo: (number) => (number <= 5 ? { ...epoch, epoch: number } : null) },
    engine: {
      get isRunning() {
        return isRunning;
      },
      get leader() {
        return leader;
      },
      status: {
        epoch: 5,
        view: 100,
        committed: epoch.root,
        committedHeight: 0,
        highCertificate: rootCertificate(epoch),
        votedView: 99,
        lockView: 98,
        isActive: true,
        held: { blocks: 0, orphans: 0, wanted: 0, votes: 0, proposals: 0, testimony: 0 },
      },
      deliver: (input) => void delivered.push(input),
      settled: () => Promise.resolve(),
      onBlock: () => {},
    },
    pool: {
      get: () => null,
      submit: (submissions) => {
        submitted.push(...submissions.map(({ raw }) => raw));
        return Promise.resolve([]);
      },
    },
    verifier: {
      vote: checked,
      timeout: checked,
      certificate: checked,
      proof: checked,
      proposal: checked,
    },
    fetcher: {
      transactionsOf: async () => (await completing) ?? given,
      blockFrom: () => completing,
    },
    onAhead: () => void (aheads += 1),
    onUnused: (_, why) => void unused.push(why),
    nowMs: () => 0,
  });
});

function vote(view: number, of = 5): PeerMessage {
  const signed = { epoch: of, view, block: stubDigest("block"), parentView: view - 1 };
  return { type: "vote", vote: fake.vote(1, signed) };
}

function timeout(view: number, of = 5): PeerMessage {
  const highCertificate = rootCertificate({ ...epoch, epoch: of });
  const signed = { epoch: of, view, highCertificate, entryCertificate: null };
  return { type: "timeout", timeout: fake.timeout(1, signed) };
}

function proposal(at: number, changes: { readonly foreign?: boolean; readonly of?: number } = {}) {
  const block = chain.blocks[at];
  if (block === undefined) throw new Error("there is no such block");
  const genesisHash = changes.foreign === true ? zeroDigest : genesis;
  const header = { ...block.header, genesisHash, epoch: changes.of ?? 5 };
  const transactions = [stubDigest("transaction")];
  const compact = { signer: 1, signature: new Uint8Array(96), header, body: block.body };
  return { type: "proposal", proposal: { ...compact, transactions } } as const;
}

describe("votes and timeouts", () => {
  test("are checked, once, and handed on; a wrong one costs its bringer", async () => {
    expect(await inbound.receive(vote(100), from)).toBe("accept");
    expect(await inbound.receive(timeout(100), from)).toBe("accept");
    expect(delivered.map(({ type }) => type)).toEqual(["voteReceived", "timeoutReceived"]);
    isGood = false;
    expect(await inbound.receive(vote(100), from)).toBe("reject");
    expect(await inbound.receive(timeout(100), from)).toBe("reject");
    expect([delivered.length, checks]).toEqual([2, 4]);
  });

  test("K23: stale votes and those of views far away cost no check, in whatever bulk", async () => {
    const stale = vote(99, 4);
    for (let i = 0; i < 10_000; i += 1) expect(await inbound.receive(stale, from)).toBe("ignore");
    expect(await inbound.receive(vote(100 - voteViewsMax - 1), from)).toBe("ignore");
    expect(await inbound.receive(vote(100 + voteViewsMax + 1), from)).toBe("ignore");
    expect([checks, delivered.length, aheads]).toEqual([0, 0, 0]);
    expect(new Set(unused)).toEqual(new Set(["epochPast", "viewFar"]));
  });

  test("N12: who lags is ignored or answered, never punished", async () => {
    expect(await inbound.receive(vote(3, 4), from)).toBe("ignore");
    expect(await inbound.receive(timeout(3, 4), from)).toBe("ignore");
    expect(await inbound.receive(proposal(0, { of: 4 }), from)).toBe("ignore");
    // The replica answers a timeout of the epoch before with the proof that it ended.
    expect(delivered.map(({ type }) => type)).toEqual(["timeoutReceived"]);
  });

  test("of a later epoch make this node ask, and nothing of them is believed", async () => {
    expect(await inbound.receive(vote(1, 6), from)).toBe("ignore");
    expect(await inbound.receive(timeout(1, 6), from)).toBe("ignore");
    expect(await inbound.receive(proposal(0, { of: 6 }), from)).toBe("ignore");
    expect([aheads, checks, delivered.length]).toEqual([3, 0, 0]);
  });

  test("are of no use while consensus does not run", async () => {
    isRunning = false;
    expect(await inbound.receive(vote(100), from)).toBe("ignore");
    expect(unused).toEqual(["notRunning"]);
  });
});

describe("proposals", () => {
  test("N10: one of another chain costs its bringer before anything is checked", async () => {
    expect(await inbound.receive(proposal(0, { foreign: true }), from)).toBe("reject");
    expect(checks).toBe(0);
  });

  test("N12: one whose transactions nobody gives is ignored, not punished", async () => {
    expect(await inbound.receive(proposal(0), from)).toBe("ignore");
    expect(delivered.map(({ type }) => type)).toEqual(["certificateReceived"]);
  });

  test("N4: one that comes again meanwhile is not begun again, and only so many are", async () => {
    let end = (): void => {};
    completing = new Promise((resolve) => (end = () => resolve(null)));
    const first = inbound.receive(proposal(0), from);
    expect(await inbound.receive(proposal(0), from)).toBe("ignore");
    const others = Array.from({ length: openProposalsMax }, (_, i) => {
      const message = proposal(0);
      const signature = new Uint8Array(96).fill(i + 1);
      return inbound.receive({ ...message, proposal: { ...message.proposal, signature } }, from);
    });
    expect(await others.at(-1)).toBe("ignore");
    expect(unused).toEqual(["busy"]);
    end();
    expect(await first).toBe("ignore");
    for (const other of others) expect(await other).toBe("ignore");
  });

  test("what was fetched of one is put into the pool, if it is of that block", async () => {
    const message = proposal(0);
    const { header, body } = message.proposal;
    const transaction = new Uint8Array([2, 1]);
    const digests = bodyDigests({ ...body, transactions: [transaction] });
    const whole = {
      ...message,
      proposal: { ...message.proposal, header: { ...header, ...digests } },
    };
    given = [new Uint8Array([2, 2])];
    await inbound.receive(whole, from);
    expect(submitted).toEqual([]);
    given = [transaction];
    await inbound.receive(whole, from);
    expect(submitted).toEqual([transaction]);
  });

  test("one by another than the leader of its view is not put together", async () => {
    leader = 2;
    const message = proposal(0);
    const header = { ...message.proposal.header, view: 100, parentHash: epoch.root };
    const verdict = await inbound.receive(
      { type: "proposal", proposal: { ...message.proposal, header } },
      from,
    );
    expect(verdict).toBe("ignore");
  });
});

describe("commit proofs", () => {
  const { proof } = chain;

  test("are judged whole: one that proves nothing, or is badly signed, costs its bringer", () => {
    expect(inbound.onProof(proof)).toBe("accept");
    const gap = { ...proof.certificate, view: 9 };
    expect(inbound.onProof({ ...proof, certificate: gap })).toBe("reject");
    isGood = false;
    expect(inbound.onProof(proof)).toBe("reject");
    expect(delivered.map(({ type }) => type)).toEqual(["commitProofReceived"]);
  });

  test("of another epoch are ignored; a later one makes this node ask", () => {
    for (const [of, asked] of [
      [4, 0],
      [6, 1],
    ] as const) {
      const certificate = { ...proof.certificate, epoch: of };
      expect(inbound.onProof({ ...proof, certificate })).toBe("ignore");
      expect(aheads).toBe(asked);
    }
    expect(checks).toBe(0);
  });
});

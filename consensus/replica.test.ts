import { describe, expect, it } from "vitest";
import type { Digest, Verified } from "../base/brand.ts";
import { createFakeCommittee } from "../test/fakes/committee.ts";
import {
  stubAddress,
  stubAggregate,
  stubDigest,
  stubHash,
  stubKey,
  stubSign,
} from "../test/sim/stubs.ts";
import { Replica } from "./replica.ts";
import { emptySafetyRecord, isTimely, rootCertificate, soundRules } from "./rules.ts";
import { signableBytes } from "./statements.ts";
import type {
  BlockSummary,
  Certificate,
  Effect,
  Input,
  SafetyRecord,
  SignedTimeout,
  SignedVote,
  StartPoint,
  TimeoutCertificate,
} from "./types.ts";

const timing = { shortMs: 1_000, longMs: 4_000, msMax: 20_000 };
const nowMs = 1_000_000;
const clockDriftMsMax = 500;

/** A replica of validator `self`, and the effects of each step by type. */
function createReplica(
  stakes: readonly bigint[],
  self: number,
  start: Partial<StartPoint> = {},
  changes: { readonly isReviewed?: boolean } = {},
): {
  readonly replica: Replica;
  readonly committee: ReturnType<typeof createFakeCommittee>;
  readonly started: readonly Effect[];
} {
  const committee = createFakeCommittee(stakes);
  const { epoch, root } = committee;
  const options = {
    self: stubAddress(self),
    rules: soundRules,
    timing,
    clockDriftMsMax,
    isReviewed: false,
    hash: stubHash,
    aggregate: stubAggregate,
    ...changes,
  };
  const replica = new Replica(options, epoch);
  const record = emptySafetyRecord(epoch);
  const none = { blocks: [], certificates: [], doubtUntilMs: 0 };
  const point = { epoch, committed: root, ...none, record, ...start };
  return { replica, committee, started: replica.step({ type: "started", point }) };
}

function only<T extends Effect["type"]>(
  effects: readonly Effect[],
  type: T,
): Extract<Effect, { readonly type: T }>[] {
  return effects.filter((effect): effect is Extract<Effect, { readonly type: T }> => {
    return effect.type === type;
  });
}

type Made = {
  readonly view: number;
  readonly parent: Digest;
  readonly height: number;
  readonly parentCertificate: Certificate;
  readonly timeoutCertificate?: TimeoutCertificate | null;
  readonly proposer: number;
  readonly name?: string;
  readonly timestampMs?: number;
};

function makeBlock(made: Made): BlockSummary {
  return {
    epoch: 0,
    view: made.view,
    hash: stubDigest(`${made.view}/${made.parent}/${made.name ?? ""}`),
    parent: made.parent,
    height: made.height,
    proposer: stubAddress(made.proposer),
    timestampMs: made.timestampMs ?? nowMs + made.view,
    parentCertificate: made.parentCertificate,
    timeoutCertificate: made.timeoutCertificate ?? null,
    epochProof: null,
    isEmpty: false,
    nextCommitteeHash: null,
  };
}

/** Answers `sign` effects until there are none left; all effects on the way. */
function signAll(
  replica: Replica,
  committee: ReturnType<typeof createFakeCommittee>,
  self: number,
  effects: readonly Effect[],
): Effect[] {
  const all = [...effects];
  for (const effect of all) {
    if (effect.type !== "sign") continue;
    const { signable } = effect;
    const signature = stubSign(self, signableBytes(committee.context.scope, signable));
    all.push(...replica.step({ type: "signed", signable, signature }));
  }
  return all;
}

function propose(block: BlockSummary, signer: number, atMs = nowMs): Input {
  const proposal = { block, signer, signature: new Uint8Array(96) };
  return { type: "proposalReceived", proposal: proposal as Verified<typeof proposal>, nowMs: atMs };
}

describe("one validator alone", () => {
  it("only follows where the committee knows it by another key: its votes count nothing", () => {
    const { epoch, root } = createFakeCommittee([5n]);
    const started = (key: number): readonly Effect[] => {
      const options = {
        self: { address: stubAddress(0), blsKey: stubKey(key) },
        rules: soundRules,
        timing,
        clockDriftMsMax,
        isReviewed: false,
        hash: stubHash,
        aggregate: stubAggregate,
      };
      const record = emptySafetyRecord(epoch);
      const none = { blocks: [], certificates: [], doubtUntilMs: 0 };
      const point = { epoch, committed: root, ...none, record };
      return new Replica(options, epoch).step({ type: "started", point });
    };
    expect(only(started(0), "buildProposal")).toHaveLength(1);
    expect(only(started(1), "buildProposal")).toHaveLength(0);
  });

  it("commits each block with the next, two writes of the record for two blocks", () => {
    const { replica, committee, started } = createReplica([5n], 0);
    let [order] = only(started, "buildProposal");
    const committed: Digest[] = [];
    for (let height = 1; height <= 5; height += 1) {
      expect(order?.view).toBe(height);
      if (order === undefined) return;
      const { view, parent, parentCertificate } = order;
      const block = makeBlock({ view, parent, height, parentCertificate, proposer: 0 });
      const result = { valid: true, nextEpoch: null } as const;
      const effects = signAll(replica, committee, 0, [
        ...replica.step({ type: "proposalBuilt", block, result, nowMs }),
      ]);
      const types = effects.map(({ type }) => type);
      expect(types.slice(0, 4)).toEqual(["storeBlock", "persist", "sign", "sign"]);
      expect(only(effects, "persist")).toHaveLength(1);
      committed.push(...only(effects, "commit").flatMap(({ blocks }) => blocks));
      [order] = only(effects, "buildProposal");
    }
    expect(committed).toHaveLength(4);
    expect(replica.status.committedHeight).toBe(4);
  });
});

describe("with others", () => {
  const stakes = [1n, 1n, 1n, 1n];
  const { committee, replica: probe } = createReplica(stakes, 0);
  const leader = probe.leader ?? 0;
  const self = (leader + 1) % 4;
  const parentCertificate = rootCertificate(committee.epoch);
  const first = makeBlock({
    view: 1,
    parent: committee.root,
    height: 1,
    parentCertificate,
    proposer: leader,
  });

  function receive(replica: Replica, block: BlockSummary, atMs = nowMs): Effect[] {
    const effects = [...replica.step(propose(block, leader, atMs))];
    if (only(effects, "executeBlock").length === 0) return effects;
    const result = { valid: true, nextEpoch: null } as const;
    effects.push(...replica.step({ type: "blockExecuted", block: block.hash, result }));
    return effects;
  }

  it("votes once it is executed: block stored, record persisted, then signed", () => {
    const { replica } = createReplica(stakes, self);
    const effects = receive(replica, first);
    const types = effects.map(({ type }) => type);
    expect(types).toEqual(["executeBlock", "storeBlock", "persist", "sign"]);
  });

  it("asks for a review once, votes when it passed, and keeps a failed block's children", () => {
    const options = { isReviewed: true };
    for (const passed of [true, false]) {
      const { replica } = createReplica(stakes, self, {}, options);
      expect(only(receive(replica, first), "reviewBlock")).toHaveLength(1);
      expect(only(replica.step({ type: "workChanged", pending: true }), "reviewBlock")).toEqual([]);
      const answer = { type: "blockReviewed", block: first.hash, passed } as const;
      expect(only(replica.step(answer), "sign")).toHaveLength(passed ? 1 : 0);
      const vote = { epoch: 0, view: 1, block: first.hash, parentView: 0 };
      const certificate = committee.certificate(vote, [0, 1, 2]) as Verified<Certificate>;
      replica.step({ type: "certificateReceived", certificate });
      expect(replica.status.highCertificate.block).toBe(first.hash);
      expect(only(replica.step(answer), "sign")).toEqual([]);
    }
  });

  it("does not vote for what execution finds invalid", () => {
    const { replica } = createReplica(stakes, self);
    replica.step(propose(first, leader));
    const result = { valid: false } as const;
    const effects = replica.step({ type: "blockExecuted", block: first.hash, result });
    expect(only(effects, "sign")).toEqual([]);
  });

  it("K1: of two blocks by one leader votes for one, and reports both", () => {
    const { replica } = createReplica(stakes, self);
    expect(only(receive(replica, first), "sign")).toHaveLength(1);
    const second = makeBlock({ ...first, proposer: leader, name: "second" });
    const effects = receive(replica, second);
    expect(only(effects, "sign")).toEqual([]);
    expect(only(effects, "report")[0]?.evidence.type).toBe("doubleProposal");
  });

  it("ignores a block by someone who does not lead", () => {
    const { replica } = createReplica(stakes, self);
    const stranger = makeBlock({ ...first, proposer: (leader + 2) % 4 });
    expect(only(receive(replica, stranger), "executeBlock")).toEqual([]);
  });

  it("K18: refuses timestamps of the parent, before it, far ahead or not exact", () => {
    const vote = (timestampMs: number) => {
      const { replica } = createReplica(stakes, self);
      const block = makeBlock({ ...first, proposer: leader, timestampMs });
      return only(receive(replica, block), "sign").length === 1;
    };
    expect(vote(nowMs)).toBe(true);
    expect(vote(nowMs + clockDriftMsMax)).toBe(true);
    expect(vote(nowMs + clockDriftMsMax + 1)).toBe(false);
    expect(vote(0)).toBe(false);
    expect(vote(-1)).toBe(false);
    expect(vote(2 ** 53)).toBe(false);
    expect(vote(Number.NaN)).toBe(false);
    const time = { timestampMs: 7, nowMs, clockDriftMsMax };
    expect(isTimely({ ...time, parentTimestampMs: 6 })).toBe(true);
    expect(isTimely({ ...time, parentTimestampMs: 7 })).toBe(false);
  });

  it("K15: drops a proposal of its own when the view has moved on while it was built", () => {
    const { replica, started } = createReplica(stakes, leader);
    const [order] = only(started, "buildProposal");
    expect(order?.view).toBe(1);
    const vote = { epoch: 0, view: 1, block: first.hash, parentView: 0 };
    const certificate = committee.certificate(vote, [0, 1, 2]);
    replica.step({
      type: "certificateReceived",
      certificate: certificate as Verified<Certificate>,
    });
    expect(replica.status.view).toBe(2);
    const built = makeBlock({ ...first, proposer: leader, name: "late" });
    const result = { valid: true, nextEpoch: null } as const;
    expect(replica.step({ type: "proposalBuilt", block: built, result, nowMs })).toEqual([]);
  });

  it("K3: after a restart sends the same vote again, and no other for that view", () => {
    const before = createReplica(stakes, self);
    const [persisted] = only(receive(before.replica, first), "persist");
    const record = persisted?.record ?? null;
    const { started, replica } = createReplica(stakes, self, { record, blocks: [first] });
    expect(only(started, "sign").map(({ signable }) => signable)).toEqual([
      { type: "vote", vote: record?.vote },
    ]);
    const second = makeBlock({ ...first, proposer: leader, name: "second" });
    expect(only(receive(replica, second), "sign")).toEqual([]);
  });

  it("stays silent without a safety file, or with one older than its own votes", () => {
    const none = createReplica(stakes, self, { record: null });
    expect(none.replica.status.isActive).toBe(false);
    expect(only(receive(none.replica, first), "sign")).toEqual([]);
    const vote = { epoch: 0, view: 1, block: first.hash, parentView: 0 };
    const certificates = [committee.certificate(vote, [0, 1, 2, 3])];
    const old = createReplica(stakes, self, { blocks: [first], certificates });
    expect(old.replica.status.isActive).toBe(false);
    const record: SafetyRecord = { ...emptySafetyRecord(committee.epoch), votedView: 1 };
    const known = createReplica(stakes, self, { blocks: [first], certificates, record });
    expect(known.replica.status.isActive).toBe(true);
  });

  it("D7, N13: falls silent, and says why, at a vote that its record does not know", () => {
    const vote = { epoch: 0, view: 2, block: stubDigest("later"), parentView: 1 };
    const signed = committee.vote(self, vote) as Verified<SignedVote>;
    const certified = committee.certificate(vote, [0, 1, 2, 3]) as Verified<Certificate>;
    const timeout = {
      epoch: 0,
      view: 1,
      highCertificate: parentCertificate,
      entryCertificate: null,
    };
    const left = committee.timeout(self, timeout) as Verified<SignedTimeout>;
    for (const input of [
      { type: "voteReceived", vote: signed },
      { type: "certificateReceived", certificate: certified },
      { type: "timeoutReceived", timeout: left },
    ] as const) {
      const { replica } = createReplica(stakes, self);
      const [silence] = only(replica.step(input), "fallSilent");
      expect(silence?.reason).toContain("by this key, and its record ends at view 0");
      expect(replica.status.isActive).toBe(false);
      expect(only(receive(replica, first), "sign")).toEqual([]);
    }
  });

  it("N13: is not silenced by what it signed itself, however late that comes back", () => {
    const { replica } = createReplica(stakes, self);
    signAll(replica, committee, self, receive(replica, first));
    const vote = committee.vote(self, { epoch: 0, view: 1, block: first.hash, parentView: 0 });
    const echo = replica.step({ type: "voteReceived", vote: vote as Verified<SignedVote> });
    expect(only(echo, "fallSilent")).toEqual([]);
    expect(replica.status.isActive).toBe(true);
  });

  it("leaves a view once, and sends that again byte for byte", () => {
    const { replica } = createReplica(stakes, self);
    const timer = { epoch: 0, view: 1, round: 1 };
    const effects = signAll(replica, committee, self, replica.step({ type: "timerFired", timer }));
    expect(effects.map(({ type }) => type)).toEqual(["persist", "sign", "setTimer", "send"]);
    expect(replica.step({ type: "timerFired", timer })).toEqual([]);
    const later = { ...timer, round: 2 };
    const again = replica.step({ type: "timerFired", timer: later });
    expect(only(again, "send")).toEqual(only(effects, "send"));
    expect(only(again, "sign")).toEqual([]);
    expect(only(receive(replica, first), "sign")).toEqual([]);
  });

  it("joins those who leave once one of them must be honest", () => {
    const { replica } = createReplica(stakes, self);
    const timeout = {
      epoch: 0,
      view: 1,
      highCertificate: parentCertificate,
      entryCertificate: null,
    };
    const from = (signer: number) => {
      const signed = committee.timeout(signer, timeout);
      return replica.step({
        type: "timeoutReceived",
        timeout: signed as Verified<typeof signed>,
      });
    };
    const [a = 0, b = 0] = [0, 1, 2, 3].filter((index) => index !== self);
    expect(only(from(a), "sign")).toEqual([]);
    expect(only(from(b), "sign")).toHaveLength(1);
  });

  it("K12: asks for the block that a certificate speaks of, and again with the timer", () => {
    const { replica } = createReplica(stakes, self);
    const vote = { epoch: 0, view: 1, block: first.hash, parentView: 0 };
    const certificate = committee.certificate(vote, [0, 1, 2]) as Verified<Certificate>;
    const fetched = replica.step({ type: "certificateReceived", certificate });
    expect(only(fetched, "fetchBlock").map(({ block }) => block)).toEqual([first.hash]);
    expect(replica.wants(first.hash)).toBe(true);
    const later = replica.step({ type: "timerFired", timer: { epoch: 0, view: 2, round: 1 } });
    expect(only(later, "fetchBlock")).toHaveLength(1);
    const block = first as Verified<BlockSummary>;
    expect(only(replica.step({ type: "blockFetched", block }), "executeBlock")).toHaveLength(1);
    expect(replica.wants(first.hash)).toBe(false);
  });

  it("K5: commits a block when its child is certified in the view after, and not else", () => {
    const commits = (secondView: number) => {
      const { replica } = createReplica(stakes, self);
      receive(replica, first);
      const voted = { epoch: 0, view: 1, block: first.hash, parentView: 0 };
      const held = committee.certificate(voted, [0, 1, 2]);
      const child = stubDigest("child");
      const vote = { epoch: 0, view: secondView, block: child, parentView: 1 };
      const certificate = committee.certificate(vote, [0, 1, 2]) as Verified<Certificate>;
      replica.step({ type: "certificateReceived", certificate: held as Verified<Certificate> });
      const effects = [...replica.step({ type: "certificateReceived", certificate })];
      const parentCertificate = held;
      const made = makeBlock({
        view: secondView,
        parent: first.hash,
        height: 2,
        parentCertificate,
        proposer: 0,
      });
      const timeouts = [0, 1, 2].map((signer) =>
        committee.timeout(signer, {
          epoch: 0,
          view: secondView - 1,
          highCertificate: held,
          entryCertificate: null,
        }),
      );
      const excuse = secondView === 2 ? null : committee.timeoutCertificate(timeouts);
      for (const proposer of [0, 1, 2, 3]) {
        const block = {
          ...made,
          hash: child,
          proposer: stubAddress(proposer),
          timeoutCertificate: excuse,
        } as Verified<BlockSummary>;
        effects.push(...replica.step({ type: "blockFetched", block }));
      }
      const result = { valid: true, nextEpoch: null } as const;
      effects.push(...replica.step({ type: "blockExecuted", block: child, result }));
      return only(effects, "commit").flatMap(({ blocks }) => blocks);
    };
    expect(commits(2)).toEqual([first.hash]);
    expect(commits(3)).toEqual([]);
  });
});

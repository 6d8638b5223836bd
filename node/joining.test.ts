import { beforeEach, describe, expect, test } from "vitest";
import type { Digest, Verified } from "../base/brand.ts";
import { zeroDigest } from "../base/bytes.ts";
import { NodeError } from "../base/nodeError.ts";
import { accept, refuse } from "../base/outcome.ts";
import type { EpochInfo } from "../consensus/types.ts";
import type { PeerInfo } from "../p2p/network.ts";
import { textToPeerId, type PeerId } from "../p2p/peerId.ts";
import { createFakeCommittee } from "../test/fakes/committee.ts";
import { provedChain, type ProvedChain } from "../test/fakes/provedChain.ts";
import { Joining, type JoiningParts } from "./joining.ts";

/*
 * Goal: a node that comes late follows the one chain that its epoch's committee proved, whatever
 * else it is offered, and who offers that pays for it. Signatures are no signatures: of two chains
 * the verifier knows one.
 */

const { epoch } = createFakeCommittee([1n, 1n, 1n, 1n]);
const honest = provedChain(epoch, 40);
/** Of the same heights, signed by keys that left long ago. */
const forged = provedChain(epoch, 40, 7);

/** The epoch that begins where the honest chain ends, and both chains as one. */
const nextEpoch: EpochInfo = {
  ...epoch,
  epoch: epoch.epoch + 1,
  root: honest.hashes.at(-1) ?? zeroDigest,
  rootHeight: epoch.rootHeight + honest.blocks.length,
};
const following = provedChain(nextEpoch, 40);
const whole: ProvedChain = {
  blocks: [...honest.blocks, ...following.blocks],
  hashes: [...honest.hashes, ...following.hashes],
  proof: following.proof,
};

const good = textToPeerId("good");
const liar = textToPeerId("liar");

/** What each peer has. */
let chains: Map<PeerId, ProvedChain>;
let reports: PeerId[];
let committed: Digest[];
let head: { readonly hash: Digest; readonly height: number };
let executes: () => boolean;
/** The epoch that the store is in, and the one that was begun. */
let stored: EpochInfo;
let begun: EpochInfo;

function partsOf(): JoiningParts {
  return {
    genesis: { hash: zeroDigest },
    network: {
      peers: () => [...chains.keys()].map((peer) => ({ peer }) as PeerInfo),
      watch: () => () => {},
      report: (peer) => void reports.push(peer),
    },
    chain: {
      get epoch() {
        return begun;
      },
      get head() {
        const header = { ...honest.blocks[0]?.header, height: head.height };
        return { hash: head.hash, header } as JoiningParts["chain"]["head"];
      },
      add: (block) => ({ block }) as unknown as ReturnType<JoiningParts["chain"]["add"]>,
      execute: () =>
        Promise.resolve(executes() ? { valid: true, nextEpoch: null } : { valid: false }),
      commit: (hashes) => {
        committed.push(...hashes);
        head = { hash: hashes.at(-1) ?? head.hash, height: head.height + hashes.length };
        return Promise.resolve([]);
      },
      startEpoch: (next) => {
        begun = next;
      },
    },
    store: {
      get epoch() {
        return stored;
      },
    },
    pool: { prepare: () => {} },
    verifier: {
      proof: (proof) => {
        const isKnown = whole.hashes.includes(proof.links[0]?.hash ?? zeroDigest);
        return isKnown ? (proof as Verified<typeof proof>) : null;
      },
    },
    ranges: {
      request: (peer, { from, count }) => {
        const chain = chains.get(peer);
        if (chain === undefined) return Promise.resolve(refuse({ code: "missing" }));
        const length = Math.min(count, chain.blocks.length - from + 1);
        if (length <= 0) return Promise.resolve(refuse({ code: "missing" }));
        const blocks = chain.blocks.slice(from - 1, from - 1 + length);
        const hashes = chain.hashes.slice(from - 1, from - 1 + length);
        return Promise.resolve(
          accept({ blocks, hashes, proof: proofOf(chain, from + length - 1) }),
        );
      },
    },
    askHeight: (peer) => Promise.resolve(chains.get(peer)?.blocks.length ?? null),
    onCommitted: () => {},
    log: { info: () => {}, status: () => false },
  };
}

/** The proof of the block at a height, from the headers of the chain itself. */
function proofOf(chain: ProvedChain, height: number): ProvedChain["proof"] {
  const [first, second] = [chain.blocks[height - 1], chain.blocks[height]];
  if (first === undefined || second === undefined) return chain.proof;
  const next = chain.blocks[height + 1]?.header ?? chain.proof.headers.at(-1);
  if (next === undefined) return chain.proof;
  return { headers: [first.header, second.header], certificate: next.parentCertificate };
}

beforeEach(() => {
  chains = new Map();
  reports = [];
  committed = [];
  head = { hash: epoch.root, height: 0 };
  executes = () => true;
  stored = epoch;
  begun = epoch;
});

describe("a node that comes late", () => {
  test("follows the chain to where its peers are", async () => {
    chains.set(good, honest);
    await new Joining(partsOf()).run(false);
    expect(committed.length).toBeGreaterThanOrEqual(honest.hashes.length - 16);
    expect(committed).toEqual(honest.hashes.slice(0, committed.length));
    expect(reports).toEqual([]);
  });

  test("K17: takes nothing of a fork that other keys signed, and its bringer pays", async () => {
    chains.set(liar, forged);
    chains.set(good, honest);
    await new Joining(partsOf()).run(false);
    expect(committed.length).toBeGreaterThan(0);
    expect(committed).toEqual(honest.hashes.slice(0, committed.length));
    expect(committed.some((hash) => forged.hashes.includes(hash))).toBe(false);
    for (const peer of reports) expect(peer).toBe(liar);
  });

  test("K17: offered a fork alone, it stays where it is and asks on", async () => {
    chains.set(liar, forged);
    const joining = new Joining(partsOf());
    const end = joining.run(false);
    await expect.poll(() => reports).toEqual([liar]);
    expect(joining.progress.height).toBe(0);
    chains.set(good, honest);
    await end;
    expect(committed).toEqual(honest.hashes.slice(0, committed.length));
  });

  test("stops for good where what is proved does not fit what it committed", async () => {
    chains.set(good, honest);
    head = { hash: forged.hashes[0] ?? zeroDigest, height: 0 };
    const failure = await new Joining(partsOf()).run(false).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(NodeError);
    expect(failure).toMatchObject({ code: "E_HALT" });
    expect(committed).toEqual([]);
  });

  test("stops for good where a proved block is invalid here", async () => {
    chains.set(good, honest);
    executes = () => false;
    const failure = await new Joining(partsOf()).run(false).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "E_HALT" });
  });

  test("K21: goes on where consensus stopped, not where it was when that was decided", async () => {
    chains.set(good, honest);
    const joining = new Joining(partsOf());
    head = { hash: honest.hashes[9] ?? zeroDigest, height: 10 };
    await joining.run(false);
    expect(committed.length).toBeGreaterThan(0);
    expect(committed).toEqual(honest.hashes.slice(10, 10 + committed.length));
    expect(reports).toEqual([]);
  });

  test("K21: begins the epoch that consensus had committed but not begun", async () => {
    chains.set(good, whole);
    head = { hash: nextEpoch.root, height: nextEpoch.rootHeight };
    stored = nextEpoch;
    const joining = new Joining(partsOf());
    const end = joining.run(false);
    expect(begun).toBe(nextEpoch);
    await end;
    expect(committed.length).toBeGreaterThan(0);
    expect(committed).toEqual(following.hashes.slice(0, committed.length));
    expect(reports).toEqual([]);
  });

  test("takes the first of two answers of a peer that left and came back", async () => {
    chains.set(good, honest);
    const parts = partsOf();
    const answers: (() => void)[] = [];
    let leave = (_: PeerId): void => {};
    const joining = new Joining({
      ...parts,
      network: {
        ...parts.network,
        watch: ({ left }) => {
          leave = left ?? leave;
          return () => {};
        },
      },
      ranges: {
        request: (...question) =>
          new Promise((resolve) => {
            answers.push(() => resolve(parts.ranges.request(...question)));
          }),
      },
    });
    const end = joining.run(false);
    await expect.poll(() => answers.length).toBe(1);
    leave(good);
    await expect.poll(() => answers.length, { timeout: 10_000 }).toBe(2);
    for (const answer of answers) answer();
    await end;
    expect(committed).toEqual(honest.hashes.slice(0, committed.length));
  });

  test("may be told to stop, and then commits nothing more", async () => {
    const joining = new Joining(partsOf());
    const end = joining.run(false);
    await joining.stop();
    await end;
    chains.set(good, honest);
    expect(committed).toEqual([]);
  });
});

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Address, Digest, Verified } from "../base/brand.ts";
import { bytesToAddress, zeroDigest } from "../base/bytes.ts";
import { encodeStatement } from "../base/statement.ts";
import { rootCertificate } from "../consensus/rules.ts";
import { randomnessStatement, signableBytes } from "../consensus/statements.ts";
import type { Certificate, Evidence } from "../consensus/types.ts";
import { blsSign } from "../crypto/bls.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import { verifySigned } from "../crypto/verify.ts";
import { addressOf, signDigest } from "../crypto/secp256k1.ts";
import { bodyDigests } from "../ledger/block.ts";
import { encodeReport } from "../ledger/blockEvidence.ts";
import type { Block } from "../ledger/blockTypes.ts";
import { decodeEncoded, decodeNative } from "../ledger/decode.ts";
import { createExecutor } from "../ledger/execute.ts";
import type { Genesis } from "../ledger/genesis.ts";
import { blockHash } from "../ledger/header.ts";
import { signThetaTransaction } from "../ledger/sign.ts";
import { coreRegistry } from "../ledger/runtime.ts";
import type { Transaction } from "../ledger/transaction.ts";
import { randomnessOf } from "./blockCheck.ts";
import { Chain, type BuildRequest } from "./chain.ts";
import { DiskStore } from "./diskStore.ts";
import { soleValidatorGenesis } from "./init.ts";
import { createValidatorKeys } from "./keys.ts";
import { NodeMetrics } from "./metrics.ts";
import { Reads } from "./reads.ts";

/*
 * Goal: what one node builds another one accepts, to the same state; anything else in the header is
 * refused; and a commit leaves on disk what a restart needs. Two nodes without network and
 * consensus.
 */

const privateKey = new Uint8Array(32).fill(0x42);
const sender = addressOf(privateKey);
const keys = createValidatorKeys();
const coin = 10n ** 18n;
const genesis: Genesis = soleValidatorGenesis({
  chainName: "chaintest",
  kind: "private",
  keys,
  timestampMs: 1_700_000_000_000,
  funded: [{ address: sender, coins: { thetaWei: 1_000n * coin, tfuelWei: 1_000n * coin } }],
  parameters: new Map([["chain.epochBlocks", 3n]]),
});
const recipient = bytesToAddress(new Uint8Array(20).fill(9));

function transfer(sequence: bigint): Verified<Transaction> {
  const fee = { thetaWei: 0n, tfuelWei: 10n ** 13n };
  const sent = { thetaWei: 0n, tfuelWei: coin };
  const coins = { thetaWei: 0n, tfuelWei: coin + fee.tfuelWei };
  const signature = new Uint8Array(0);
  const signer = { address: sender, sign: (digest: Uint8Array) => signDigest(digest, privateKey) };
  const signed = signThetaTransaction(
    {
      type: "send",
      fee,
      inputs: [{ address: sender, coins, sequence, signature }],
      outputs: [{ address: recipient, coins: sent }],
    },
    genesis.chain.name,
    [signer],
  );
  const decoded = decodeNative(signed, genesis.chain);
  if (!decoded.ok) throw new Error(decoded.refusal.detail);
  const verified = verifySigned(decoded.value.claims, decoded.value.complete);
  if (verified === null) throw new Error("the signature does not verify");
  return verified;
}

function recover(encoded: readonly Uint8Array[]): Promise<readonly Verified<Transaction>[] | null> {
  const transactions: Verified<Transaction>[] = [];
  for (const bytes of encoded) {
    const decoded = decodeEncoded(bytes, genesis.chain);
    const verified = decoded.ok ? verifySigned(decoded.value.claims, decoded.value.complete) : null;
    if (verified === null) return Promise.resolve(null);
    transactions.push(verified);
  }
  return Promise.resolve(transactions);
}

type TestNode = {
  readonly store: DiskStore;
  readonly chain: Chain;
  /** What the recovery of signers waits for. */
  readonly gate: { wait: Promise<void> };
};

async function openNode(folder: string): Promise<TestNode> {
  const names = { hash: genesis.hash, chain: genesis.chain };
  const store = await DiskStore.open({
    folder,
    genesis: { names, whole: () => genesis, remember: () => {} },
    archive: false,
    retainedHeights: 8,
  });
  const { head, epoch, epochRoot } = store;
  const executor = createExecutor(coreRegistry, genesis.chain);
  const metrics = new NodeMetrics();
  const gate = { wait: Promise.resolve() };
  const chain = new Chain({
    executor,
    store,
    metrics,
    recover: (encoded) => gate.wait.then(() => recover(encoded)),
    head,
    epoch,
    epochRoot,
  });
  return { store, chain, gate };
}

/** A certificate in form only: who checks signatures is consensus, which is not here. */
function certificateOf(block: Block, hash: Digest): Certificate {
  const { epoch, view, parentCertificate } = block.header;
  return {
    epoch,
    view,
    block: hash,
    parentView: parentCertificate.view,
    signers: Uint8Array.of(1),
    signature: new Uint8Array(96).fill(7),
  };
}

/** Signs as the proposer of a view of epoch 0. */
function signRandomness(view: number): BuildRequest["signRandomness"] {
  return (parentRandomness) => {
    const scope = { genesis: genesis.hash, scope: "" };
    const statement = randomnessStatement(scope, { epoch: 0, view }, parentRandomness);
    return blsSign(encodeStatement(statement), keys.blsSecretKey);
  };
}

/** The only validator votes for two blocks in one slot. */
function doubleVote(): Evidence {
  const scope = { genesis: genesis.hash, scope: "" };
  const [first, second] = [1, 2].map((name) => {
    const block = keccakDigest(Uint8Array.of(name));
    const vote = { epoch: 0, view: 1, block, parentView: 0 };
    const message = signableBytes(scope, { type: "vote", vote });
    return { vote, signer: 0, signature: blsSign(message, keys.blsSecretKey) };
  });
  if (first === undefined || second === undefined) throw new Error("two votes");
  return { type: "doubleVote", first, second };
}

function requestOn(
  node: TestNode,
  parent: { readonly hash: Digest; readonly certificate: Certificate },
  view: number,
  candidates: readonly Verified<Transaction>[],
): BuildRequest {
  return {
    epoch: node.chain.epoch.epoch,
    view,
    parent: parent.hash,
    parentCertificate: parent.certificate,
    timeoutCertificate: null,
    epochProof: null,
    proposer: keys.address,
    signRandomness: signRandomness(view),
    nowMs: 1_700_000_000_000 + view * 1_000,
    candidates,
    transactionsMax: 100,
    evidence: [],
  };
}

const tfuelOf = (node: TestNode, address: Address): bigint =>
  node.chain.headState().account(address)?.balance ?? 0n;

describe("chain", () => {
  let folder = "";
  const nodes: TestNode[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ledger-chain-"));
  });
  afterEach(async () => {
    for (const { store } of nodes.splice(0)) await store.close();
    rmSync(folder, { recursive: true });
  });
  const open = async (name: string): Promise<TestNode> => {
    const node = await openNode(join(folder, name));
    nodes.push(node);
    return node;
  };

  /** Builds two blocks on the head and commits the first, as two consecutive views do. */
  async function advance(node: TestNode, view: number, transactions: Verified<Transaction>[]) {
    const { epoch } = node.chain;
    const root = { hash: node.chain.head.hash, certificate: rootCertificate(epoch) };
    const first = await built(node, root, view, transactions);
    const parent = { hash: first.hash, certificate: certificateOf(first.block, first.hash) };
    const second = await built(node, parent, view + 1, []);
    const certificate = certificateOf(second.block, second.hash);
    const chain = [first.hash, second.hash];
    const committed = await node.chain.commit(
      [first.hash],
      node.chain.proofOf({ chain, certificate }),
    );
    return { block: first.block, committed };
  }

  async function built(
    node: TestNode,
    parent: { readonly hash: Digest; readonly certificate: Certificate },
    view: number,
    transactions: readonly Verified<Transaction>[],
  ) {
    const proposal = await node.chain.build(requestOn(node, parent, view, transactions));
    if (proposal === null) throw new Error("the parent is held");
    const { hash } = proposal.summary;
    return { hash, block: await stored(node, hash) };
  }

  async function stored(node: TestNode, hash: Digest): Promise<Block> {
    await node.chain.storeBlock(hash);
    const block = node.store.block(hash);
    if (block === null) throw new Error("a stored block is there");
    return block;
  }

  it("commits what it built, and is found the same after a restart", async () => {
    const node = await open("a");
    const { committed } = await advance(node, 1, [transfer(1n), transfer(2n)]);
    expect(committed.map(({ transactions }) => transactions.length)).toEqual([2]);
    expect(tfuelOf(node, recipient)).toBe(2n * coin);
    const { hash } = node.chain.head;
    await node.store.close();
    nodes.pop();
    const again = await open("a");
    expect(again.chain.head.hash).toBe(hash);
    expect(tfuelOf(again, recipient)).toBe(2n * coin);
    expect(again.store.uncommittedBlocks()).toHaveLength(1);
    const reads = new Reads(again.store, genesis.chain);
    const found = reads.transaction(transfer(2n).hash);
    expect(found?.index).toBe(1);
    expect(found?.receipt.status).toBe(1);
    expect(reads.commitProof(hash)?.headers).toHaveLength(2);
  });

  it("commits one block and drops its rival while both are being stored", async () => {
    const node = await open("a");
    const root = { hash: node.chain.head.hash, certificate: rootCertificate(node.chain.epoch) };
    const build = async (parent: typeof root, view: number): Promise<Digest> => {
      const proposal = await node.chain.build(requestOn(node, parent, view, []));
      return proposal?.summary.hash ?? zeroDigest;
    };
    const rival = await build(root, 1);
    const winner = await build(root, 2);
    const block = node.chain.pendingBlock(winner);
    if (block === null) throw new Error("a built block is held");
    const parent = { hash: winner, certificate: certificateOf(block, winner) };
    const child = await build(parent, 3);
    const put = node.store.putBlock.bind(node.store);
    const writes = new Map<Digest, () => Promise<void>>();
    vi.spyOn(node.store, "putBlock").mockImplementation((hash, late) => {
      return new Promise((resolve) => writes.set(hash, async () => resolve(await put(hash, late))));
    });
    const storing = [rival, winner].map(async (hash) => node.chain.storeBlock(hash));
    const proof = { headers: [block.header], certificate: parent.certificate };
    const commit = vi.spyOn(node.store, "commit");
    const committed = node.chain.commit([winner], proof);
    await new Promise((resolve) => setImmediate(resolve));
    expect(commit).not.toHaveBeenCalled();
    await writes.get(winner)?.();
    await committed;
    await writes.get(rival)?.();
    await Promise.all(storing);
    expect(node.store.block(rival)).not.toBeNull();
    await node.chain.commit([child], proof);
    expect(node.store.block(rival)).toBeNull();
    await node.store.close();
    nodes.pop();
    expect((await open("a")).store.uncommittedBlocks()).toEqual([]);
  });

  it("accepts another node's block and comes to the same state", async () => {
    const builder = await open("a");
    const other = await open("b");
    const { block } = await advance(builder, 1, [transfer(1n)]);
    const summary = other.chain.add(block);
    expect(summary).not.toBeNull();
    const result = await other.chain.execute(summary?.hash ?? zeroDigest);
    expect(result).toEqual({ valid: true, nextEpoch: null });
  });

  it("punishes by evidence in a block, and refuses what proves nothing", async () => {
    const builder = await open("a");
    const other = await open("b");
    const encoded = encodeReport({ evidence: doubleVote(), reporter: recipient });
    const parent = {
      hash: builder.chain.head.hash,
      certificate: rootCertificate(builder.chain.epoch),
    };
    const request = { ...requestOn(builder, parent, 1, []), evidence: [encoded] };
    const proposal = await builder.chain.build(request);
    if (proposal === null) throw new Error("the parent is held");
    const block = await stored(builder, proposal.summary.hash);
    expect(block.body.evidence).toEqual([encoded]);
    expect(proposal.summary.isEmpty).toBe(false);
    const summary = other.chain.add(block);
    const result = await other.chain.execute(summary?.hash ?? zeroDigest);
    expect(result.valid).toBe(true);
    const body = { ...block.body, evidence: [encoded, encoded] };
    const wrong = { header: { ...block.header, ...bodyDigests(body) }, body };
    const second = other.chain.add(wrong);
    expect(await other.chain.execute(second?.hash ?? zeroDigest)).toEqual({ valid: false });
  });

  it("refuses a body that its header does not name, and another chain's block", async () => {
    const builder = await open("a");
    const other = await open("b");
    const { block } = await advance(builder, 1, [transfer(1n)]);
    const foreign = { ...block, header: { ...block.header, genesisHash: zeroDigest } };
    const swapped = {
      header: { ...block.header, gasUsed: 0n },
      body: { ...block.body, transactions: [] },
    };
    for (const wrong of [foreign, swapped]) {
      const summary = other.chain.add(wrong);
      const result = await other.chain.execute(summary?.hash ?? zeroDigest);
      expect(result).toEqual({ valid: false });
    }
  });

  it.each(["stateRoot", "receiptsRoot", "gasUsed", "logsBloom", "baseFee", "runtimeHash"] as const)(
    "refuses a block whose %s is not what execution finds",
    async (field) => {
      const builder = await open("a");
      const other = await open("b");
      const { block } = await advance(builder, 1, [transfer(1n)]);
      const wrong = {
        stateRoot: zeroDigest,
        receiptsRoot: zeroDigest,
        runtimeHash: zeroDigest,
        gasUsed: block.header.gasUsed + 1n,
        baseFee: block.header.baseFee + 1n,
        logsBloom: new Uint8Array(256).fill(1),
      }[field];
      const changed = { ...block, header: { ...block.header, [field]: wrong } };
      const summary = other.chain.add(changed);
      const result = await other.chain.execute(summary?.hash ?? zeroDigest);
      expect(result).toEqual({ valid: false });
    },
  );

  it("refuses randomness that is not of the proposer's signature in this slot", async () => {
    const builder = await open("a");
    const other = await open("b");
    const { block } = await advance(builder, 1, []);
    const { randomness } = other.chain.head.header;
    const otherSlot = signRandomness(9)(randomness);
    const chosen = { ...block.header, randomness: zeroDigest };
    const signed = { ...block.header, randomness: randomnessOf(randomness, otherSlot) };
    for (const wrong of [
      { ...block, header: chosen },
      { header: signed, body: { ...block.body, randomnessSignature: otherSlot } },
    ]) {
      const summary = other.chain.add(wrong);
      const result = await other.chain.execute(summary?.hash ?? zeroDigest);
      expect(result).toEqual({ valid: false });
    }
  });

  it("builds nothing on a block that the chain has left behind", async () => {
    const node = await open("a");
    const root = { hash: node.chain.head.hash, certificate: rootCertificate(node.chain.epoch) };
    await advance(node, 1, [transfer(1n)]);
    expect(await node.chain.build(requestOn(node, root, 9, []))).toBeNull();
  });

  it("gives up a block that is dropped while its signers are recovered", async () => {
    const builder = await open("a");
    const node = await open("b");
    const root = { hash: node.chain.head.hash, certificate: rootCertificate(node.chain.epoch) };
    const rival = await built(builder, root, 1, [transfer(1n)]);
    const heir = { hash: rival.hash, certificate: certificateOf(rival.block, rival.hash) };
    const late = await built(builder, heir, 2, [transfer(2n)]);
    node.chain.add(rival.block);
    await node.chain.execute(rival.hash);
    node.chain.add(late.block);
    let recovered = (): void => {};
    node.gate.wait = new Promise((resolve) => (recovered = resolve));
    const executing = node.chain.execute(late.hash);
    node.gate.wait = Promise.resolve();
    await advance(node, 3, []);
    recovered();
    expect(await executing).toEqual({ valid: false });
    // All that is left is of the newest block, as in a node that never saw the dropped ones.
    const other = await open("c");
    await advance(other, 3, []);
    expect(node.store.usage().uncommittedNodes).toBe(other.store.usage().uncommittedNodes);
  });

  it("makes randomness of the parent's and the proposer's signature", async () => {
    const node = await open("a");
    const { randomness } = node.chain.head.header;
    await advance(node, 1, []);
    const made = randomnessOf(randomness, signRandomness(1)(randomness));
    expect(node.chain.head.header.randomness).toBe(made);
  });

  it("X10: a transaction in two forks has the receipt of the committed one", async () => {
    const node = await open("a");
    const { epoch } = node.chain;
    const root = { hash: node.chain.head.hash, certificate: rootCertificate(epoch) };
    const [first, second] = [transfer(1n), transfer(2n)];
    // A leader's block that is held, certified even, and then left behind.
    const rival = await built(node, root, 1, [first, second]);
    const reads = new Reads(node.store, genesis.chain);
    expect(reads.transaction(first.hash)).toBeNull();
    expect(reads.blockByHash(rival.hash)).toBeNull();
    const { block } = await advance(node, 2, [first]);
    const hash = blockHash(block.header);
    expect(hash).not.toBe(rival.hash);
    const found = reads.transaction(first.hash);
    expect(found).toMatchObject({ block: { hash }, index: 0, receipt: { status: 1 } });
    expect(found?.receipt.cumulativeGasUsed).toBe(block.header.gasUsed);
    expect(reads.transaction(second.hash)).toBeNull();
    expect(reads.blockByHash(rival.hash)).toBeNull();
    expect(reads.blockAtHeight(1)?.transactions.map((one) => one.hash)).toEqual([first.hash]);
  });

  it("A7, A9: what is shown never goes back, and all of it is found at any moment", async () => {
    let node = await open("a");
    let reads = new Reads(node.store, genesis.chain);
    const sent = [1n, 2n, 3n].map((sequence) => transfer(sequence));
    let shown = 0;
    const look = (): void => {
      const { hash, header } = node.chain.head;
      expect(header.height).toBeGreaterThanOrEqual(shown);
      shown = header.height;
      expect(reads.headAtHeight(shown)?.hash).toBe(hash);
      // One transfer a block: of those in shown blocks everything is found, of others nothing.
      const found = sent.map((each) => reads.transaction(each.hash)?.receipt.status ?? null);
      expect(found).toEqual(sent.map((_, i) => (i < shown ? 1 : null)));
      expect(tfuelOf(node, recipient)).toBe(BigInt(shown) * coin);
      expect(reads.blockByHash(hash)?.receipts).toHaveLength(Math.min(shown, 1));
      expect(node.chain.headState().root).toBe(header.stateRoot);
    };
    for (const [i, each] of sent.entries()) {
      const root = { hash: node.chain.head.hash, certificate: rootCertificate(node.chain.epoch) };
      // Another leader's block of the same height, executed and left behind.
      await built(node, root, 2 * i + 1, sent.slice(i));
      look();
      let isDone = false;
      const advanced = advance(node, 2 * i + 2, [each]).finally(() => (isDone = true));
      while (!isDone) {
        look();
        await new Promise((resolve) => setImmediate(resolve));
      }
      await advanced;
      look();
      if (i !== 0) continue;
      await node.store.close();
      nodes.pop();
      node = await open("a");
      reads = new Reads(node.store, genesis.chain);
      look();
    }
    expect(shown).toBe(3);
  });

  it("forgets blocks beside the committed one, with their state", async () => {
    const node = await open("a");
    const root = { hash: node.chain.head.hash, certificate: rootCertificate(node.chain.epoch) };
    const rival = await built(node, root, 1, [transfer(1n)]);
    const rivalRoot = node.chain.heldHeader(rival.hash)?.stateRoot ?? zeroDigest;
    await advance(node, 2, [transfer(1n), transfer(2n)]);
    expect(node.chain.heldHeader(rival.hash)).toBeNull();
    expect(node.store.hasState(rivalRoot)).toBe(false);
  });
});

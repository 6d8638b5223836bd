import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Address, Digest, Verified } from "../base/brand.ts";
import { bytesToAddress, zeroDigest } from "../base/bytes.ts";
import { rootCertificate } from "../consensus/rules.ts";
import type { Certificate } from "../consensus/types.ts";
import { verifySigned } from "../crypto/verify.ts";
import { addressOf, signDigest } from "../crypto/secp256k1.ts";
import type { Block } from "../ledger/blockTypes.ts";
import { decodeEncoded, decodeNative } from "../ledger/decode.ts";
import { createExecutor } from "../ledger/execute.ts";
import type { Genesis } from "../ledger/genesis.ts";
import { signThetaTransaction } from "../ledger/sign.ts";
import { coreRegistry } from "../ledger/runtime.ts";
import type { Transaction } from "../ledger/transaction.ts";
import { Chain, randomnessOf, type BuildRequest } from "./chain.ts";
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

type TestNode = { readonly store: DiskStore; readonly chain: Chain };

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
  const chain = new Chain({ executor, store, metrics, recover, head, epoch, epochRoot });
  return { store, chain };
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
    signRandomness: () => new Uint8Array(96).fill(view),
    nowMs: 1_700_000_000_000 + view * 1_000,
    candidates,
    transactionsMax: 100,
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
    const first = await node.chain.build(requestOn(node, root, view, transactions));
    const block = await stored(node, first.summary.hash);
    const held = certificateOf(block, first.summary.hash);
    const parent = { hash: first.summary.hash, certificate: held };
    const second = await node.chain.build(requestOn(node, parent, view + 1, []));
    const last = await stored(node, second.summary.hash);
    const certificate = certificateOf(last, second.summary.hash);
    const chain = [first.summary.hash, second.summary.hash];
    const committed = await node.chain.commit([first.summary.hash], { chain, certificate });
    return { block, committed };
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

  it("accepts another node's block and comes to the same state", async () => {
    const builder = await open("a");
    const other = await open("b");
    const { block } = await advance(builder, 1, [transfer(1n)]);
    const summary = other.chain.add(block);
    expect(summary).not.toBeNull();
    const result = await other.chain.execute(summary?.hash ?? zeroDigest);
    expect(result).toEqual({ valid: true, nextEpoch: null });
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

  it("makes randomness of the parent's and the proposer's signature", async () => {
    const node = await open("a");
    const { randomness } = node.chain.head.header;
    await advance(node, 1, []);
    const made = randomnessOf(randomness, new Uint8Array(96).fill(1));
    expect(node.chain.head.header.randomness).toBe(made);
  });

  it("forgets blocks beside the committed one, with their state", async () => {
    const node = await open("a");
    const root = { hash: node.chain.head.hash, certificate: rootCertificate(node.chain.epoch) };
    const rival = await node.chain.build(requestOn(node, root, 1, [transfer(1n)]));
    const rivalRoot = node.chain.heldHeader(rival.summary.hash)?.stateRoot ?? zeroDigest;
    await advance(node, 2, [transfer(1n), transfer(2n)]);
    expect(node.chain.heldHeader(rival.summary.hash)).toBeNull();
    expect(node.store.hasState(rivalRoot)).toBe(false);
  });
});

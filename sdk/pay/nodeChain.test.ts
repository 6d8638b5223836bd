import { beforeAll, expect, test } from "vitest";
import type { Digest } from "../../base/brand.ts";
import type { SignedVoucher, VoucherChain } from "../../ledger/voucher.ts";
import { PayWorld, resourceId, testAddress, testSigner } from "../../test/fakes/payWorld.ts";
import { poolId, PoolNodes } from "../../test/fakes/poolNode.ts";
import type { SignedEpochs } from "../../test/fakes/signedEpochs.ts";
import type { TrustStore } from "../light/client.ts";
import type { TrustedEpoch } from "../light/committees.ts";
import { NodeChain } from "./nodeChain.ts";
import { Receiver } from "./receiver.ts";
import { Watcher } from "./watcher.ts";

/*
 * Goal: a receiver and a watcher see a pool as the committees of the chain have committed it, over
 * changes of the committee, and a node that invents one is refused. Method: real state trees under
 * headers that are really signed.
 */

let nodes: PoolNodes;

beforeAll(async () => {
  nodes = await PoolNodes.open();
});

/** What a wallet has seen of the honest chain in its first epoch. */
async function seen(): Promise<TrustStore & { kept: TrustedEpoch | null }> {
  const store = {
    kept: null as TrustedEpoch | null,
    load: () => Promise.resolve(store.kept),
    keep: (_: Digest, trusted: TrustedEpoch) => Promise.resolve(void (store.kept = trusted)),
  };
  const node = nodes.node();
  node.head = 1;
  expect(await chainOf(() => node, store).height()).toBe(1);
  return store;
}

function chainOf(node: () => SignedEpochs, store: TrustStore): NodeChain {
  const { genesisHash } = node();
  const names: VoucherChain = { name: "privatenet", id: 366, genesisHash };
  const never = (): Promise<never> => Promise.reject(new Error("nothing is handed in here"));
  const client = {
    call: (method: string, parameters: unknown) => node().call(method, parameters),
    nextSequence: never,
    suggestedFee: never,
    broadcast: never,
    transaction: never,
  };
  const now = (): number => node().headers.at(-1)?.timestampMs ?? 0;
  return new NodeChain({ client, signer: testSigner(2), trust: { store, now } }, names);
}

function receiverAt(chain: NodeChain): Receiver {
  const { receiverStore, nowMs } = new PayWorld();
  return new Receiver({ address: testAddress(2), chain, store: receiverStore, now: () => nowMs });
}

async function voucher(chain: NodeChain, amount: bigint): Promise<SignedVoucher> {
  const world = new PayWorld();
  const payer = await world.payer({ chain: chain.names });
  const paid = await payer.pay({ target: testAddress(2), resourceId, cost: amount, range: null });
  if (!paid.ok) throw new Error("the payer pays");
  return paid.value.voucher;
}

test("a pool is seen before and after the committee changed", async () => {
  const store = await seen();
  const node = nodes.node();
  const chain = chainOf(() => node, store);
  for (const head of [2, 3, 4, 5]) {
    node.head = head;
    expect(await chain.pool(poolId, testAddress(2), resourceId)).toMatchObject({
      fund: 1_000n,
      collateral: 1_600n,
      hasResource: true,
      height: head,
    });
  }
  expect(store.kept?.committee.epoch).toBe(1);
  expect(await chain.pool({ ...poolId, sequence: 2n }, testAddress(2), resourceId)).toBeNull();
});

test.each<[what: string, lie: { readonly signers: readonly (readonly string[])[] }, head: number]>([
  ["signed by nobody of the committee", { signers: [["x1", "x2", "x3"]] }, 2],
  ["signed by a minority", { signers: [["a1", "a2"]] }, 2],
  [
    "signed by the committee before",
    {
      signers: [
        ["a1", "a2", "a3"],
        ["a1", "a2", "a3"],
      ],
    },
    5,
  ],
])("a node that invents a larger pool is refused: %s", async (_, lie, head) => {
  const store = await seen();
  const node = nodes.node({ ...lie, inflated: true });
  node.head = head;
  const chain = chainOf(() => node, store);
  const asked = chain.pool(poolId, testAddress(2), resourceId);
  await expect(asked).rejects.toMatchObject({ code: "E_PROOF_INVALID" });

  // Who serves on a voucher needs the chain, and settles or slashes nothing on a lie.
  const receiver = receiverAt(chain);
  await expect(receiver.tick()).rejects.toMatchObject({ code: "E_PROOF_INVALID" });
  const given = { voucher: await voucher(chain, 50n), resourceId, cost: 50n, range: null };
  expect(await receiver.charge(given)).toMatchObject({
    ok: false,
    refusal: { code: "chainSilent" },
  });
  const vouchers = (): Promise<readonly SignedVoucher[]> => Promise.resolve([given.voucher]);
  const watcher = new Watcher({ chain, vouchers, blocksLeftMin: 60 });
  await expect(watcher.tick()).rejects.toMatchObject({ code: "E_PROOF_INVALID" });
});

test("a node that begins to lie while a receiver serves: nothing more is taken", async () => {
  const store = await seen();
  let node = nodes.node();
  node.head = 2;
  const chain = chainOf(() => node, store);
  const receiver = receiverAt(chain);
  await receiver.tick();
  node = nodes.node({ signers: [["x1", "x2", "x3"]], inflated: true });
  node.head = 3;
  const given = { voucher: await voucher(chain, 50n), resourceId, cost: 50n, range: null };
  expect(await receiver.charge(given)).toMatchObject({
    ok: false,
    refusal: { code: "chainUnreachable" },
  });
});

test("another pool's nodes prove nothing under a header that is signed", async () => {
  const store = await seen();
  const node = nodes.node();
  node.head = 2;
  const { answer } = nodes.node({ inflated: true });
  node.answer = answer;
  const asked = chainOf(() => node, store).pool(poolId, testAddress(2), resourceId);
  await expect(asked).rejects.toMatchObject({ code: "E_PROOF_INVALID" });
});

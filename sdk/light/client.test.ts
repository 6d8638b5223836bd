import { expect, test } from "vitest";
import type { Digest } from "../../base/brand.ts";
import { zeroDigest } from "../../base/bytes.ts";
import { signedEpochBlocks, SignedEpochs } from "../../test/fakes/signedEpochs.ts";
import { headAgeMsMax, LightClient, type LightClientParts, type TrustStore } from "./client.ts";
import type { TrustedEpoch } from "./committees.ts";

/*
 * Goal: nothing is believed that a committee of the chain has not committed, whatever a node tells,
 * and committees are believed by the hand-over of the one before. Method: chains whose headers are
 * really signed, by committees that change completely, and nodes that lie in one thing each.
 */

const [one, two, three] = [
  ["a1", "a2", "a3", "a4"],
  ["b1", "b2", "b3"],
  ["c1", "c2", "c3"],
] as const;
const honest = (): SignedEpochs => new SignedEpochs([one, two, three]);

/** What survives from one run to the next. */
class MemoryTrust implements TrustStore {
  kept: TrustedEpoch | null = null;

  load(): Promise<TrustedEpoch | null> {
    return Promise.resolve(this.kept);
  }

  keep(_genesisHash: Digest, trusted: TrustedEpoch): Promise<void> {
    this.kept = trusted;
    return Promise.resolve();
  }
}

function lightClient(node: SignedEpochs, parts: Partial<LightClientParts> = {}): LightClient {
  const now = (): number => node.headers.at(-1)?.timestampMs ?? 0;
  return new LightClient({ node, genesisHash: node.genesisHash, now, ...parts });
}

/** A client that has followed the honest chain in epoch 0, and what it kept. */
async function follower(): Promise<MemoryTrust> {
  const node = honest();
  node.head = 2;
  const store = new MemoryTrust();
  expect(await lightClient(node, { store }).height()).toBe(2);
  return store;
}

test("committees are followed from epoch to epoch between two proofs", async () => {
  const node = honest();
  const store = new MemoryTrust();
  const client = lightClient(node, { store });
  for (const head of [2, 4, 5, 9]) {
    node.head = head;
    expect(await client.height()).toBe(head);
  }
  expect(store.kept?.committee).toEqual(node.committee(2));
  expect(node.calls.filter((method) => method === "ledger.getEpochs")).toHaveLength(3);
});

test("the next run begins where this one has come to", async () => {
  const store = await follower();
  const node = honest();
  expect(await lightClient(node, { store }).height()).toBe(9);
  expect(store.kept?.rootHeight).toBe(2 * signedEpochBlocks);
});

test("proofs that are asked for at once follow one way", async () => {
  const store = await follower();
  const node = honest();
  const client = lightClient(node, { store });
  const heights = await Promise.all([client.height(), client.height(), client.height()]);
  expect(heights).toEqual([9, 9, 9]);
  expect(node.calls.filter((method) => method === "ledger.getEpochs")).toHaveLength(1);
});

const strangers = ["x1", "x2", "x3", "x4"];

test.each<[what: string, node: () => SignedEpochs, refusal: RegExp]>([
  [
    "a head that strangers have signed",
    () => new SignedEpochs([one], { signers: [strangers] }),
    /signatureInvalid/,
  ],
  [
    "a head that two of four have signed",
    () => new SignedEpochs([one], { signers: [["a1", "a2"]] }),
    /stakeTooLow/,
  ],
  [
    "a committee that the one before did not hand over to",
    () => new SignedEpochs([strangers, strangers.slice(1)]),
    /hand-over of committees.*signatureInvalid/,
  ],
  [
    "an epoch's last block that names another committee than is told",
    () => new SignedEpochs([one, two], { lies: new Map([[4, { nextCommitteeHash: zeroDigest }]]) }),
    /names another committee/,
  ],
  [
    "another chain's headers",
    () => new SignedEpochs([one], { lies: new Map([[1, { genesisHash: zeroDigest }]]) }),
    /another chain|chainBroken/,
  ],
])("a node that lies is refused: %s", async (_, make, refusal) => {
  const store = await follower();
  const node = make();
  if (node.headers.length <= signedEpochBlocks) node.head = 1;
  else node.head = signedEpochBlocks + 1;
  const before = store.kept;
  await expect(lightClient(node, { store }).height()).rejects.toMatchObject({
    code: "E_PROOF_INVALID",
    message: expect.stringMatching(refusal) as string,
  });
  expect(store.kept).toBe(before);
});

test("a node that hides the hand-over, or goes back, or stands still, is refused", async () => {
  const node = honest();
  const client = lightClient(node, { store: await follower() });
  const hiding = {
    call: (method: string, parameters: unknown) =>
      method === "ledger.getEpochs"
        ? Promise.resolve({ epochs: [] })
        : node.call(method, parameters),
  };
  const hidden = lightClient(node, { store: await follower(), node: hiding });
  await expect(hidden.height()).rejects.toThrow(/nothing hands over to epoch 2/);

  expect(await client.height()).toBe(9);
  node.head = 8;
  await expect(client.height()).rejects.toThrow(/its newest block is 8, and 9 was seen before/);
  node.head = 1;
  await expect(client.height()).rejects.toThrow(/the committee of epoch 0 is unknown/);

  const late = (): number => (node.headers[9]?.timestampMs ?? 0) + headAgeMsMax + 1;
  node.head = 9;
  await expect(lightClient(node, { now: late }).height()).rejects.toThrow(/15 minutes old/);
});

test("an epoch that is known to be of the chain is where it begins", async () => {
  const node = honest();
  const anchor = { epoch: 1, root: node.root(1) };
  let contacts = 0;
  const onFirstContact = (): void => void (contacts += 1);
  expect(await lightClient(node, { anchor, onFirstContact }).height()).toBe(9);
  const wrong = lightClient(node, { anchor: { epoch: 1, root: zeroDigest }, onFirstContact });
  await expect(wrong.height()).rejects.toThrow(/epoch 1 began with/);
  expect(contacts).toBe(0);
  expect(await lightClient(node, { onFirstContact }).height()).toBe(9);
  expect(contacts).toBe(1);
});

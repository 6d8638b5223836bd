import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Address, Digest } from "../base/brand.ts";
import { bytesToAddress, bytesToDigest, bytesToHexDigits, hexToBytes } from "../base/bytes.ts";
import { moduleAddress } from "../base/moduleAddress.ts";
import { emptyKeccak, keccak256, keccakDigest } from "../crypto/keccak.ts";
import { decodeAccountOrNull, emptyRoot, type Account } from "./account.ts";
import { CorruptionError, PrunedError } from "./failures.ts";
import type { KeyValueWrite } from "./keyValue.ts";
import { startWalk, walk } from "./difference.ts";
import { countKey, nodeKey, nodeKinds, nodeRange, type NodeKind } from "./keys.ts";
import { MemoryKeyValue } from "./memory.ts";
import { branchChild, decodeNode } from "./nodes.ts";
import { verifyProof } from "./proof.ts";
import { recount } from "./recount.ts";
import { readCount } from "./references.ts";
import { readReplaced, readReplacedFrom } from "./replacedNodes.ts";
import type { StateChanges } from "./stateChange.ts";
import { openStateTree, readNode, type Retention, type StateTree } from "./stateTree.ts";

function addressOf(number: number): Address {
  return bytesToAddress(keccak256(Uint8Array.of(number)).slice(0, 20));
}

function slotOf(number: number): Digest {
  return bytesToDigest(new Uint8Array(32).fill(number));
}

function accountOf(balance: bigint, codeHash: Digest = emptyKeccak): Account {
  return { nonce: 0n, balance, storageRoot: emptyRoot, codeHash };
}

const nothing: StateChanges = {
  accounts: new Map(),
  storage: new Map(),
  storageCleared: new Set(),
  code: new Map(),
  modules: new Map(),
};

function balances(pairs: readonly (readonly [number, bigint | null])[]): StateChanges {
  const accounts = pairs.map(
    ([n, balance]) => [addressOf(n), balance === null ? null : accountOf(balance)] as const,
  );
  return { ...nothing, accounts: new Map(accounts) };
}

async function commit(
  store: MemoryKeyValue,
  tree: StateTree,
  height: number,
  changes: StateChanges,
): Promise<Digest> {
  const root = tree.apply(tree.newest?.root ?? emptyRoot, changes);
  await store.write(tree.commitWrites(height, root));
  tree.committed();
  return root;
}

const archive = { retention: { type: "archive" } } as const;

describe("state", () => {
  test("accounts, storage, code and module values are read back at each root", async () => {
    const store = new MemoryKeyValue();
    const tree = await openStateTree(store, archive);
    const code = hexToBytes("6001600255");
    const first = await commit(store, tree, 0, {
      ...nothing,
      accounts: new Map([[addressOf(1), accountOf(5n, keccakDigest(code))]]),
      storage: new Map([[addressOf(1), new Map([[slotOf(7), Uint8Array.of(9)]])]]),
      code: new Map([[keccakDigest(code), code]]),
      modules: new Map([["bank", new Map([["01aa", Uint8Array.of(3)]])]]),
    });
    const second = await commit(store, tree, 1, {
      ...nothing,
      accounts: new Map([[addressOf(1), accountOf(6n, keccakDigest(code))]]),
      storage: new Map([[addressOf(1), new Map([[slotOf(7), null]])]]),
      modules: new Map([["bank", new Map([["01ab", Uint8Array.of(4)]])]]),
    });
    const old = tree.reader(first);
    expect(old.account(addressOf(1))?.balance).toBe(5n);
    expect(old.storage(addressOf(1), slotOf(7))).toEqual(Uint8Array.of(9));
    expect(old.code(keccakDigest(code))).toEqual(code);
    expect(old.code(emptyKeccak)).toBeNull();
    const now = tree.reader(second);
    expect(now.account(addressOf(1))).toEqual(accountOf(6n, keccakDigest(code)));
    expect(now.account(addressOf(2))).toBeNull();
    expect(now.storage(addressOf(1), slotOf(7))).toBeNull();
    expect(now.moduleValue("bank", hexToBytes("01aa"))).toEqual(Uint8Array.of(3));
    const range = { from: hexToBytes("01"), to: hexToBytes("02") };
    const keys = [...now.moduleRange("bank", range)].map(([key]) => bytesToHexDigits(key));
    expect(keys).toEqual(["01aa", "01ab"]);
    expect([...now.moduleRange("bank", { ...range, limit: 1 })]).toHaveLength(1);
    expect([...now.moduleRange("stake", range)]).toEqual([]);
  });

  test("a module's account comes with its first value and goes with its last", async () => {
    const store = new MemoryKeyValue();
    const tree = await openStateTree(store, archive);
    const address = moduleAddress("bank");
    const put = { ...nothing, modules: new Map([["bank", new Map([["01", Uint8Array.of(1)]])]]) };
    const root = await commit(store, tree, 0, put);
    expect(tree.reader(root).account(address)).toMatchObject({ nonce: 1n, balance: 0n });
    const written = { ...nothing, accounts: new Map([[address, accountOf(8n)]]) };
    const paid = await commit(store, tree, 1, written);
    expect(tree.reader(paid).account(address)).toMatchObject({ nonce: 0n, balance: 8n });
    expect(tree.reader(paid).moduleValue("bank", Uint8Array.of(1))).toEqual(Uint8Array.of(1));
    const removed = { ...nothing, accounts: new Map([[address, null]]) };
    expect(await commit(store, tree, 2, removed)).toBe(root);
    const cleared = { ...nothing, modules: new Map([["bank", new Map([["01", null]])]]) };
    expect(await commit(store, tree, 3, cleared)).toBe(emptyRoot);
  });

  test("forks share parents, and a dead block never touches the disk", async () => {
    const store = new MemoryKeyValue();
    const tree = await openStateTree(store, archive);
    const genesis = await commit(store, tree, 0, balances([[1, 1n]]));
    const left = tree.apply(genesis, balances([[2, 2n]]));
    const leaf = tree.apply(left, balances([[3, 3n]]));
    const right = tree.apply(genesis, balances([[2, 5n]]));
    expect(tree.reader(leaf).account(addressOf(2))?.balance).toBe(2n);
    expect(tree.reader(right).account(addressOf(2))?.balance).toBe(5n);
    await store.write(tree.commitWrites(1, right));
    tree.committed();
    tree.discard({ parent: left, root: leaf });
    tree.discard({ parent: genesis, root: left });
    expect(tree.usage.uncommittedNodes).toBe(0);
    expect(() => tree.reader(leaf)).toThrow(PrunedError);
    expect((await recount(store)).problems).toEqual([]);
  });

  test("proofs of presence and absence verify against the root", async () => {
    const store = new MemoryKeyValue();
    const tree = await openStateTree(store, archive);
    const root = await commit(store, tree, 0, {
      ...balances(Array.from({ length: 40 }, (_, i) => [i, BigInt(i)])),
      storage: new Map([[addressOf(1), new Map([[slotOf(7), Uint8Array.of(9)]])]]),
    });
    for (const n of [0, 1, 39, 40, 77]) {
      const { accountProof, storageProofs } = tree.proof(root, addressOf(n), [slotOf(7)]);
      const key = keccak256(hexToBytes(addressOf(n)));
      const outcome = verifyProof(hexToBytes(root), key, accountProof);
      const value = outcome.ok ? outcome.value : new Uint8Array(0);
      const account = value === null ? null : decodeAccountOrNull(value);
      expect(account?.balance ?? null).toBe(n < 40 ? BigInt(n) : null);
      const slot = keccak256(hexToBytes(slotOf(7)));
      const words = verifyProof(
        account?.storageRoot ?? hexToBytes(emptyRoot),
        slot,
        storageProofs[0] ?? [],
      );
      expect(words).toEqual({ ok: true, value: n === 1 ? Uint8Array.of(9) : null });
    }
  });
});

/** A balance, or the name of what was thrown. */
function answerOf(read: () => Account | null): string {
  try {
    return String(read()?.balance);
  } catch (error) {
    return error instanceof Error ? error.name : "unknown";
  }
}

describe("pruning", () => {
  test("heights outside the window go, those inside answer as an archive does", async () => {
    const pruned = new MemoryKeyValue();
    const whole = new MemoryKeyValue();
    const retention: Retention = { type: "recent", heights: 3, every: 10 };
    const tree = await openStateTree(pruned, { retention });
    const full = await openStateTree(whole, archive);
    const roots: Digest[] = [];
    for (let height = 0; height < 25; height += 1) {
      const changes = balances([
        [height % 7, BigInt(height)],
        [height, height % 3 === 0 ? null : 1n],
      ]);
      roots.push(await commit(pruned, tree, height, changes));
      expect(await commit(whole, full, height, changes)).toBe(roots[height]);
    }
    // 21 goes with the next commit.
    expect(tree.retained.map(({ height }) => height)).toEqual([0, 10, 20, 21, 22, 23, 24]);
    const gone = roots.filter((root) => !tree.has(root));
    for (const root of gone) expect(() => tree.reader(root)).toThrow(PrunedError);
    const kept = roots.filter((root) => tree.has(root));
    expect(kept.length).toBeGreaterThanOrEqual(7);
    for (const root of kept) {
      for (let n = 0; n < 25; n += 1) {
        const account = full.reader(root).account(addressOf(n));
        expect(tree.reader(root).account(addressOf(n))).toEqual(account);
      }
    }
    expect((await recount(pruned)).problems).toEqual([]);
  });

  test("D10: a reader at a height being pruned says so, never half an answer", async () => {
    const store = new MemoryKeyValue();
    const tree = await openStateTree(store, { ...archive, cacheBytes: 0 });
    const many = balances(Array.from({ length: 60 }, (_, i) => [i, 1n]));
    const old = await commit(store, tree, 0, many);
    const reader = tree.reader(old);
    await commit(store, tree, 1, balances(Array.from({ length: 60 }, (_, i) => [i, 2n])));
    tree.release(0);
    for (;;) {
      const writes = tree.releaseWrites(5);
      if (writes.length === 0) break;
      await store.write(writes);
      tree.committed();
      expect((await recount(store)).problems).toEqual([]);
      for (let n = 0; n < 60; n += 1) {
        expect(["1", "PrunedError"]).toContain(answerOf(() => reader.account(addressOf(n))));
      }
    }
    expect(tree.usage.releasing).toBe(0);
  });

  test("a pinned height stays until it is let go", async () => {
    const store = new MemoryKeyValue();
    const tree = await openStateTree(store, {
      retention: { type: "recent", heights: 2, every: 0 },
    });
    const root = await commit(store, tree, 0, balances([[1, 1n]]));
    expect(tree.pin(0)).toBe(true);
    for (let n = 1; n < 6; n += 1) await commit(store, tree, n, balances([[1, BigInt(n + 1)]]));
    expect(tree.reader(root).account(addressOf(1))?.balance).toBe(1n);
    tree.unpin(0);
    await commit(store, tree, 6, balances([[1, 9n]]));
    expect(tree.retained.map(({ height }) => height)).toEqual([4, 5, 6]);
    expect((await recount(store)).problems).toEqual([]);
  });
});

describe("damage", () => {
  async function makeStore(): Promise<{ store: MemoryKeyValue; root: Digest }> {
    const store = new MemoryKeyValue();
    const tree = await openStateTree(store, archive);
    const root = await commit(store, tree, 0, balances([1, 2, 3, 4].map((n) => [n, 1n])));
    return { store, root };
  }

  test("D5: a flipped bit in any node is detected, and the key is named", async () => {
    const { store, root } = await makeStore();
    const keys: Uint8Array[] = [];
    for await (const [key] of store.range(nodeRange("account"))) keys.push(key);
    for (const key of keys) {
      const value = store.get(key) ?? new Uint8Array(0);
      const damaged = value.with(value.length >> 1, (value[value.length >> 1] ?? 0) ^ 4);
      await store.write([{ type: "put", key, value: damaged }]);
      const tree = await openStateTree(store, archive);
      const read = (): unknown => [1, 2, 3, 4].map((n) => tree.reader(root).account(addressOf(n)));
      expect(read).toThrow(CorruptionError);
      expect(read).toThrow(bytesToHexDigits(key));
      expect((await recount(store)).problems.join()).toMatch(/damaged/);
      await store.write([{ type: "put", key, value }]);
    }
  });

  test("D9: the recount finds a lost node, a stray node and a wrong count", async () => {
    const { store, root } = await makeStore();
    const key = nodeKey("account", hexToBytes(root));
    const value = readNode(store, "account", hexToBytes(root)) ?? new Uint8Array(0);
    expect(decodeNode(value)).not.toBeNull();
    await store.write([{ type: "delete", key }]);
    expect((await recount(store)).problems.join()).toMatch(/missing/);
    await store.write([{ type: "put", key, value }]);
    const stray = Uint8Array.of(1, 2, 3);
    await store.write([{ type: "put", key: nodeKey("code", keccak256(stray)), value: stray }]);
    expect((await recount(store)).problems.join()).toMatch(/count 1, recounted 0/);
    await store.write([
      { type: "delete", key: nodeKey("code", keccak256(stray)) },
      { type: "put", key: countKey("account", hexToBytes(root)), value: Uint8Array.of(0, 0, 0, 2) },
    ]);
    expect((await recount(store)).problems.join()).toMatch(/count 2, recounted 1/);
  });
});

/**
 * Every place of a state and the node it holds: `kind hash` by trie and path, the slow plain way.
 */
function placesOf(store: MemoryKeyValue, root: Digest): Map<string, string> {
  const places = new Map<string, string>();
  function visit(kind: "account" | "storage", trie: string, ref: Uint8Array, path: string): void {
    const isStored = ref.length === 32;
    const bytes = isStored ? readNode(store, kind, ref) : ref;
    const node = bytes === null ? null : decodeNode(bytes);
    if (node === null) throw new Error(`no node at ${trie}:${path}`);
    if (isStored) places.set(`${trie}:${path}`, `${kind} ${bytesToHexDigits(ref)}`);
    if (node.type === "branch") {
      for (let nibble = 0; nibble < 16; nibble += 1) {
        const child = branchChild(node, nibble);
        if (child instanceof Uint8Array) visit(kind, trie, child, path + nibble.toString(16));
      }
      return;
    }
    const end = path + Array.from(node.path, (nibble) => nibble.toString(16)).join("");
    if (node.type === "extension") {
      if (node.child instanceof Uint8Array) visit(kind, trie, node.child, end);
      return;
    }
    const account = kind === "account" ? decodeAccountOrNull(node.value) : null;
    if (account === null) return;
    const storageRoot = bytesToDigest(account.storageRoot);
    if (storageRoot !== emptyRoot) visit("storage", end, account.storageRoot, "");
    const code = bytesToDigest(account.codeHash);
    if (code !== emptyKeccak) places.set(`code:${end}`, `code ${code.slice(2)}`);
  }
  if (root !== emptyRoot) visit("account", "accounts", hexToBytes(root), "");
  return places;
}

/** Stays by node, from the definition. */
function staysOf(store: MemoryKeyValue, tree: StateTree): Map<string, number> {
  const stays = new Map<string, number>();
  let before = new Map<string, string>();
  for (const { root } of tree.retained) {
    const places = placesOf(store, root);
    for (const [place, node] of places) {
      if (before.get(place) !== node) stays.set(node, (stays.get(node) ?? 0) + 1);
    }
    before = places;
  }
  return stays;
}

async function storedCounts(store: MemoryKeyValue): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const kind of nodeKinds) {
    for await (const [key] of store.range(nodeRange(kind))) {
      const hash = key.slice(1);
      counts.set(`${kind} ${bytesToHexDigits(hash)}`, readCount(store, kind, hash));
    }
  }
  return counts;
}

function nameOf({ kind, hash }: { readonly kind: NodeKind; readonly hash: Uint8Array }): string {
  return `${kind} ${bytesToHexDigits(hash)}`;
}

function rootBytes(root: Digest | undefined): Uint8Array | null {
  return root === undefined ? null : hexToBytes(root);
}

describe("D9: counts equal a recount, whatever happens", () => {
  const small = fc.integer({ min: 0, max: 5 });
  const word = fc.option(fc.integer({ min: 1, max: 3 }).map((byte) => Uint8Array.of(byte)));
  const slots = fc.array(fc.tuple(small, word), { maxLength: 6 });
  const codes = [1, 2].map((byte) => new Uint8Array(40).fill(byte));
  const touch = fc.record({
    who: small,
    balance: fc.option(fc.integer({ min: 0, max: 2 }), { freq: 4 }),
    code: fc.constantFrom(null, ...codes),
    slots,
    isCleared: fc.boolean(),
  });
  const block = fc.record({
    touches: fc.array(touch, { maxLength: 6 }),
    pairs: fc.array(fc.tuple(fc.constantFrom("bank", "stake"), small, word), { maxLength: 5 }),
  });
  type Block = typeof block extends fc.Arbitrary<infer T> ? T : never;
  const deed = fc.oneof(
    { weight: 6, arbitrary: fc.record({ type: fc.constant("commit" as const), block }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant("fork" as const), block }) },
    {
      weight: 3,
      arbitrary: fc.record({ type: fc.constant("release" as const), pick: fc.nat(), steps: small }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ type: fc.constant("crash" as const), before: fc.boolean() }),
    },
  );

  function changesOf(tree: StateTree, parent: Digest, { touches, pairs }: Block): StateChanges {
    const accounts = new Map<Address, Account | null>();
    const storage = new Map<Address, Map<Digest, Uint8Array | null>>();
    const storageCleared = new Set<Address>();
    const code = new Map<Digest, Uint8Array>();
    for (const { who, balance, code: bytes, slots: words, isCleared } of touches) {
      const address = addressOf(who);
      storage.delete(address);
      storageCleared.delete(address);
      if (bytes !== null) code.set(keccakDigest(bytes), bytes);
      const hash = bytes === null ? emptyKeccak : keccakDigest(bytes);
      accounts.set(address, balance === null ? null : accountOf(BigInt(balance), hash));
      if (balance === null) continue;
      storage.set(address, new Map(words.map(([slot, value]) => [slotOf(slot), value])));
      if (isCleared) storageCleared.add(address);
    }
    const modules = new Map<string, Map<string, Uint8Array | null>>();
    for (const [name, key, value] of pairs) {
      const values = modules.get(name) ?? new Map<string, Uint8Array | null>();
      modules.set(name, values.set(`010${key}`, value));
    }
    expect(tree.has(parent)).toBe(true);
    return { accounts, storage, storageCleared, code, modules };
  }

  /** So many heights that none goes by itself, and each commit leaves its list. */
  const window = { retention: { type: "recent", heights: 1_000, every: 0 } } as const;

  /** Every list says what a walk would find; answers how many there are. */
  function checkLists(store: MemoryKeyValue, tree: StateTree): number {
    let lists = 0;
    tree.retained.forEach(({ height, root }, i) => {
      const list = [...readReplacedFrom(store, height, 0)].map(nameOf);
      const before = tree.retained[i - 1];
      if (list.length === 0) return;
      lists += 1;
      // The height before may be the one that is being released by this very list.
      if (readReplaced(store, height, 0)?.before !== before?.height) return;
      const walked: string[] = [];
      const roots = { before: null, middle: rootBytes(before?.root), after: hexToBytes(root) };
      const port = {
        load: (kind: NodeKind, hash: Uint8Array) => readNode(store, kind, hash) ?? hash,
        ended: (kind: NodeKind, hash: Uint8Array) => walked.push(nameOf({ kind, hash })),
      };
      walk(startWalk("account", roots), port, Number.POSITIVE_INFINITY);
      expect(new Set(list)).toEqual(new Set(walked));
      expect(list).toHaveLength(walked.length);
    });
    return lists;
  }

  test("commits, forks, releases in any order, crashes before and after the batch", async () => {
    let lists = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { maxLength: 25 }), async (deeds) => {
        const store = new MemoryKeyValue();
        let tree = await openStateTree(store, { ...window, cacheBytes: 4_000_000 });
        let height = 0;
        const learning: Promise<void>[] = [];
        for (const item of deeds) {
          const parent = tree.newest?.root ?? emptyRoot;
          if (item.type === "commit") {
            const root = tree.apply(parent, changesOf(tree, parent, item.block));
            await store.write(tree.commitWrites(height, root));
            tree.committed();
            height += 1;
          } else if (item.type === "fork") {
            const root = tree.apply(parent, changesOf(tree, parent, item.block));
            const leaf = tree.apply(root, changesOf(tree, root, item.block));
            tree.discard({ parent: root, root: leaf });
            tree.discard({ parent, root });
          } else if (item.type === "release") {
            const old = tree.retained.slice(0, -1);
            const picked = old[item.pick % Math.max(1, old.length)];
            if (picked !== undefined) tree.release(picked.height);
            const writes: readonly KeyValueWrite[] = tree.releaseWrites(item.steps + 1);
            await store.write(writes);
            if (writes.length > 0) tree.committed();
          } else {
            const root = tree.apply(parent, balances([[height % 6, BigInt(height)]]));
            const writes = tree.commitWrites(height, root);
            if (!item.before) {
              await store.write(writes);
              height += 1;
            }
            tree = await openStateTree(store, window);
            learning.push(tree.learn());
          }
          expect(tree.usage.uncommittedNodes).toBe(0);
          expect((await recount(store)).problems).toEqual([]);
          lists += checkLists(store, tree);
          if (tree.usage.releasing > 0) continue;
          expect(await storedCounts(store)).toEqual(staysOf(store, tree));
        }
        await Promise.all(learning);
        const left = tree.retained.slice(0, -1);
        for (const { height: old } of left) tree.release(old);
        for (;;) {
          const writes = tree.releaseWrites(3);
          if (writes.length === 0) break;
          await store.write(writes);
          tree.committed();
        }
        expect((await recount(store)).heights).toBeLessThanOrEqual(1);
        expect(await storedCounts(store)).toEqual(staysOf(store, tree));
      }),
      { numRuns: 150 },
    );
    expect(lists).toBeGreaterThan(100);
  });
});

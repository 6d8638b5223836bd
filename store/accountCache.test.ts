import fc from "fast-check";
import { expect, test } from "vitest";
import { assert } from "../base/assert.ts";
import type { Address, Digest } from "../base/brand.ts";
import { bytesToAddress, bytesToDigest, hexToBytes } from "../base/bytes.ts";
import { emptyKeccak, keccak256 } from "../crypto/keccak.ts";
import { decodeAccount, emptyRoot, recordToAccount, type Account } from "./account.ts";
import { AccountCache } from "./accountCache.ts";
import { MemoryKeyValue } from "./memory.ts";
import { verifyProof } from "./proof.ts";
import { openStateTree, type StateTree } from "./stateTree.ts";

const addresses = [1, 2, 3, 4, 5].map((n) => bytesToAddress(new Uint8Array(20).fill(n)));
const [alice, bob] = addresses as [Address, Address];
const [rootA, rootB, rootC] = [1, 2, 3].map((n) => bytesToDigest(new Uint8Array(32).fill(n))) as [
  Digest,
  Digest,
  Digest,
];

function accountOf(balance: bigint): Account {
  return { nonce: 0n, balance, storageRoot: emptyRoot, codeHash: emptyKeccak };
}

/** The balance that the cache answers, and whether it had to ask the trie, which says 99. */
function look(cache: AccountCache, root: Digest, address: Address): string {
  let asked = "";
  const account = cache.read(root, address, () => {
    asked = " from the trie";
    return accountOf(99n);
  });
  return `${account === null ? "none" : account.balance}${asked}`;
}

test("a read is remembered for the newest state and what builds on it, not for older ones", () => {
  const cache = new AccountCache(rootA, 10);
  expect(look(cache, rootA, alice)).toBe("99 from the trie");
  expect(look(cache, rootA, alice)).toBe("99");
  cache.add({ parent: rootA, root: rootB }, new Map([[bob, accountOf(1n)]]));
  expect(look(cache, rootB, alice)).toBe("99");
  expect(look(cache, rootB, bob)).toBe("1");
  expect(look(cache, rootA, bob)).toBe("99 from the trie");
  cache.commit({ parent: rootA, root: rootB });
  expect(look(cache, rootB, bob)).toBe("1");
  expect(look(cache, rootA, alice)).toBe("99 from the trie");
});

test("what a dead block changed is not seen", () => {
  const cache = new AccountCache(rootA, 10);
  cache.add({ parent: rootA, root: rootB }, new Map([[alice, null]]));
  expect(look(cache, rootB, alice)).toBe("none");
  cache.discard(rootB);
  expect(look(cache, rootB, alice)).toBe("99 from the trie");
  expect(look(cache, rootA, alice)).toBe("99 from the trie");
});

test("a commit of a block that was not seen forgets everything", () => {
  const cache = new AccountCache(rootA, 10);
  look(cache, rootA, alice);
  cache.commit({ parent: rootA, root: rootC });
  expect(look(cache, rootC, alice)).toBe("99 from the trie");
});

test("roots that lead to each other end in the trie", () => {
  const cache = new AccountCache(rootC, 10);
  cache.add({ parent: rootA, root: rootB }, new Map());
  cache.add({ parent: rootB, root: rootA }, new Map());
  expect(look(cache, rootA, alice)).toBe("99 from the trie");
});

test("the number of accounts is bounded; a block with more is left to the trie", () => {
  const cache = new AccountCache(rootA, 3);
  for (const address of addresses) look(cache, rootA, address);
  expect(cache.size).toBe(3);
  const many = new Map(addresses.map((address) => [address, accountOf(1n)]));
  cache.add({ parent: rootA, root: rootB }, many);
  expect(look(cache, rootB, alice)).toBe("99 from the trie");
});

/* Random blocks on the head or on each other, committed or dead, and a cache that is too small. */
test("answers are those of the trie under commits and forks", async () => {
  const block = fc.record({
    changes: fc.array(fc.tuple(fc.nat(4), fc.option(fc.bigInt(0n, 3n))), { maxLength: 4 }),
    fate: fc.constantFrom("commit", "build on", "discard"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(block, { maxLength: 12 }), async (blocks) => {
      const store = new MemoryKeyValue();
      const tree = await openStateTree(store, { retention: { type: "archive" }, accountsMax: 3 });
      let open: { readonly parent: Digest; readonly root: Digest }[] = [];
      for (const { changes, fate } of blocks) {
        const parent = open.at(-1)?.root ?? tree.newest?.root ?? emptyRoot;
        const accounts = changes.flatMap(([n, balance]) => {
          const address = addresses[n];
          const account = balance === null ? null : accountOf(balance);
          return address === undefined ? [] : [[address, account] as const];
        });
        const root = tree.apply(parent, { ...nothing, accounts: new Map(accounts) });
        expectTrue(tree, root);
        if (fate === "discard") tree.discard({ parent, root });
        else open.push({ parent, root });
        if (fate !== "commit") continue;
        for (const step of open) {
          await store.write(tree.commitWrites((tree.newest?.height ?? -1) + 1, step.root));
          tree.committed();
        }
        open = [];
        expectTrue(tree, root);
      }
    }),
    { numRuns: 200 },
  );
});

const nothing = {
  accounts: new Map(),
  storage: new Map(),
  storageCleared: new Set<Address>(),
  code: new Map(),
  modules: new Map(),
};

/** Proofs are made from the trie's nodes alone. */
function expectTrue(tree: StateTree, root: Digest): void {
  for (const address of addresses) {
    const nodes = tree.proof(root, address, []).accountProof;
    const proof = verifyProof(hexToBytes(root), keccak256(hexToBytes(address)), nodes);
    assert(proof.ok, "a proof holds");
    const record = proof.value === null ? null : decodeAccount(proof.value);
    const proven = record === null ? null : recordToAccount(record);
    expect(tree.reader(root).account(address)).toEqual(proven);
  }
}

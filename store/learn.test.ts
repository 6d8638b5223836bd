import { expect, test } from "vitest";
import type { Address } from "../base/brand.ts";
import { bytesToAddress, equalBytes, hexToBytes } from "../base/bytes.ts";
import { emptyKeccak, keccak256 } from "../crypto/keccak.ts";
import { emptyRoot } from "./account.ts";
import type { KeyValueWrite } from "./keyValue.ts";
import { nodeKey, nodeRange } from "./keys.ts";
import { MemoryKeyValue } from "./memory.ts";
import { openStateTree } from "./stateTree.ts";

const archive = { retention: { type: "archive" } } as const;

function addressOf(number: number): Address {
  return bytesToAddress(keccak256(Uint8Array.of(number)).slice(12));
}

test("what was learned is read from memory, but nothing damaged", async () => {
  const store = new MemoryKeyValue();
  const first = await openStateTree(store, archive);
  const unchanged = { nonce: 0n, storageRoot: emptyRoot, codeHash: emptyKeccak };
  const accounts = new Map(
    Array.from({ length: 200 }, (_, n) => [addressOf(n), { ...unchanged, balance: BigInt(n) }]),
  );
  const root = first.apply(emptyRoot, {
    accounts,
    storage: new Map(),
    storageCleared: new Set(),
    code: new Map(),
    modules: new Map(),
  });
  await store.write(first.commitWrites(0, root));
  const key = nodeKey("account", hexToBytes(root));
  const whole = store.get(key) ?? new Uint8Array();
  await store.write([{ type: "put", key, value: whole.with(-1, 1) }]);
  const tree = await openStateTree(store, archive);
  await tree.learn();
  const reader = tree.reader(root);
  expect(() => reader.account(addressOf(1))).toThrow("A stored node is damaged.");
  await store.write([{ type: "put", key, value: whole }]);
  expect(reader.account(addressOf(1))?.balance).toBe(1n);
  const others: KeyValueWrite[] = [];
  for await (const [stored] of store.range(nodeRange("account"))) {
    if (!equalBytes(stored, key)) others.push({ type: "delete", key: stored });
  }
  expect(others.length).toBeGreaterThan(200);
  await store.write(others);
  for (const [address, account] of accounts) expect(reader.account(address)).toEqual(account);
});

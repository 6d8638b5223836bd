import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { rlpNumber } from "../base/rlp.ts";
import { keccak256 } from "./keccak.ts";
import { signDigest } from "./secp256k1.ts";
import { inlineDigestsMax, SigningThread } from "./signThread.node.ts";

/* Goal: what the thread signs is what the key signs, whatever becomes of the thread. */

const key = new Uint8Array(32).fill(7);

function digests(count: number): readonly Uint8Array[] {
  return Array.from({ length: count }, (_, i) => keccak256(rlpNumber(i)));
}

function signedHere(count: number): readonly Uint8Array[] {
  return digests(count).map((digest) => signDigest(digest, key));
}

test("the thread gives the key's signatures, each caller its own", async () => {
  const signer = new SigningThread(key);
  const counts = [40, 0, inlineDigestsMax, 7, 64];
  const signed = await Promise.all(counts.map((count) => signer.signMany(digests(count))));
  expect(signed).toEqual(counts.map(signedHere));
  await signer.close();
  expect(await signer.signMany(digests(5))).toEqual(signedHere(5));
});

test.each([
  ["dies at its first work", 'parentPort.on("message", () => { throw new Error("dead"); });'],
  ["ends before it", "process.exit(1);"],
])("a thread that %s leaves the work to its owner", async (_name, code) => {
  const source = `const { parentPort } = require("node:worker_threads"); ${code}`;
  const signer = new SigningThread(key, () => new Worker(source, { eval: true }));
  const both = [signer.signMany(digests(9)), signer.signMany(digests(20))];
  expect(await Promise.all(both)).toEqual([signedHere(9), signedHere(20)]);
  expect(await signer.signMany(digests(3))).toEqual(signedHere(3));
});

test("closing it while it works loses nothing", async () => {
  const signer = new SigningThread(key);
  const signed = signer.signMany(digests(12));
  await signer.close();
  expect(await signed).toEqual(signedHere(12));
});

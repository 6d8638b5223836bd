import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { rlpNumber } from "../base/rlp.ts";
import { keccak256 } from "./keccak.ts";
import { packageClaimsMax, RecoverPool } from "./recoverPool.node.ts";
import { addressOf, signDigest } from "./secp256k1.ts";
import {
  packClaims,
  recoverRecords,
  signersOf,
  unpackSigners,
  verifiedBy,
  verifySigned,
  verifySignedBy,
  type SignatureClaim,
} from "./verify.ts";

const key = new Uint8Array(32).fill(7);
const signer = addressOf(key);
const stranger = addressOf(new Uint8Array(32).fill(8));

function claimOf(n: number, change: Partial<SignatureClaim> = {}): SignatureClaim {
  const digest = keccak256(rlpNumber(n));
  return { digests: [digest], signature: signDigest(digest, key), address: signer, ...change };
}

/** Claims of every kind and what each gives. */
function mixed(): { claims: SignatureClaim[]; expected: (string | null)[] } {
  const other = keccak256(rlpNumber(99));
  const good = claimOf(1);
  const claims = [
    good,
    claimOf(2, { address: null }),
    claimOf(3, { address: stranger }),
    { ...good, digests: [other, ...good.digests] }, // The second form of the sign bytes.
    { ...good, digests: [other] },
    { ...good, signature: new Uint8Array(65) },
    { ...good, signature: good.signature.subarray(1) },
  ];
  return { claims, expected: [signer, signer, null, signer, null, null, null] };
}

async function recovered(
  pool: RecoverPool,
  claims: readonly SignatureClaim[],
): Promise<readonly (string | null)[]> {
  return (await pool.recover(claims)) ?? [];
}

describe("claims", () => {
  test("hold or not, one by one and packed alike", () => {
    const { claims, expected } = mixed();
    expect(claims.map((claim) => signersOf([claim])?.[0] ?? null)).toEqual(expected);
    expect(unpackSigners(claims, recoverRecords(packClaims(claims)))).toEqual(expected);
  });

  test("one that fails makes the value unverified", () => {
    const { claims } = mixed();
    expect(verifySigned(claims, (signers) => signers.length)).toBeNull();
    expect(verifySigned(claims.slice(0, 2), (signers) => ({ signers }))).toEqual({
      signers: [signer, signer],
    });
    expect(verifySignedBy([signer, null], (signers) => signers.length)).toBeNull();
    expect(verifySignedBy([signer], (signers) => ({ signers }))).toEqual({ signers: [signer] });
    expect(verifiedBy((value: { n: number }) => value.n > 1, { n: 1 })).toBeNull();
  });
});

describe.each([0, 1, 2])("a pool of %i threads", (threads) => {
  test("answers as in place, in order, and stops twice", async () => {
    const pool = new RecoverPool({ threads });
    pool.start();
    pool.start();
    expect(pool.threads).toBe(threads);
    const { claims, expected } = mixed();
    expect(await pool.recover(claims)).toEqual(expected);
    const many = Array.from({ length: 2 * packageClaimsMax }, (_, n) => claimOf(n));
    const answers = await Promise.all(many.map((claim) => recovered(pool, [claim])));
    expect(answers.every((answer) => answer[0] === signer)).toBe(true);
    expect(pool.claimsQueued).toBe(0);
    await pool.stop();
    await pool.stop();
    expect(await pool.recover(claims)).toEqual(expected);
  });
});

test("a full queue refuses", async () => {
  const pool = new RecoverPool({ threads: 1, claimsQueuedMax: 40 });
  pool.start();
  const claims = Array.from({ length: 40 }, (_, n) => claimOf(n));
  const taken = pool.recover(claims);
  expect(pool.recover([claimOf(1)])).toBeNull();
  expect((await taken)?.length).toBe(40);
  expect(await pool.recover([claimOf(1)])).toEqual([signer]);
  await pool.stop();
});

test("work under way survives a stop", async () => {
  const pool = new RecoverPool({ threads: 1 });
  pool.start();
  const claims = Array.from({ length: 100 }, (_, n) => claimOf(n));
  const under = [recovered(pool, claims), recovered(pool, claims), recovered(pool, [claimOf(5)])];
  await pool.stop();
  const answers = await Promise.all(under);
  expect(answers.flat().every((address) => address === signer)).toBe(true);
  expect(pool.claimsQueued).toBe(0);
});

test("a thread that dies loses nothing: its package is done in place", async () => {
  const failures: string[] = [];
  const dying = "require('node:worker_threads').parentPort.on('message', () => process.exit(3))";
  const pool = new RecoverPool({
    threads: 1,
    startWorker: () => new Worker(dying, { eval: true }),
    onFailure: (error) => failures.push(error.message),
  });
  pool.start();
  const claims = Array.from({ length: 50 }, (_, n) => claimOf(n));
  const answers = await Promise.all([recovered(pool, claims), recovered(pool, claims)]);
  expect(answers.flat().filter((address) => address === signer).length).toBe(100);
  expect(failures).toEqual(["a recovery thread ended with code 3"]);
  expect(pool.threads).toBe(0);
  expect(await recovered(pool, [claimOf(1)])).toEqual([signer]);
  await pool.stop();
});

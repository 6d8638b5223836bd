import { createTxFromRLP } from "@ethereumjs/tx";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesToHex, emptyBytes } from "../base/bytes.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import { addressOf, signDigest } from "../crypto/secp256k1.ts";
import { signersOf } from "../crypto/verify.ts";
import { ethereumTransactions } from "../test/fakes/transactions.ts";
import { decodeEthereum } from "./decode.ts";
import { intrinsicGas } from "./intrinsicGas.ts";
import { signEthereum } from "./sign.ts";
import type { EthereumTransaction } from "./thetaTypes.ts";

// An independent decoder of the same formats. It takes more than we do (a leading zero in the chain
// id, unprotected transactions), so the comparison runs one way: what we take, it takes, and reads
// alike.

const chain = { name: "privatenet", id: 1, genesisHash: keccakDigest(emptyBytes) };
const key = new Uint8Array(32).fill(0x22);
const signer = { address: addressOf(key), sign: (digest: Uint8Array) => signDigest(digest, key) };

/** The same transaction with prices and gas that no rule refuses. */
function payable(tx: EthereumTransaction): EthereumTransaction {
  const price = tx.maxFeePerGas % (1n << 100n);
  const one = tx.type === "legacy" || tx.type === "accessList";
  return {
    ...tx,
    gasLimit: 1n << 40n,
    maxFeePerGas: price,
    maxPriorityFeePerGas: one ? price : price / 2n,
    // The other decoder refuses authorizations that EIP-7702 merely skips.
    authorizations: tx.authorizations.map((entry) => ({
      ...entry,
      yParity: entry.yParity & 1,
      s: 1n,
    })),
  };
}

describe("beside @ethereumjs/tx", () => {
  test("the same hash, sender, nonce, value and intrinsic gas", () => {
    fc.assert(
      fc.property(ethereumTransactions, (random) => {
        const tx = payable(random);
        const raw = signEthereum(tx, chain.id, signer);
        const ours = decodeEthereum(raw, chain);
        if (!ours.ok) throw new Error(ours.refusal.detail);
        const theirs = createTxFromRLP(raw);
        expect({
          hash: ours.value.hash as string,
          sender: signersOf(ours.value.claims)?.[0] as string | undefined,
          nonce: tx.nonce,
          value: tx.value,
          gas: intrinsicGas(tx),
        }).toEqual({
          hash: bytesToHex(theirs.hash()),
          sender: theirs.getSenderAddress().toString(),
          nonce: theirs.nonce,
          value: theirs.value,
          gas: theirs.getIntrinsicGas(),
        });
      }),
      { numRuns: 150 },
    );
  });

  test("what we take after a changed byte, it takes and reads alike", () => {
    let taken = 0;
    fc.assert(
      fc.property(ethereumTransactions, fc.nat(), fc.nat(255), (random, where, byte) => {
        const raw = signEthereum(payable(random), chain.id, signer);
        const at = where % raw.length;
        raw[at] = byte;
        const ours = decodeEthereum(raw, chain);
        if (!ours.ok) return;
        const sender = signersOf(ours.value.claims);
        if (sender === null) return;
        taken += 1;
        const theirs = createTxFromRLP(raw);
        expect(bytesToHex(theirs.hash())).toBe(ours.value.hash);
        expect(theirs.getSenderAddress().toString()).toBe(sender[0]);
      }),
      { numRuns: 300 },
    );
    expect(taken).toBeGreaterThan(10);
  });
});

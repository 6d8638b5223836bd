import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesToAddress, bytesToHex, emptyBytes, hexToBytes } from "../../base/bytes.ts";
import type { Outcome } from "../../base/outcome.ts";
import {
  decodeCertificate,
  decodeTimeoutCertificate,
  encodeCertificate,
  encodeTimeoutCertificate,
} from "../../consensus/codec.ts";
import { keccak256, keccakDigest } from "../../crypto/keccak.ts";
import { addressOf, signDigest } from "../../crypto/secp256k1.ts";
import { verifySigned } from "../../crypto/verify.ts";
import {
  decodeBlock,
  decodeBody,
  decodeCommitProof,
  encodeBlock,
  encodeBody,
  encodeCommitProof,
} from "../../ledger/block.ts";
import { decodeEncoded, decodeNative, encodedForm } from "../../ledger/decode.ts";
import {
  decodeEthereumEnvelope,
  encodeEthereum,
  ethereumSignDigest,
  openEthereum,
  type SignedEthereum,
} from "../../ledger/ethereumCodec.ts";
import { blockHash, decodeHeader, encodeHeader } from "../../ledger/header.ts";
import { decodeOperation, encodeOperation } from "../../ledger/operationCodec.ts";
import {
  decodeOverspendingProof,
  encodeOverspendingProof,
} from "../../ledger/overspendingProof.ts";
import { decodeReceipt, encodeReceipt } from "../../ledger/receipt.ts";
import { signOperation } from "../../ledger/sign.ts";
import {
  decodeThetaTransaction,
  decodeTyped,
  encodeThetaTransaction,
} from "../../ledger/thetaCodec.ts";
import { thetaFromJson, thetaToJson } from "../../ledger/thetaJson.ts";
import { signBytes, signBytesDigest } from "../../ledger/thetaSignBytes.ts";
import type { ThetaTransaction } from "../../ledger/thetaTypes.ts";
import {
  blocks,
  bodies,
  bytesOf,
  certificates,
  commitProofs,
  ethereumTransactions,
  headers,
  moduleOperations,
  receipts,
  thetaTransactions,
  timeoutCertificates,
} from "../fakes/transactions.ts";

// Whatever is encoded decodes to the same value, and that encodes to the same bytes.

const signedEthereum: fc.Arbitrary<SignedEthereum> = fc.record({
  transaction: ethereumTransactions,
  chainId: fc.bigInt(1n, (1n << 53n) - 1n),
  signature: bytesOf(65).map((bytes) =>
    Uint8Array.from(bytes, (byte, i) => (i < 64 ? byte : byte & 1)),
  ),
});

const overspendingProofs = fc.record({
  reserveSequence: fc.bigInt(0n, (1n << 64n) - 1n),
  payments: fc.array(
    thetaTransactions.filter((tx) => tx.type === "servicePayment"),
    { maxLength: 3 },
  ),
});

function roundTrip<T>(
  name: string,
  values: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => Outcome<T, unknown>,
  numRuns = 300,
): void {
  test(name, () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encode(value);
        const decoded = decode(bytes);
        expect(decoded).toEqual({ ok: true, value });
        expect(decoded.ok && encode(decoded.value)).toEqual(bytes);
      }),
      { numRuns },
    );
  });
}

describe("decode after encode is the identity", () => {
  roundTrip("Theta", thetaTransactions, encodeThetaTransaction, decodeThetaTransaction, 2_000);
  roundTrip("operation", moduleOperations, encodeOperation, decodeOperation);
  roundTrip("Ethereum", signedEthereum, encodeEthereum, decodeEthereumEnvelope, 1_000);
  roundTrip("proof", overspendingProofs, encodeOverspendingProof, decodeOverspendingProof, 100);
  roundTrip("certificate", certificates, encodeCertificate, decodeCertificate);
  roundTrip(
    "timeout certificate",
    timeoutCertificates,
    encodeTimeoutCertificate,
    decodeTimeoutCertificate,
  );
  roundTrip("header", headers, encodeHeader, decodeHeader);
  roundTrip("commit proof", commitProofs, encodeCommitProof, decodeCommitProof, 100);
  roundTrip("body", bodies, encodeBody, decodeBody, 100);
  roundTrip("block", blocks, encodeBlock, decodeBlock, 100);
  roundTrip("receipt", receipts, encodeReceipt, decodeReceipt);
});

test("a Theta transaction survives its JSON form", () => {
  fc.assert(
    fc.property(thetaTransactions, (tx) => {
      const json: unknown = JSON.parse(JSON.stringify(thetaToJson(tx)));
      expect(thetaFromJson(tx.type, json)).toEqual({ ok: true, value: tx });
    }),
    { numRuns: 1_000 },
  );
});

describe("digests made from decoded fields are those of the sign bytes", () => {
  const check = (tx: ThetaTransaction) => {
    const typed = decodeTyped(encodeThetaTransaction(tx));
    if (!typed.ok) throw new Error(typed.refusal.detail);
    for (const wrapper of ["v1", "v2"] as const) {
      const signed = { chainName: "any chain", wrapper };
      expect(signBytesDigest(tx, typed.value.fields, signed)).toEqual(
        keccak256(signBytes(tx, "any chain", wrapper)),
      );
    }
  };
  test("Theta, any type", () => {
    fc.assert(fc.property(thetaTransactions, check), { numRuns: 1_000 });
  });
  test("Theta, any size", () => {
    const address = bytesToAddress(new Uint8Array(20));
    const coins = { thetaWei: 0n, tfuelWei: 0n };
    for (const size of [0, 1, 20, 40, 60, 150, 200, 65_300, 65_400, 65_500, 130_000]) {
      check({
        type: "smartContract",
        from: { address, coins, sequence: 1n, signature: emptyBytes },
        to: { address, coins },
        gasLimit: 1n,
        gasPrice: 1n,
        data: new Uint8Array(size).fill(7),
      });
    }
  });
  test("Ethereum", () => {
    fc.assert(
      fc.property(signedEthereum, (signed) => {
        const opened = openEthereum(encodeEthereum(signed));
        expect(opened.ok && opened.value.digest()).toEqual(
          ethereumSignDigest(signed.transaction, signed.chainId),
        );
      }),
      { numRuns: 500 },
    );
  });
});

test("different headers have different hashes", () => {
  fc.assert(
    fc.property(headers, headers, (a, b) => {
      const same = bytesToHex(encodeHeader(a)) === bytesToHex(encodeHeader(b));
      expect(blockHash(a) === blockHash(b)).toBe(same);
    }),
    { numRuns: 100 },
  );
});

describe("signed operations", () => {
  const keys = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte));
  const signers = keys
    .map((key) => ({ address: addressOf(key), sign: (d: Uint8Array) => signDigest(d, key) }))
    .sort((a, b) => (a.address < b.address ? -1 : 1));
  const chain = { name: "any", id: 366, genesisHash: keccakDigest(emptyBytes) };

  test("all signers are claimed, the first one pays, and another genesis refuses them", () => {
    fc.assert(
      fc.property(moduleOperations, fc.subarray(signers, { minLength: 1 }), (operation, by) => {
        const inputs = by.map(({ address }, i) => ({
          address,
          coins: { thetaWei: 0n, tfuelWei: 0n },
          sequence: BigInt(i),
          signature: emptyBytes,
        }));
        const fee = { thetaWei: 0n, tfuelWei: operation.fee.tfuelWei };
        const raw = signOperation({ ...operation, inputs, fee, scope: "" }, chain.genesisHash, by);
        const decoded = decodeEncoded(encodedForm("operation", raw), chain);
        if (!decoded.ok) throw new Error(decoded.refusal.detail);
        const transaction = verifySigned(decoded.value.claims, decoded.value.complete);
        expect(transaction).toMatchObject({
          envelope: "operation",
          payer: by[0]?.address,
          hash: keccakDigest(raw),
          op: { module: operation.module, name: operation.op },
        });
        const elsewhere = decodeNative(raw, { ...chain, genesisHash: keccakDigest(raw) });
        expect(elsewhere.ok && verifySigned(elsewhere.value.claims, () => 0)).toBe(null);
      }),
      { numRuns: 50 },
    );
  });

  test("signers out of order, a repeated one, coins and a scope are refused", () => {
    const inputs = signers.map(({ address }) => ({
      address,
      coins: { thetaWei: 0n, tfuelWei: 0n },
      sequence: 1n,
      signature: emptyBytes,
    }));
    const [first, second] = inputs;
    if (first === undefined || second === undefined) throw new Error("two signers wanted");
    const operation = {
      fee: { thetaWei: 0n, tfuelWei: 1n },
      inputs,
      module: "stake",
      op: "registerKey",
      body: hexToBytes("c0"),
      gasLimit: 1n,
      expiryHeight: 0,
      scope: "",
    };
    const decodeWith = (changed: object) =>
      decodeOperation(encodeOperation({ ...operation, ...changed }));
    expect(decodeWith({}).ok).toBe(true);
    expect(decodeWith({ inputs: [second, first] }).ok).toBe(false);
    expect(decodeWith({ inputs: [first, first] }).ok).toBe(false);
    expect(decodeWith({ inputs: [] }).ok).toBe(false);
    const coins = { thetaWei: 0n, tfuelWei: 1n };
    expect(decodeWith({ inputs: [{ ...first, coins }] }).ok).toBe(false);
    const scoped = signOperation({ ...operation, scope: "sub" }, chain.genesisHash, signers);
    expect(decodeNative(scoped, chain)).toMatchObject({
      ok: false,
      refusal: { code: "wrongChain" },
    });
  });
});

import { describe, expect } from "vitest";
import { bytesToBigInt, bytesToHex, hexToBytes } from "../../base/bytes.ts";
import { transactionBytesMax } from "../../base/limits.ts";
import { keccak256, keccakDigest } from "../../crypto/keccak.ts";
import { addressOf, signDigest } from "../../crypto/secp256k1.ts";
import { verifySigned } from "../../crypto/verify.ts";
import { decodeEthereum, decodeNative, type Decoded } from "../../ledger/decode.ts";
import {
  decodeEthereumEnvelope,
  encodeEthereum,
  ethereumSignDigest,
} from "../../ledger/ethereumCodec.ts";
import { intrinsicGas } from "../../ledger/intrinsicGas.ts";
import { signEthereum, signThetaTransaction } from "../../ledger/sign.ts";
import { decodeThetaTransaction, encodeThetaTransaction } from "../../ledger/thetaCodec.ts";
import { signBytes } from "../../ledger/thetaSignBytes.ts";
import { thetaFromJson, thetaToJson } from "../../ledger/thetaJson.ts";
import type { Transaction } from "../../ledger/transaction.ts";
import { knownFilesTest, vectorTest } from "../vectors.ts";

const genesisHash = keccakDigest(new Uint8Array(0));

function signer(key: string) {
  const bytes = hexToBytes(key);
  return { address: addressOf(bytes), sign: (digest: Uint8Array) => signDigest(digest, bytes) };
}

/** The transaction of bytes whose signatures hold, or the code of the refusal. */
function verified(decoded: Decoded): Transaction | string {
  if (!decoded.ok) return decoded.refusal.code;
  return verifySigned(decoded.value.claims, decoded.value.complete) ?? "signatureInvalid";
}

type ForkResult = {
  readonly exception?: string;
  readonly hash?: string;
  readonly sender?: string;
  readonly intrinsicGas?: string;
};

type EthereumCase = {
  readonly id: string;
  readonly txbytes: string;
  readonly result: Readonly<Record<string, ForkResult>>;
};

type EthersCase = {
  readonly id: string;
  readonly accountAddress: string;
  readonly privateKey: string;
  readonly unsignedTransactionChainId5: string;
  readonly signedTransaction: string;
  readonly signedTransactionChainId5: string;
  readonly nonce?: string;
  readonly gasLimit?: string;
};

type EthersTypedCase = {
  readonly id: string;
  readonly address: string;
  readonly key: string;
  readonly signed: string;
  readonly unsigned: string;
};

type HostileCase = {
  readonly id: string;
  readonly note: string;
  readonly raw: string;
  readonly valid: boolean;
  readonly from?: string;
  readonly stage?: string;
};

type ThetaCase = {
  readonly id: string;
  readonly kind: string;
  readonly chainID: string;
  readonly privateKey: string;
  readonly tx: { readonly sequence: number };
  readonly signBytes: string;
  readonly signHash: string;
  readonly signature: string;
  readonly raw: string;
};

describe("tx", () => {
  knownFilesTest("tx", [
    "ethereum.ndjson",
    "ethers-transactions.ndjson.gz",
    "ethers-typed-transactions.ndjson.gz",
    "hostile.ndjson.gz",
    "theta-native.ndjson.gz",
  ]);

  vectorTest<EthereumCase>("tx/ethereum.ndjson", (items) => {
    const counts = { accepted: 0, refused: 0, unprotected: 0 };
    for (const { id, txbytes, result } of items) {
      // The newest fork in the file: rules only grow stricter, and ours start at Shanghai.
      const expected = Object.values(result).at(-1);
      if (expected === undefined) throw new Error(`${id} has no result`);
      const raw = hexToBytes(txbytes);
      const answer = verified(decodeEthereum(raw, { name: "", id: 1, genesisHash }));
      if (expected.exception !== undefined) {
        counts.refused += 1;
        expect(typeof answer, id).toBe("string");
      } else if (typeof answer === "string") {
        // What Ethereum takes and we do not is signed for no chain.
        counts.unprotected += 1;
        expect(answer, id).toBe("unsupported");
        const envelope = decodeEthereumEnvelope(raw);
        expect(!envelope.ok && envelope.refusal.detail, id).toContain("EIP-155");
      } else {
        counts.accepted += 1;
        const body = decodeEthereumEnvelope(raw);
        expect(
          {
            hash: answer.hash as string,
            sender: answer.payer as string,
            gas: body.ok ? intrinsicGas(body.value.transaction) : null,
            raw: body.ok ? bytesToHex(encodeEthereum(body.value)) : null,
          },
          id,
        ).toEqual({
          hash: expected.hash,
          sender: expected.sender,
          gas: BigInt(expected.intrinsicGas ?? 0),
          raw: txbytes,
        });
      }
    }
    console.log(counts);
  });

  vectorTest<EthersCase>("tx/ethers-transactions.ndjson.gz", (items) => {
    let wide = 0;
    for (const item of items) {
      const unprotected = decodeEthereumEnvelope(hexToBytes(item.signedTransaction));
      expect(!unprotected.ok && unprotected.refusal.code, item.id).toBe("unsupported");
      const raw = hexToBytes(item.signedTransactionChainId5);
      const signed = decodeEthereumEnvelope(raw);
      // Random data without regard to EIP-2681: nonces and gas of more than 64 bits are no
      // transaction.
      const isWide = [item.nonce, item.gasLimit].some(
        (value) => bytesToBigInt(hexToBytes(value ?? "")) >= 1n << 64n,
      );
      expect(signed.ok, item.id).toBe(!isWide);
      if (!signed.ok) {
        wide += 1;
        continue;
      }
      const { transaction, chainId } = signed.value;
      expect(chainId, item.id).toBe(5n);
      expect(ethereumSignDigest(transaction, 5n), item.id).toEqual(
        keccak256(hexToBytes(item.unsignedTransactionChainId5)),
      );
      expect(encodeEthereum(signed.value), item.id).toEqual(raw);
      expect(signEthereum(transaction, 5, signer(item.privateKey)), item.id).toEqual(raw);
      expect(addressOf(hexToBytes(item.privateKey)), item.id).toBe(item.accountAddress);
    }
    console.log({ accepted: items.length - wide, wide });
  });

  vectorTest<EthersTypedCase>("tx/ethers-typed-transactions.ndjson.gz", (items) => {
    const refused: string[] = [];
    for (const item of items) {
      const raw = hexToBytes(item.signed);
      const signed = decodeEthereumEnvelope(raw);
      if (!signed.ok) {
        refused.push(`${item.id}: ${signed.refusal.detail}`);
        continue;
      }
      const { transaction, chainId } = signed.value;
      expect(ethereumSignDigest(transaction, chainId), item.id).toEqual(
        keccak256(hexToBytes(item.unsigned)),
      );
      expect(encodeEthereum(signed.value), item.id).toEqual(raw);
      const again = signEthereum(transaction, Number(chainId), signer(item.key));
      expect(again, item.id).toEqual(raw);
      expect(addressOf(hexToBytes(item.key)), item.id).toBe(item.address);
    }
    expect(refused).toEqual([]);
  });

  vectorTest<HostileCase>("tx/hostile.ndjson.gz", (items) => {
    // Left to the stage that the vector names: the form of these is right.
    const laterStages = new Set(["txh-106", "txh-109"]);
    for (const item of items) {
      const raw = hexToBytes(item.raw);
      const answer = verified(decodeEthereum(raw, { name: "", id: 366, genesisHash }));
      const accepted = typeof answer !== "string";
      const name = `${item.id} ${item.note}`;
      expect(accepted, name).toBe(item.valid || laterStages.has(item.id));
      expect(accepted && item.from !== undefined ? answer.payer : item.from, name).toBe(item.from);
      expect(raw.length <= transactionBytesMax || answer === "tooLarge", name).toBe(true);
    }
  });

  vectorTest<ThetaCase>("tx/theta-native.ndjson.gz", (items) => {
    const kinds = new Map<string, number>();
    for (const item of items) {
      kinds.set(item.kind, (kinds.get(item.kind) ?? 0) + 1);
      const raw = hexToBytes(item.raw);
      const tx = decodeThetaTransaction(raw);
      if (!tx.ok) throw new Error(`${item.id}: ${tx.refusal.detail}`);
      const signed = signBytes(tx.value, item.chainID, "v1");
      expect(bytesToHex(signed), item.id).toBe(item.signBytes);
      expect(bytesToHex(keccak256(signed)), item.id).toBe(item.signHash);
      const key = signer(item.privateKey);
      const again = signThetaTransaction(tx.value, item.chainID, [key]);
      expect(bytesToHex(again), item.id).toBe(item.raw);
      expect(encodeThetaTransaction(tx.value), item.id).toEqual(raw);
      const chain = { name: item.chainID, id: 366, genesisHash };
      const answer = verified(decodeNative(raw, chain));
      if (typeof answer === "string") throw new Error(`${item.id}: ${answer}`);
      expect(answer.payer, item.id).toBe(key.address);
      expect(answer.signers, item.id).toEqual([
        { address: key.address, sequence: BigInt(item.tx.sequence) },
      ]);
      const json: unknown = JSON.parse(JSON.stringify(thetaToJson(tx.value)));
      expect(thetaFromJson(tx.value.type, json), item.id).toEqual({ ok: true, value: tx.value });
    }
    console.log(Object.fromEntries(kinds));
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Address } from "../base/brand.ts";
import { bytesToHex, emptyBytes, hexToBytes } from "../base/bytes.ts";
import { decodeRlp, encodeRlp, isRlpList, type RlpItem } from "../base/rlp.ts";
import { keccak256, keccakDigest } from "../crypto/keccak.ts";
import { addressOf, signDigest } from "../crypto/secp256k1.ts";
import { signersOf, verifySigned } from "../crypto/verify.ts";
import {
  decodeEncoded,
  decodeEthereum,
  decodeNative,
  encodedForm,
  type Decoded,
} from "./decode.ts";
import { encodeEthereum, ethereumSignDigest } from "./ethereumCodec.ts";
import { encodeOperation, operationSignBytes } from "./operationCodec.ts";
import { signEthereum, signOperation, signThetaTransaction } from "./sign.ts";
import { encodeThetaTransaction } from "./thetaCodec.ts";
import { signBytes } from "./thetaSignBytes.ts";
import type { EthereumTransaction, ModuleOperation, ThetaTransaction } from "./thetaTypes.ts";

const key = new Uint8Array(32).fill(0x11);
const signer = { address: addressOf(key), sign: (digest: Uint8Array) => signDigest(digest, key) };
const other = addressOf(new Uint8Array(32).fill(0x22));
const chain = { name: "privatenet", id: 366, genesisHash: keccakDigest(emptyBytes) };
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

const transfer: EthereumTransaction = {
  type: "feeMarket",
  nonce: 3n,
  gasLimit: 21_000n,
  maxFeePerGas: 10n ** 9n,
  maxPriorityFeePerGas: 10n ** 9n,
  to: other,
  value: 1n,
  data: emptyBytes,
  accessList: [],
  authorizations: [],
};

const input = {
  address: signer.address,
  coins: { thetaWei: 0n, tfuelWei: 7n },
  sequence: 4n,
  signature: emptyBytes,
};

const send: ThetaTransaction & { readonly type: "send" } = {
  type: "send",
  fee: { thetaWei: 0n, tfuelWei: 2n },
  inputs: [input],
  outputs: [{ address: other, coins: { thetaWei: 0n, tfuelWei: 5n } }],
};

const operation: ModuleOperation = {
  fee: { thetaWei: 0n, tfuelWei: 1n },
  inputs: [{ ...input, coins: { thetaWei: 0n, tfuelWei: 0n } }],
  module: "stake",
  op: "registerKey",
  body: hexToBytes("c20102"),
  gasLimit: 5n,
  expiryHeight: 9,
  scope: "",
};

function refusal(decoded: Decoded): string {
  return decoded.ok ? "accepted" : decoded.refusal.code;
}

/** The transaction if its signatures hold, else `null`. */
function verified(decoded: Decoded) {
  return decoded.ok ? verifySigned(decoded.value.claims, decoded.value.complete) : null;
}

describe("the one internal form", () => {
  test("of a Theta send", () => {
    const raw = signThetaTransaction(send, chain.name, [signer]);
    expect(verified(decodeNative(raw, chain))).toMatchObject({
      envelope: "native",
      hash: keccakDigest(raw),
      payer: signer.address,
      signers: [{ address: signer.address, sequence: 4n }],
      feeBid: { type: "whole", fee: 2n },
      gasLimit: 0n,
      expiryHeight: null,
      op: { module: "bank", name: "send" },
    });
  });
  test("of an Ethereum transfer; a sequence is nonce + 1", () => {
    const raw = signEthereum(transfer, chain.id, signer);
    expect(verified(decodeEthereum(raw, chain))).toMatchObject({
      envelope: "ethereum",
      encoded: raw,
      hash: keccakDigest(raw),
      payer: signer.address,
      signers: [{ address: signer.address, sequence: 4n }],
      feeBid: { type: "perGas", maxFeePerGas: 10n ** 9n, maxPriorityFeePerGas: 10n ** 9n },
      gasLimit: 21_000n,
      op: { module: "evm", body: transfer },
    });
  });
  test("of a module operation", () => {
    const raw = signOperation(operation, chain.genesisHash, [signer]);
    expect(verified(decodeNative(raw, chain))).toMatchObject({
      envelope: "operation",
      payer: signer.address,
      gasLimit: 5n,
      expiryHeight: 9,
      op: { module: "stake", name: "registerKey", body: operation.body },
    });
  });
  test("of blocks: 0x7e marks native bytes, and their hash is that of the raw ones", () => {
    const raw = signThetaTransaction(send, chain.name, [signer]);
    const encoded = encodedForm("native", raw);
    expect(encoded[0]).toBe(0x7e);
    expect(verified(decodeEncoded(encoded, chain))).toMatchObject({
      encoded,
      hash: keccakDigest(raw),
    });
    const ethereum = signEthereum(transfer, chain.id, signer);
    expect(verified(decodeEncoded(ethereum, chain))?.envelope).toBe("ethereum");
  });
  test("a service payment is paid by its target and raises no sequence", () => {
    const payment: ThetaTransaction = {
      type: "servicePayment",
      fee: send.fee,
      source: input,
      target: { ...input, address: signer.address },
      paymentSequence: 1n,
      reserveSequence: 1n,
      resourceId: "rid",
    };
    const raw = signThetaTransaction(payment, chain.name, [signer]);
    expect(verified(decodeNative(raw, chain))?.signers).toEqual([
      { address: signer.address, sequence: null },
      { address: signer.address, sequence: null },
    ]);
  });
});

test("a pool of ten thousand resource ids, or with one of 257 bytes, is refused", () => {
  const decoded = (resourceIds: readonly string[]): Decoded => {
    const source = { ...input, sequence: 1n };
    const collateral = { thetaWei: 0n, tfuelWei: 2n };
    const terms = { fee: send.fee, source, collateral, resourceIds, duration: 1_000n };
    const pool: ThetaTransaction = { type: "reserveFund", ...terms };
    return decodeNative(signThetaTransaction(pool, chain.name, [signer]), chain);
  };
  const ids = Array.from({ length: 10_000 }, (_, i) => `id${i}`);
  expect(verified(decoded(ids.slice(0, 256)))).not.toBe(null);
  expect(refusal(decoded(ids.slice(0, 257)))).toBe("malformed");
  expect(refusal(decoded(ids))).toBe("malformed");
  expect(verified(decoded(["x".repeat(256)]))).not.toBe(null);
  expect(refusal(decoded(["x".repeat(257)]))).toBe("malformed");
});

describe("E4: two encodings of one meaning", () => {
  const natives = [
    signThetaTransaction(send, chain.name, [signer]),
    signOperation(operation, chain.genesisHash, [signer]),
  ];
  test("E4: trailing bytes, a missing field and one too many are refused", () => {
    for (const raw of natives) {
      expect(refusal(decodeNative(Uint8Array.of(...raw, 0x80), chain))).toBe("malformed");
      expect(refusal(decodeNative(raw.subarray(0, -1), chain))).toBe("malformed");
      const fields = decodeRlp(raw.subarray(1));
      if (!fields.ok || !isRlpList(fields.value)) throw new Error("no fields");
      for (const changed of [fields.value.slice(1), [...fields.value, emptyBytes]]) {
        const bytes = Uint8Array.of(raw[0] ?? 0, ...encodeRlp(changed));
        expect(refusal(decodeNative(bytes, chain))).toBe("malformed");
      }
    }
  });
  test("E4: a leading zero in any integer of any envelope is refused", () => {
    const padded = (item: RlpItem): RlpItem[] => {
      if (!isRlpList(item))
        return item.length <= 32 && item.length !== 20 ? [Uint8Array.of(0, ...item)] : [];
      return item.flatMap((part, i) => padded(part).map((changed) => item.with(i, changed)));
    };
    let tried = 0;
    const check = (raw: Uint8Array, prefix: number, decode: (bytes: Uint8Array) => Decoded) => {
      const fields = decodeRlp(raw.subarray(prefix));
      if (!fields.ok) throw new Error(fields.refusal.detail);
      for (const changed of padded(fields.value)) {
        const bytes = Uint8Array.of(...raw.subarray(0, prefix), ...encodeRlp(changed));
        // Texts and data may begin with a zero: then the signature is over other bytes, or the gas
        // for one byte more is missing.
        expect(verified(decode(bytes))).toBe(null);
        tried += 1;
      }
    };
    for (const raw of natives) check(raw, 1, (bytes) => decodeNative(bytes, chain));
    for (const type of ["legacy", "accessList", "feeMarket"] as const) {
      const raw = signEthereum({ ...transfer, type }, chain.id, signer);
      check(raw, type === "legacy" ? 0 : 1, (bytes) => decodeEthereum(bytes, chain));
    }
    expect(tried).toBeGreaterThan(40);
  });
  test("E4: the type code has one encoding, and the coinbase is no transaction", () => {
    const raw = natives[0] ?? emptyBytes;
    expect(refusal(decodeNative(Uint8Array.of(0x81, ...raw), chain))).toBe("malformed");
    expect(refusal(decodeNative(Uint8Array.of(0x82, 0, 2, ...raw.subarray(1)), chain))).toBe(
      "malformed",
    );
    expect(refusal(decodeNative(Uint8Array.of(12, 0xc0), chain))).toBe("unsupported");
    const coinbase = signThetaTransaction(
      { type: "coinbase", proposer: input, outputs: [], blockHeight: 1n },
      chain.name,
      [signer],
    );
    expect(refusal(decodeNative(coinbase, chain))).toBe("unsupported");
  });
});

describe("E5: signatures", () => {
  const sign = (tx: EthereumTransaction) => signer.sign(ethereumSignDigest(tx, 366n));
  const word = (value: bigint) => hexToBytes(value.toString(16).padStart(64, "0"));
  const good = sign(transfer);
  const s = BigInt(bytesToHex(good.subarray(32, 64)));
  const bad: readonly (readonly [string, Uint8Array])[] = [
    ["high s", Uint8Array.of(...good.subarray(0, 32), ...word(order - s), 1 - (good[64] ?? 0))],
    ["r = 0", Uint8Array.of(...word(0n), ...good.subarray(32))],
    ["r = n", Uint8Array.of(...word(order), ...good.subarray(32))],
    ["s = 0", Uint8Array.of(...good.subarray(0, 32), ...word(0n), 0)],
    ["s = n", Uint8Array.of(...good.subarray(0, 32), ...word(order), 0)],
  ];
  test.each(bad)("E5: %s is refused in every envelope", (_, signature) => {
    for (const type of ["legacy", "accessList", "feeMarket"] as const) {
      const raw = encodeEthereum({ transaction: { ...transfer, type }, chainId: 366n, signature });
      expect(refusal(decodeEthereum(raw, chain))).toBe("signatureInvalid");
    }
    const inputs = [{ ...input, signature }];
    const native = encodeThetaTransaction({ ...send, inputs });
    expect(refusal(decodeNative(native, chain))).toBe("signatureInvalid");
    const [only] = operation.inputs;
    const signed = encodeOperation({ ...operation, inputs: [{ ...(only ?? input), signature }] });
    expect(refusal(decodeNative(signed, chain))).toBe("signatureInvalid");
  });
  test("E5: v of 2, 27 and 28, a missing and a short signature are refused natively", () => {
    for (const v of [2, 3, 27, 28, 255]) {
      const inputs = [{ ...input, signature: Uint8Array.of(...good.subarray(0, 64), v) }];
      const raw = encodeThetaTransaction({ ...send, inputs });
      expect(refusal(decodeNative(raw, chain)), `v ${v}`).toBe("signatureInvalid");
    }
    expect(refusal(decodeNative(encodeThetaTransaction(send), chain))).toBe("signatureInvalid");
    const inputs = [{ ...input, signature: good.subarray(0, 64) }];
    expect(refusal(decodeNative(encodeThetaTransaction({ ...send, inputs }), chain))).toBe(
      "malformed",
    );
  });
  test("E5: a signature by another key is not the named account's", () => {
    const inputs = [{ ...input, address: other }];
    const impostor = { address: other, sign: signer.sign };
    const raw = signThetaTransaction({ ...send, inputs }, chain.name, [impostor]);
    expect(verified(decodeNative(raw, chain))).toBe(null);
  });
});

describe("E6: replay", () => {
  test("E6: an Ethereum transaction for no chain, chain 1 and the neighbours is refused", () => {
    for (const type of ["legacy", "accessList", "feeMarket"] as const) {
      for (const id of [1, 365, 367, 2 ** 53 - 1]) {
        const raw = signEthereum({ ...transfer, type }, id, signer);
        expect(refusal(decodeEthereum(raw, chain)), `${type} of chain ${id}`).toBe("wrongChain");
      }
    }
    // Unprotected: v 27 or 28, signed without a chain.
    for (const v of [27, 28]) {
      const raw = encodeEthereum({
        transaction: { ...transfer, type: "legacy" },
        chainId: 366n,
        signature: signer.sign(new Uint8Array(32).fill(1)),
      });
      const fields = decodeRlp(raw);
      if (!fields.ok || !isRlpList(fields.value)) throw new Error("no fields");
      const unprotected = encodeRlp(fields.value.with(6, Uint8Array.of(v)));
      expect(refusal(decodeEthereum(unprotected, chain))).toBe("unsupported");
    }
  });
  test("E6: a Theta signature counts on the named chain only", () => {
    const raw = signThetaTransaction(send, chain.name, [signer]);
    expect(verified(decodeNative(raw, { ...chain, name: "testnet" }))).toBe(null);
    expect(verified(decodeNative(raw, chain))).not.toBe(null);
  });
  test("E6: an operation counts for its genesis only", () => {
    const raw = signOperation(operation, chain.genesisHash, [signer]);
    const reset = { ...chain, genesisHash: keccakDigest(raw) };
    expect(verified(decodeNative(raw, reset))).toBe(null);
  });
  test("E6: no bytes are two things: envelopes are told apart by name, not by looking", () => {
    const native = signThetaTransaction(send, chain.name, [signer]);
    const ethereum = signEthereum(transfer, chain.id, signer);
    expect(native[0]).toBe(ethereum[0]); // Both begin with 02.
    expect(decodeEthereum(native, chain).ok).toBe(false);
    expect(decodeNative(ethereum, chain).ok).toBe(false);
    expect(decodeEncoded(native, chain).ok).toBe(false);
    expect(decodeEthereum(encodedForm("native", native), chain).ok).toBe(false);
    expect(decodeNative(encodedForm("native", native), chain).ok).toBe(false);
  });
  test("E6: what V1 and V2 sign is no Ethereum transaction that we take", () => {
    // V1 is an unprotected legacy transaction to zero, V2 one of chain 1, both at gas price 0.
    const zero = `0x${"00".repeat(20)}` as Address;
    for (const wrapper of ["v1", "v2"] as const) {
      const bytes = signBytes(send, chain.name, wrapper);
      const fields = decodeRlp(bytes);
      if (!fields.ok || !isRlpList(fields.value)) throw new Error("no fields");
      const data = fields.value[5] as Uint8Array;
      const replayed: EthereumTransaction = {
        ...transfer,
        type: "legacy",
        nonce: 0n,
        gasLimit: 0n,
        maxFeePerGas: 0n,
        maxPriorityFeePerGas: 0n,
        to: zero,
        value: 0n,
        data,
      };
      const signature = signer.sign(ethereumSignDigest(replayed, 1n));
      for (const chainId of [1n, 366n]) {
        const raw = encodeEthereum({ transaction: replayed, chainId, signature });
        expect(verified(decodeEthereum(raw, chain))).toBe(null);
        // Even a chain that calls itself 1 refuses it: no gas is too little.
        expect(verified(decodeEthereum(raw, { ...chain, id: 1 }))).toBe(null);
      }
    }
    const tagged = operationSignBytes(operation, chain.genesisHash);
    const outer = decodeRlp(tagged);
    expect(outer.ok && isRlpList(outer.value) && outer.value.length).toBe(3);
  });
  test("E6: V2 does not count for a service payment", () => {
    const payment: ThetaTransaction & { readonly type: "servicePayment" } = {
      type: "servicePayment",
      fee: send.fee,
      source: input,
      target: input,
      paymentSequence: 1n,
      reserveSequence: 1n,
      resourceId: "rid",
    };
    const raw = signThetaTransaction(payment, chain.name, [signer]);
    const decoded = decodeNative(raw, chain);
    // The target's V1 form; the source's, and its typed one.
    expect(decoded.ok && decoded.value.claims.map(({ digests }) => digests.length)).toEqual([1, 2]);
    expect(decoded.ok && decoded.value.claims.some((claim) => "otherDigests" in claim)).toBe(false);
    const v2 = keccak256(signBytes(payment, chain.name, "v2"));
    const counts = decoded.ok
      ? decoded.value.claims.flatMap((claim) => [
          ...claim.digests,
          ...(claim.otherDigests?.() ?? []),
        ])
      : [];
    expect(counts).not.toContainEqual(v2);
  });
});

describe("E8: sequences", () => {
  test("E8: a nonce of 2^64 - 1 could not be raised; a sequence of 2^64 has no encoding", () => {
    const most = 2n ** 64n - 1n;
    const raw = signEthereum({ ...transfer, nonce: most }, chain.id, signer);
    expect(refusal(decodeEthereum(raw, chain))).toBe("malformed");
    const below = signEthereum({ ...transfer, nonce: most - 1n }, chain.id, signer);
    expect(verified(decodeEthereum(below, chain))?.signers[0]?.sequence).toBe(most);
    const wide = signThetaTransaction(
      { ...send, inputs: [{ ...input, sequence: most + 1n }] },
      chain.name,
      [signer],
    );
    expect(refusal(decodeNative(wide, chain))).toBe("malformed");
  });
});

describe("E9: amounts", () => {
  test("E9: 2^256 - 1 is an amount, 2^256 is none", () => {
    const most = 2n ** 256n - 1n;
    const signed = (value: bigint) =>
      decodeEthereum(signEthereum({ ...transfer, value }, chain.id, signer), chain);
    expect(refusal(signed(most))).toBe("accepted");
    expect(refusal(signed(most + 1n))).toBe("malformed");
    const native = (tfuelWei: bigint) =>
      decodeNative(
        signThetaTransaction(
          { ...send, inputs: [{ ...input, coins: { thetaWei: 0n, tfuelWei } }] },
          chain.name,
          [signer],
        ),
        chain,
      );
    expect(refusal(native(most))).toBe("accepted");
    expect(refusal(native(most + 1n))).toBe("malformed");
  });
  test("E9: too wide a gas bill, a tip above the fee and too little gas are refused", () => {
    const of = (changed: Partial<EthereumTransaction>) =>
      refusal(decodeEthereum(signEthereum({ ...transfer, ...changed }, chain.id, signer), chain));
    const price = 2n ** 250n;
    expect(of({ maxFeePerGas: price, maxPriorityFeePerGas: price })).toBe("fieldInvalid");
    expect(of({ maxPriorityFeePerGas: 10n ** 9n + 1n })).toBe("fieldInvalid");
    expect(of({ gasLimit: 20_999n })).toBe("fieldInvalid");
    expect(of({ gasLimit: 0n })).toBe("fieldInvalid");
    expect(of({})).toBe("accepted");
  });
});

describe("E11: aliasing", () => {
  test("E11: what was decoded does not change with its buffer, and the buffer not at all", () => {
    const raws: readonly (readonly [Uint8Array, (bytes: Uint8Array) => Decoded])[] = [
      [signThetaTransaction(send, chain.name, [signer]), (bytes) => decodeNative(bytes, chain)],
      [
        signOperation(operation, chain.genesisHash, [signer]),
        (bytes) => decodeNative(bytes, chain),
      ],
      [
        signEthereum(
          { ...transfer, gasLimit: 50_000n, data: hexToBytes("0102") },
          chain.id,
          signer,
        ),
        (bytes) => decodeEthereum(bytes, chain),
      ],
    ];
    for (const [raw, decode] of raws) {
      // A view into a larger, shared buffer, as sockets hand them out.
      const pool = new Uint8Array(raw.length + 64).fill(0xaa);
      pool.set(raw, 32);
      const view = pool.subarray(32, 32 + raw.length);
      const before = view.slice();
      const decoded = decode(view);
      expect(view).toEqual(before);
      const expected = verified(decode(raw.slice()));
      pool.fill(0xff); // The socket reuses its buffer.
      expect(decoded.ok && signersOf(decoded.value.claims)).toEqual([signer.address]);
      expect(verified(decoded)).toEqual(expected);
    }
  });
});

test("random bytes are refused, never thrown at", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const decode of [decodeNative, decodeEthereum, decodeEncoded]) {
        expect(decode(bytes, chain).ok).toBe(false);
      }
    }),
    { numRuns: 1_000 },
  );
});

test("DepositStakeV2 with purpose 0 must leave its unsigned key fields empty", () => {
  const deposit: ThetaTransaction = {
    type: "depositStakeV2",
    fee: send.fee,
    source: input,
    holder: { address: other, coins: { thetaWei: 0n, tfuelWei: 0n } },
    purpose: 0,
    blsPubkey: new Uint8Array(48).fill(1),
    blsPop: emptyBytes,
    holderSig: emptyBytes,
  };
  const decode = (tx: ThetaTransaction) =>
    refusal(decodeNative(signThetaTransaction(tx, chain.name, [signer]), chain));
  expect(decode(deposit)).toBe("fieldInvalid");
  expect(decode({ ...deposit, blsPubkey: emptyBytes })).toBe("accepted");
  expect(decode({ ...deposit, purpose: 1 })).toBe("accepted");
  expect(decode({ ...deposit, purpose: 3 })).toBe("fieldInvalid");
});

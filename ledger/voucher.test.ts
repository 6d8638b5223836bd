import { TypedDataEncoder, Wallet } from "ethers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assert } from "../base/assert.ts";
import { bytesToDigest, bytesToHex, hexToBytes, zeroDigest } from "../base/bytes.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import { addressOf, signDigest } from "../crypto/secp256k1.ts";
import { addresses, bytesOf } from "../test/fakes/transactions.ts";
import { decodeWith, encodeWith } from "./schema.ts";
import { signThetaTransaction, type DigestSigner } from "./sign.ts";
import { decodeThetaTransaction } from "./thetaCodec.ts";
import {
  paymentToVoucher,
  settlementOf,
  signVoucher,
  signedVoucherSchema,
  voucherDigest,
  voucherPayer,
  walletSignature,
  type SignedVoucher,
  type VoucherChain,
} from "./voucher.ts";
import { voucherTypedData } from "./typedVoucher.ts";

const chain: VoucherChain = { name: "privatenet", id: 366, genesisHash: zeroDigest };

function signerFrom(privateKey: Uint8Array): DigestSigner {
  return {
    address: addressOf(privateKey),
    sign: (digest) => signDigest(digest, privateKey),
  };
}

// Keys and payment of theta.md 11.4.
const payerKey = hexToBytes("93a90ea508331dfdf27fb79757d4250b4e84954927ba0073cd67454ac432c737");
const payer = signerFrom(payerKey);
const receiver = signerFrom(new Uint8Array(32).fill(0x11));
const terms = {
  target: receiver.address,
  amount: 5n * 10n ** 18n,
  paymentSequence: 1n,
  reserveSequence: 4n,
  resourceId: "rid1000001",
};

const u64 = fc.bigInt(0n, (1n << 64n) - 1n);
const vouchers = fc.record({
  source: addresses,
  target: addresses,
  amount: fc.bigInt(0n, (1n << 256n) - 1n),
  paymentSequence: u64,
  reserveSequence: u64,
  resourceId: fc.string({ unit: "grapheme", maxLength: 12 }),
  signature: bytesOf(65),
});

describe("the Theta form", () => {
  const signed = signVoucher(terms, "theta", { chain, signer: payer });

  test("is the source signature of a service payment (theta.md 11.4)", () => {
    expect(bytesToHex(signed.signature)).toBe(
      "0x3bb95ed9cfbb8e470a5ba2fde0bcf93519b0bbafccb7fed21189e358c65c07ea25ce5bbd7fe7ab8387bb70af946ee8e57c4f0aa6623ada080393bdcb17318abe00",
    );
    expect(voucherPayer(signed, chain)).toBe(payer.address);
  });

  test("settles as the service payment of theta.md 11.4", () => {
    const settlement = settlementOf(signed, { fee: 3n * 10n ** 17n, targetMin: 0n });
    const withSequence = { ...settlement, target: { ...settlement.target, sequence: 1n } };
    const raw = signThetaTransaction(withSequence, chain.name, [receiver]);
    expect(keccakDigest(raw)).toBe(
      "0x741f629b3ac4d96d0e3f45d1516c5cea01b14afc874204440f1327171fca7faa",
    );
    const decoded = decodeThetaTransaction(raw);
    assert(decoded.ok && decoded.value.type === "servicePayment", "it is a service payment");
    expect(paymentToVoucher(decoded.value)).toEqual(signed);
  });
});

describe("the typed form", () => {
  test("is what an Ethereum wallet signs", async () => {
    const wallet = new Wallet(bytesToHex(payerKey));
    const voucher = { ...terms, source: payer.address };
    const { domain, types, message } = voucherTypedData(voucher, chain);
    const given = await wallet.signTypedData(domain, { Voucher: [...types.Voucher] }, message);
    const signature = walletSignature(hexToBytes(given));
    expect(signature).toEqual(signVoucher(terms, "typed", { chain, signer: payer }).signature);
    expect(signature === null ? null : voucherPayer({ ...voucher, signature }, chain)).toBe(
      payer.address,
    );
  });

  test("has the digest that another implementation computes, whatever is in it", () => {
    fc.assert(
      fc.property(vouchers, fc.nat(2 ** 31), bytesOf(32), (voucher, id, genesis) => {
        const here = { name: "any", id, genesisHash: bytesToDigest(genesis) };
        const { domain, types, message } = voucherTypedData(voucher, here);
        const fields = { Voucher: [...types.Voucher] };
        const expected = TypedDataEncoder.hash(domain, fields, message);
        expect(bytesToHex(voucherDigest(voucher, "typed", here))).toBe(expected);
      }),
    );
  });
});

test("a voucher survives its bytes and its JSON", () => {
  fc.assert(
    fc.property(vouchers, (voucher) => {
      const decoded = decodeWith(signedVoucherSchema, encodeWith(signedVoucherSchema, voucher));
      expect(decoded).toEqual({ ok: true, value: voucher });
      const json = JSON.parse(JSON.stringify(signedVoucherSchema.toJson(voucher))) as unknown;
      expect(signedVoucherSchema.fromJson(json)).toEqual({ value: voucher });
    }),
  );
});

test("a sequence of 65 bits is no voucher", () => {
  const json = { ...Object(signedVoucherSchema.toJson(signed())), paymentSequence: `${1n << 64n}` };
  expect(signedVoucherSchema.fromJson(json)).toBeNull();
});

function signed(form: "theta" | "typed" = "theta"): SignedVoucher {
  return signVoucher(terms, form, { chain, signer: payer });
}

// Each change of one covered field, or of the chain, makes the signature nobody's or another's.
const changes: Readonly<Record<string, Partial<SignedVoucher>>> = {
  source: { source: receiver.address },
  target: { target: payer.address },
  amount: { amount: terms.amount + 1n },
  paymentSequence: { paymentSequence: 2n },
  reserveSequence: { reserveSequence: 5n },
  resourceId: { resourceId: "rid1000002" },
};

for (const form of ["theta", "typed"] as const) {
  describe(`M12 a voucher in the ${form} form is worth nothing`, () => {
    for (const [field, change] of Object.entries(changes)) {
      test(`with another ${field}`, () => {
        expect(voucherPayer({ ...signed(form), ...change }, chain)).toBeNull();
      });
    }

    test("on a chain of another name and number", () => {
      const other = { ...chain, name: "othernet", id: 367 };
      expect(voucherPayer(signed(form), other)).toBeNull();
    });

    test("with a high s, or with a last byte that is not 0 or 1", () => {
      const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
      const { signature } = signed(form);
      const s = order - BigInt(bytesToHex(signature.subarray(32, 64)));
      const twin = signature.slice();
      twin.set(hexToBytes(s.toString(16).padStart(64, "0")), 32);
      twin[64] = 1 - (signature[64] ?? 0);
      expect(voucherPayer({ ...signed(form), signature: twin }, chain)).toBeNull();
      const ethereum = signature.slice();
      ethereum[64] = 27 + (signature[64] ?? 0);
      expect(voucherPayer({ ...signed(form), signature: ethereum }, chain)).toBeNull();
      expect(walletSignature(ethereum)).toEqual(signature);
    });
  });
}

test("M12 a network that was reset does not take the typed form of its former life", () => {
  const reset = { ...chain, genesisHash: keccakDigest(new Uint8Array(1)) };
  expect(voucherPayer(signed("typed"), reset)).toBeNull();
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bigIntToFixedBytes,
  bytesToBigInt,
  bytesToHexDigits,
  hexToBytes,
  textToBytes,
} from "../base/bytes.ts";
import type { Address } from "../base/brand.ts";
import { checksumAddress, contractAddress, parseAddress } from "./address.ts";
import { emptyKeccak, keccak256 } from "./keccak.ts";
import {
  addressOf,
  isCanonicalSignature,
  isPrivateKey,
  javascriptSecp256k1,
  nativeSecp256k1OrNull,
  publicKeyOf,
  recoverAddress,
  recoverPublicKey,
  secp256k1Backend,
  signDigest,
} from "./secp256k1.ts";

// Theta's crypto/*_test.go, README and fixtures (the reference sheet's section 11.6).
const k0 = hexToBytes("93a90ea508331dfdf27fb79757d4250b4e84954927ba0073cd67454ac432c737");
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const privateKeys = bytes32.filter(isPrivateKey);

describe("Theta's keys, hashes and addresses", () => {
  test("keccak", () => {
    expect(bytesToHexDigits(keccak256(textToBytes("Hello world!")))).toBe(
      "ecd0e108a98e192af1d2c25055f4e3bed784b5c877204e73219a5203251feaab",
    );
    expect(bytesToHexDigits(keccak256(textToBytes("abc")))).toBe(
      "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
    );
    expect(emptyKeccak).toBe("0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
  });

  test.each([
    [
      "f3e4bfb656a98beac6931c86f48de62a7e469624d359f6b067b7f4a45a136446",
      "046adefd8a2b7a581fab692cae4160d7399bc8280972122206a968762f2898bd2376879a7430520e6477a1d6c3d07f2688d6d71a83848b5086808b2d04847bea8e",
      "511f5B5aF946eDca88217EB9404477a95CB5C3F4",
    ],
    [
      bytesToHexDigits(k0),
      "048e8d53fd435265ad074597cc3e202f8e935cfb57925bb51316252027cb08767fb8099226414732543c4b5cbaa64b4ee8f173ba559258a0b5f633a0d11509e78b",
      "2E833968E5bB786Ae419c4d13189fB081Cc43bab",
    ],
  ])("private key %s", (key, publicKey, address) => {
    expect(bytesToHexDigits(publicKeyOf(hexToBytes(key)))).toBe(publicKey);
    expect(checksumAddress(addressOf(hexToBytes(key)))).toBe(`0x${address}`);
  });

  test.each([
    ["11", "19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"],
    ["22", "1563915e194D8CfBA1943570603F7606A3115508"],
    ["33", "5CbDd86a2FA8Dc4bDdd8a8f69dBa48572EeC07FB"],
    ["44", "7564105E977516C53bE337314c7E53838967bDaC"],
    ["55", "e1fAE9b4fAB2F5726677ECfA912d96b0B683e6a9"],
    ["66", "db2430B4e9AC14be6554d3942822BE74811A1AF9"],
    ["77", "Ae72A48c1a36bd18Af168541c53037965d26e4A8"],
    ["88", "62f94E9AC9349BCCC61Bfe66ddAdE6292702EcB6"],
    ["99", "0D8e461687b7D06f86EC348E0c270b0F279855F0"],
  ])("fixture key %s…", (digits, address) => {
    expect(checksumAddress(addressOf(hexToBytes(digits.repeat(32))))).toBe(`0x${address}`);
  });

  test("the tenth fixture key and a sole address", () => {
    expect(checksumAddress(addressOf(hexToBytes(`10${"00".repeat(31)}`)))).toBe(
      "0x7B2419E0Ee0BD034F7Bf24874C12512AcAC6e21C",
    );
    expect(
      addressOf(hexToBytes("289c2857d4598e37fb9647507e47a309d6133539bf21a8b9cb6df88fd5232032")),
    ).toBe("0x970e8128ab834e8eac17ab8e3812f010678cf791");
  });

  test("recovery", () => {
    const recovered = recoverPublicKey(
      hexToBytes("ce0677bb30baa8cf067c88db9811f4333d131bf8bcf12fe7065d211dce971008"),
      hexToBytes(
        "90f27b8b488db00b00606796d2987f6a5f59ae62ea05effe84fef5b8b0e549984a691139ad57a3f0b906637673aa2f63d1f55cb1a69199d4009eea23ceaddc9301",
      ),
    );
    expect(recovered === null ? null : bytesToHexDigits(recovered)).toBe(
      "04e32df42865e97135acfb65f3bae71bdc86f4d49150ad6a440b6f15878109880a0a2b2667f7e725ceea70c673093bf67663e0312623c8e091b13cf2c0f11ef652",
    );
  });

  test("contract addresses", () => {
    const creator = "0x970e8128ab834e8eac17ab8e3812f010678cf791" as Address;
    expect(contractAddress(addressOf(k0), 1n)).toBe("0x5c3159ddd2fe0f9862bc7b7d60c1875fa8f81337");
    expect([0n, 1n, 2n].map((nonce) => contractAddress(creator, nonce))).toEqual([
      "0x333c3310824b7c685133f2bedb2ca4b8b4df633d",
      "0x8bda78331c916a08481428e4b07c96d3e916d165",
      "0xc9ddedf451bc62ce88bf9292afb13df35b670699",
    ]);
  });
});

describe("row E5: only one form of a signature is taken", () => {
  const digest = keccak256(textToBytes("message"));
  const signature = signDigest(digest, k0);

  function changed(change: (copy: Uint8Array) => void): Uint8Array {
    const copy = signature.slice();
    change(copy);
    return copy;
  }

  test.each([
    [
      "high s",
      (copy: Uint8Array) => {
        const s = bytesToBigInt(copy.subarray(32, 64));
        copy.set(bigIntToFixedBytes(order - s, 32), 32);
        copy[64] = 1 - (copy[64] ?? 0);
      },
    ],
    ["r = 0", (copy: Uint8Array) => copy.fill(0, 0, 32)],
    ["s = 0", (copy: Uint8Array) => copy.fill(0, 32, 64)],
    ["r = n", (copy: Uint8Array) => copy.set(bigIntToFixedBytes(order, 32))],
    ["r = 2^256 - 1", (copy: Uint8Array) => copy.fill(255, 0, 32)],
    ["s = n", (copy: Uint8Array) => copy.set(bigIntToFixedBytes(order, 32), 32)],
    ["v = 2", (copy: Uint8Array) => copy.fill(2, 64)],
    ["v = 27", (copy: Uint8Array) => copy.fill(27, 64)],
    ["v = 28", (copy: Uint8Array) => copy.fill(28, 64)],
    ["v = 255", (copy: Uint8Array) => copy.fill(255, 64)],
  ])("%s", (_, change) => {
    const bad = changed(change);
    expect(isCanonicalSignature(bad)).toBe(false);
    expect(recoverAddress(digest, bad)).toBeNull();
  });

  test("64 and 66 bytes", () => {
    expect(recoverAddress(digest, signature.subarray(0, 64))).toBeNull();
    expect(recoverAddress(digest, new Uint8Array([...signature, 0]))).toBeNull();
  });

  test("s at half the order is low, one more is high", () => {
    const half = order / 2n;
    const at = changed((copy) => copy.set(bigIntToFixedBytes(half, 32), 32));
    const above = changed((copy) => copy.set(bigIntToFixedBytes(half + 1n, 32), 32));
    expect([isCanonicalSignature(at), isCanonicalSignature(above)]).toEqual([true, false]);
  });

  test("an r that is no point's x recovers nothing, by both implementations", () => {
    const bad = changed((copy) => copy.set(bigIntToFixedBytes(5n, 32)));
    expect(isCanonicalSignature(bad)).toBe(true);
    expect(recoverAddress(digest, bad)).toBeNull();
    expect(javascriptSecp256k1.recover(digest, bad)).toBeNull();
  });
});

describe("both implementations", () => {
  test("the native one runs where a prebuilt binding exists", () => {
    const prebuilt = process.platform === "linux" && process.arch === "x64";
    expect(secp256k1Backend === "native" || !prebuilt).toBe(true);
  });

  test("give the same bytes", () => {
    const native = nativeSecp256k1OrNull ?? javascriptSecp256k1;
    fc.assert(
      fc.property(privateKeys, bytes32, (key, digest) => {
        const signature = signDigest(digest, key);
        expect(javascriptSecp256k1.sign(digest, key)).toEqual(signature);
        const publicKey = javascriptSecp256k1.publicKey(key);
        expect(native.publicKey(key)).toEqual(publicKey);
        expect(native.recover(digest, signature)).toEqual(publicKey);
        expect(javascriptSecp256k1.recover(digest, signature)).toEqual(publicKey);
        expect(recoverAddress(digest, signature)).toBe(addressOf(key));
      }),
      { numRuns: 40 },
    );
  });

  test("agree on garbage, which never throws", () => {
    const native = nativeSecp256k1OrNull ?? javascriptSecp256k1;
    const signatures = fc.uint8Array({ minLength: 65, maxLength: 65 }).map((bytes) => {
      const signature = bytes.slice();
      signature[32] = (signature[32] ?? 0) & 0x7f;
      signature[64] = (signature[64] ?? 0) & 1;
      return signature;
    });
    fc.assert(
      fc.property(bytes32, signatures, (digest, signature) => {
        if (!isCanonicalSignature(signature)) return;
        expect(javascriptSecp256k1.recover(digest, signature)).toEqual(
          native.recover(digest, signature),
        );
      }),
      { numRuns: 60 },
    );
  });
});

describe("addresses from text", () => {
  const address = "0x2e833968e5bb786ae419c4d13189fb081cc43bab";

  test("one letter case, with or without prefix, or mixed with the right checksum", () => {
    for (const text of [
      address,
      address.slice(2),
      address.slice(2).toUpperCase(),
      "0x2E833968E5bB786Ae419c4d13189fB081Cc43bab",
      "2E833968E5bB786Ae419c4d13189fB081Cc43bab",
    ]) {
      expect(parseAddress(text), text).toEqual({ ok: true, value: address });
    }
  });

  test("a wrong checksum is refused with the right spelling", () => {
    expect(parseAddress("0x2e833968E5bB786Ae419c4d13189fB081Cc43bab")).toEqual({
      ok: false,
      refusal: {
        code: "checksumWrong",
        got: "0x2e833968E5bB786Ae419c4d13189fB081Cc43bab",
        expected: "0x2E833968E5bB786Ae419c4d13189fB081Cc43bab",
      },
    });
  });

  test.each(["", "0x", "0x2e83", `${address}00`, `${address.slice(0, 41)}g`, "ä".repeat(40)])(
    "no address: %s",
    (text) => {
      const outcome = parseAddress(text);
      expect(outcome.ok ? "taken" : outcome.refusal.code).toBe("notAnAddress");
    },
  );
});

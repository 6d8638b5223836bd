import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeRlp } from "../base/rlp.ts";
import { createFakeCommittee } from "../test/fakes/committee.ts";
import { stubDigest } from "../test/sim/stubs.ts";
import { checkCertificate, checkTimeoutCertificate } from "./certificateCheck.ts";
import { blsSignatureSize, encodeCertificate } from "./codec.ts";
import { isQuorum } from "./committee.ts";
import { rootCertificate } from "./rules.ts";

const block = stubDigest("block");
const vote = { epoch: 0, view: 3, block, parentView: 2 };

describe("certificate", () => {
  const four = createFakeCommittee([1n, 1n, 1n, 1n]);
  const right = four.certificate(vote, [0, 2, 3]);
  const codeOf = (certificate: typeof right) => {
    const verdict = checkCertificate(four.context, certificate);
    return verdict.ok ? "ok" : verdict.refusal.code;
  };

  it("of three in four is valid", () => expect(codeOf(right)).toBe("ok"));

  it("K7: every field is signed", () => {
    expect(codeOf({ ...right, view: 4 })).toBe("signatureInvalid");
    expect(codeOf({ ...right, block: stubDigest("other") })).toBe("signatureInvalid");
    expect(codeOf({ ...right, parentView: 1 })).toBe("signatureInvalid");
    expect(codeOf({ ...right, epoch: 1 })).toBe("epochWrong");
    const elsewhere = { ...four.context, scope: { genesis: block, scope: "" } };
    expect(checkCertificate(elsewhere, right).ok).toBe(false);
  });

  it("K11: refuses duplicate, unsorted or too many signers: a bitmap has one form", () => {
    expect(codeOf({ ...right, signers: Uint8Array.of(0b1_1101) })).toBe("bitmapWrong");
    expect(codeOf({ ...right, signers: Uint8Array.of(0b1101, 0) })).toBe("bitmapWrong");
    expect(codeOf({ ...right, signers: new Uint8Array(0) })).toBe("bitmapWrong");
    expect(codeOf({ ...right, signers: Uint8Array.of(0b1111) })).toBe("signatureInvalid");
    expect(codeOf(four.certificate(vote, [0, 0, 2]))).toBe("stakeTooLow");
  });

  it("of view 0 is bare and names the root alone", () => {
    const root = rootCertificate(four.epoch);
    expect(codeOf(root)).toBe("ok");
    expect(codeOf({ ...root, block })).toBe("rootWrong");
    expect(codeOf({ ...root, signers: Uint8Array.of(1) })).toBe("viewsWrong");
  });
});

describe("a certificate of a large committee", () => {
  const signed = (count: number) => {
    const committee = createFakeCommittee(Array.from({ length: count }, () => 1n));
    const indices = Array.from({ length: count }, (_, i) => i);
    const signature = new Uint8Array(blsSignatureSize);
    return { committee, certificate: { ...committee.certificate(vote, indices), signature } };
  };

  it("is as long as that of a small one, but for a bit for each member", () => {
    const sizes = [4, 16, 31].map((count) => encodeCertificate(signed(count).certificate).length);
    const bitmap = (count: number): number =>
      encodeRlp(signed(count).certificate.signers).length + sizeWithoutBitmap;
    const sizeWithoutBitmap = (sizes[0] ?? 0) - encodeRlp(signed(4).certificate.signers).length;
    expect(sizes).toEqual([4, 16, 31].map(bitmap));
    expect((sizes[2] ?? 0) - (sizes[0] ?? 0)).toBe(4);
  });

  it("of 31 members is one question about one message: two pairings and 30 additions", () => {
    const { committee, certificate } = signed(31);
    const asked: number[][] = [];
    const verify = (groups: readonly { readonly keys: readonly Uint8Array[] }[]): boolean => {
      asked.push(groups.map(({ keys }) => keys.length));
      return true;
    };
    expect(checkCertificate({ ...committee.context, verify }, certificate).ok).toBe(true);
    expect(asked).toEqual([[31]]);
  });
});

describe("K10: quorum is strictly more than two thirds of stake", () => {
  const accepts = (stakes: readonly bigint[], signers: readonly number[]) => {
    const committee = createFakeCommittee(stakes);
    return checkCertificate(committee.context, committee.certificate(vote, signers)).ok;
  };

  it("exactly two thirds is none, one wei more is one", () => {
    expect(accepts([10n ** 27n, 10n ** 27n, 10n ** 27n], [0, 1])).toBe(false);
    expect(accepts([10n ** 27n + 1n, 10n ** 27n, 10n ** 27n], [0, 1])).toBe(true);
  });

  it("stake zero counts nothing, all stake is enough", () => {
    expect(accepts([0n, 0n, 5n], [0, 1])).toBe(false);
    expect(accepts([0n, 0n, 5n], [2])).toBe(true);
    expect(accepts([7n], [0])).toBe(true);
  });

  it("is exact for stakes of 256 bits", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 1n << 255n }), (third) => {
        expect(isQuorum(2n * third, 3n * third)).toBe(false);
        expect(isQuorum(2n * third + 1n, 3n * third)).toBe(true);
        expect(isQuorum(2n * third + 1n, 3n * third + 1n)).toBe(true);
      }),
    );
  });
});

describe("timeout certificate", () => {
  const four = createFakeCommittee([1n, 1n, 1n, 1n]);
  const low = rootCertificate(four.epoch);
  const high = four.certificate({ epoch: 0, view: 2, block, parentView: 0 }, [0, 1, 2]);
  const timeouts = [low, low, high].map((highCertificate, signer) =>
    four.timeout(signer, { epoch: 0, view: 5, highCertificate, entryCertificate: null }),
  );
  const right = four.timeoutCertificate(timeouts);
  const isRight = (certificate: typeof right) =>
    checkTimeoutCertificate(four.context, certificate).ok;

  it("holds signatures over differing high views", () => expect(isRight(right)).toBe(true));

  it("K7: a high view cannot be changed, nor the highest certificate left out", () => {
    expect(isRight({ ...right, highViews: [0, 1, 2] })).toBe(false);
    expect(isRight({ ...right, highViews: [0, 0, 0], highCertificate: low })).toBe(false);
    expect(isRight({ ...right, highCertificate: low })).toBe(false);
    expect(isRight({ ...right, view: 6 })).toBe(false);
    const forged = { ...high, signers: Uint8Array.of(0b1011) };
    expect(isRight({ ...right, highCertificate: forged })).toBe(false);
  });

  it("needs a quorum of stake", () => {
    expect(isRight(four.timeoutCertificate(timeouts.slice(0, 2)))).toBe(false);
  });
});

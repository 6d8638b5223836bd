import { describe, expect, it } from "vitest";
import { stubAddress, stubKey } from "../test/sim/stubs.ts";
import {
  absentMembers,
  attendanceBlocksMax,
  attendanceBlocksMin,
  attendedBlocks,
  type Attested,
} from "./attendance.ts";
import { signersToBitmap } from "./signers.ts";
import type { Committee } from "./types.ts";

function committeeOf(epoch: number, identities: readonly number[]): Committee {
  const validators = identities.map((identity) => ({
    address: stubAddress(identity),
    blsKey: stubKey(identity),
    stake: 1n,
  }));
  return { epoch, validators };
}

const ending = committeeOf(4, [0, 1, 2, 3, 4]);

function block(proposer: number, signers: readonly number[]): Attested {
  return {
    proposer: stubAddress(proposer),
    parentCertificate: { signers: signersToBitmap(signers, 5) },
  };
}

const usual = Array.from({ length: attendanceBlocksMin }, () => block(0, [0, 1, 2, 3]));

describe("attendance", () => {
  it("names those who neither proposed nor signed, by their place in the next committee", () => {
    const next = committeeOf(5, [4, 2, 7]);
    expect(absentMembers({ ending, next }, usual)).toEqual([0]);
    expect(absentMembers({ ending, next }, [...usual, block(4, [0, 1])])).toEqual([]);
    expect(absentMembers({ ending, next }, [...usual, block(0, [1, 4])])).toEqual([]);
  });

  it("says nothing of new members, or from too few blocks", () => {
    const next = committeeOf(5, [0, 4, 9]);
    expect(absentMembers({ ending, next }, usual)).toEqual([1]);
    expect(absentMembers({ ending, next }, usual.slice(1))).toEqual([]);
  });

  it("looks at the last blocks of the epoch that ends, and no further", () => {
    const walk = (height: number, rootHeight: number) => {
      const parentOf = (child: { readonly height: number }) => ({ height: child.height - 1 });
      return [...attendedBlocks({ height }, rootHeight, parentOf)].map((each) => each.height);
    };
    expect(walk(205, 200)).toEqual([205, 204, 203, 202, 201]);
    const long = walk(5_000, 0);
    expect(long).toHaveLength(attendanceBlocksMax);
    expect(long.at(-1)).toBe(5_001 - attendanceBlocksMax);
  });
});

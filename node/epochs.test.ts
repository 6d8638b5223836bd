import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Digest } from "../base/brand.ts";
import { signersToBitmap } from "../consensus/signers.ts";
import type { EpochInfo } from "../consensus/types.ts";
import type { Header } from "../ledger/blockTypes.ts";
import { createFakeCommittee } from "../test/fakes/committee.ts";
import { headers } from "../test/fakes/transactions.ts";
import { stubAddress, stubDigest } from "../test/sim/stubs.ts";
import { decodeEpoch, encodeEpoch, nextEpoch } from "./epochs.ts";

const { epoch: fake } = createFakeCommittee([1n, 1n, 1n, 1n]);
const current: EpochInfo = { ...fake, rootHeight: 40, lastHeight: 60 };
const [template] = fc.sample(headers, { seed: 7, numRuns: 1 });

/** The headers of the epoch, lowest first: validator 2 takes no part, validator 3 leads once. */
function epochHeaders(): ReadonlyMap<Digest, Header> {
  if (template === undefined) throw new Error("no sample");
  const made = new Map<Digest, Header>();
  let parentHash = current.root;
  for (let height = current.rootHeight + 1; height <= current.lastHeight; height += 1) {
    const signers = signersToBitmap([0, 1], 4);
    const parentCertificate = { ...template.parentCertificate, signers };
    const proposer = stubAddress(height === 43 ? 3 : height % 2);
    const hash = stubDigest(`header ${height}`);
    made.set(hash, { ...template, height, parentHash, proposer, parentCertificate });
    parentHash = hash;
  }
  return made;
}

describe("the next epoch", () => {
  it("names those who left no trace in the headers back to its root, and reads no others", () => {
    const made = epochHeaders();
    const [lastHash, last] = [...made].at(-1) ?? [];
    if (lastHash === undefined || last === undefined || template === undefined) throw new Error();
    const asked = new Set<Digest>();
    const headerOf = (hash: Digest): Header => {
      asked.add(hash);
      const header = made.get(hash);
      if (header === undefined) throw new Error(`no header ${hash}`);
      return header;
    };
    const committee = { epoch: 1, validators: current.committee.validators.slice(1) };
    const facts = { current, currentRoot: template, last, lastHash, committee, epochBlocks: 20 };
    const next = nextEpoch({ ...facts, headerOf });
    expect(next.absent).toEqual([1]);
    expect(asked.size).toBe(19);
    expect(decodeEpoch(encodeEpoch(next))).toEqual(next);
  });

  it("is read back as it was written, and in no other form", () => {
    const info = { ...current, absent: [1, 3] };
    const bytes = encodeEpoch(info);
    expect(decodeEpoch(bytes)).toEqual(info);
    // The bitmap is the record's last byte: a bit beyond the committee.
    expect(decodeEpoch(bytes.with(-1, 0x10))).toBeNull();
  });
});

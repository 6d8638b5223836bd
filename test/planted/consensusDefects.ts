import type { Defect } from "./defect.ts";

/** Planted defects of votes, certificates, commits and time. */
export const consensusDefects: readonly Defect[] = [
  {
    row: "K5",
    about: "a certificate commits the parent across a gap of views",
    file: "consensus/commitProof.ts",
    find: "certificate.view > 1 && certificate.parentView + 1 === certificate.view",
    replace: "certificate.view > 1",
    test: "consensus/commitProof.test.ts",
  },
  {
    row: "K6",
    about: "votes for a block count in whatever view they were given",
    file: "consensus/tally.ts",
    find: "a.view === b.view && a.block === b.block && a.parentView === b.parentView",
    replace: "a.block === b.block && a.parentView === b.parentView",
    test: "consensus/tally.test.ts",
  },
  {
    row: "K7",
    about: "a vote does not sign the view of the parent certificate",
    file: "consensus/statements.ts",
    find: "const value = [hexToBytes(vote.block), rlpNumber(vote.parentView)];",
    replace: "const value = [hexToBytes(vote.block), rlpNumber(0)];",
    test: "consensus/certificateCheck.test.ts",
  },
  {
    row: "K8",
    about: "votes of strangers are stored",
    file: "consensus/tally.ts",
    find:
      "if (this.#committee.validators[signer] === undefined) return { isNew: false, evidence: null };\n" +
      "    const before = this.#votes.get(signer);",
    replace: "const before = this.#votes.get(signer);",
    test: "consensus/tally.test.ts",
  },
  {
    row: "K10",
    about: "exactly two thirds are a quorum",
    file: "consensus/committee.ts",
    find: "return power * 3n > total * 2n;",
    replace: "return power * 3n >= total * 2n;",
    test: "consensus/certificateCheck.test.ts",
  },
  {
    row: "K11",
    about: "spare bits of a bitmap may be set",
    file: "consensus/signers.ts",
    find: "return (bitmap[bitmap.length - 1] ?? 0) >> (8 - spareBits) === 0;",
    replace: "return spareBits >= 0;",
    test: "consensus/certificateCheck.test.ts",
  },
  {
    row: "K15",
    about: "a block that was built for an earlier view is proposed all the same",
    file: "consensus/replica.ts",
    find: "if (block.epoch !== this.#epoch.epoch || block.view !== view) return;",
    replace: "if (block.epoch !== this.#epoch.epoch) return;",
    test: "consensus/replica.test.ts",
  },
  {
    row: "K18",
    about: "a voter does not look at its clock",
    file: "consensus/rules.ts",
    find:
      "time.timestampMs > time.parentTimestampMs &&\n" +
      "    time.timestampMs <= time.nowMs + time.clockDriftMsMax",
    replace: "time.timestampMs > time.parentTimestampMs",
    test: "consensus/replica.test.ts",
  },
  {
    row: "K9",
    about: "integers may have leading zeros",
    file: "base/rlp.ts",
    find: "if (bytes === null || bytes[0] === 0) return null;\n  let value = 0;",
    replace: "if (bytes === null) return null;\n  let value = 0;",
    test: "ledger/header.test.ts",
  },
  {
    row: "K25",
    about: "an integer beyond 2^53 is rounded",
    file: "base/rlp.ts",
    find: "return Number.isSafeInteger(value) ? value : null;",
    replace: "return value;",
    test: "ledger/header.test.ts",
  },
];

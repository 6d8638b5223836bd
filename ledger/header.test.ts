import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concatBytes, hexToBytes } from "../base/bytes.ts";
import { decodeRlp, encodeRlp, isRlpList, type RlpItem } from "../base/rlp.ts";
import { blocks, headers } from "../test/fakes/transactions.ts";
import { bodyDigests, bodyFault, decodeBlock, encodeBlock } from "./block.ts";
import { decodeHeader, encodeHeader, headerToRlp } from "./header.ts";

const [header] = fc.sample(headers, { seed: 4, numRuns: 1 });
const [block] = fc.sample(
  blocks.filter(({ body }) => body.transactions.length > 0 && body.evidence.length > 0),
  { seed: 4, numRuns: 1 },
);
if (header === undefined || block === undefined) throw new Error("no sample");

const headerFields = fieldsOf(headerToRlp(header));

function fieldsOf(item: RlpItem): readonly RlpItem[] {
  if (!isRlpList(item)) throw new Error("a header is a list");
  return item;
}

/** The header's bytes with one field replaced. */
function withField(index: number, field: RlpItem): Uint8Array {
  return encodeRlp(headerFields.with(index, field));
}

describe("K25: heights, epochs, views and times at 2^53 and 2^64 - 1", () => {
  const safeMax = hexToBytes("1fffffffffffff");
  test.each([
    ["height", 2],
    ["epoch", 3],
    ["view", 4],
    ["timestampMs", 8],
  ])("K25 %s", (name, index) => {
    const most = decodeHeader(withField(index, safeMax));
    expect(most).toMatchObject({ ok: true, value: { [name]: Number.MAX_SAFE_INTEGER } });
    for (const hex of ["20000000000000", "20000000000001", "ffffffffffffffff", "0001", "00"]) {
      expect(decodeHeader(withField(index, hexToBytes(hex))).ok, hex).toBe(false);
    }
  });
});

describe("K9: what is signed has one encoding", () => {
  test("K9: no other form of a certificate inside a header is taken", () => {
    const item = decodeRlp(encodeHeader(block.header));
    if (!item.ok || !isRlpList(item.value)) throw new Error("not a list");
    const fields = item.value;
    const certificate = fields[6];
    if (certificate === undefined || !isRlpList(certificate)) throw new Error("no certificate");
    const withCertificate = (changed: RlpItem) => decodeHeader(encodeRlp(fields.with(6, changed)));
    // The signer bitmap (4) is as wide as the committee, which `consensus/certificateCheck.ts`
    // knows.
    for (const i of [0, 1, 2, 3, 5]) {
      const longer = concatBytes(Uint8Array.of(0), certificate[i] as Uint8Array);
      expect(withCertificate(certificate.with(i, longer)).ok, `field ${i}`).toBe(false);
    }
    expect(withCertificate([...certificate, new Uint8Array(0)]).ok).toBe(false);
  });
});

test("another version of the header is refused by name", () => {
  const decoded = decodeHeader(withField(0, Uint8Array.of(2)));
  expect(!decoded.ok && decoded.refusal.detail).toContain("header version 2");
});

describe("a body and its header", () => {
  test("belong together when the header says what the body gives", () => {
    const fitting = { header: { ...block.header, ...bodyDigests(block.body) }, body: block.body };
    expect(bodyFault(fitting)).toBe(null);
    const decoded = decodeBlock(encodeBlock(fitting));
    expect(decoded.ok && bodyFault(decoded.value)).toBe(null);
  });
  test("do not when a transaction, evidence or a certificate is another", () => {
    const { body } = block;
    const fitting = { ...block.header, ...bodyDigests(body) };
    const others = [
      { ...body, transactions: [...body.transactions, Uint8Array.of(1)] },
      { ...body, evidence: body.evidence.slice(1) },
      { ...body, checkpointCertificate: Uint8Array.of(1, 2, 3) },
    ];
    for (const other of others) expect(bodyFault({ header: fitting, body: other })).not.toBe(null);
  });
});

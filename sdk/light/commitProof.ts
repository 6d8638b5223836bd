import { hexToBytesOrNull, textToDigestOrNull } from "../../base/bytes.ts";
import type { Certificate, HeaderLink } from "../../consensus/types.ts";
import type { CommitProof, Header } from "../../ledger/blockTypes.ts";
import { blockHash, decodeHeader } from "../../ledger/header.ts";

/** Headers of one commit proof. */
const headersMax = 1_024;

/** A commit proof as `ledger.*` methods give it; `null` if it cannot be read. */
export function readCommitProof(value: unknown): CommitProof | null {
  const { certificate: given, headers: list } = fieldsOf(value);
  const certificate = readCertificate(given);
  if (certificate === null || !Array.isArray(list) || list.length > headersMax) return null;
  const headers: Header[] = [];
  for (const text of list as readonly unknown[]) {
    const header = readHeader(text);
    if (header === null) return null;
    headers.push(header);
  }
  return { headers, certificate };
}

/** A header in hex; `null` if it is none. */
export function readHeader(value: unknown): Header | null {
  const bytes = readHex(value);
  const header = bytes === null ? null : decodeHeader(bytes);
  return header?.ok === true ? header.value : null;
}

/** Bytes in hex; `null` if they are none. */
export function readHex(value: unknown): Uint8Array | null {
  return typeof value === "string" ? hexToBytesOrNull(value) : null;
}

/** The fields of a JSON object; none of anything else. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? Object.fromEntries(Object.entries(value)) : {};
}

/** What a commit proof needs of a header. */
export function linkOf(header: Header): HeaderLink {
  const { epoch, view, height, parentCertificate, parentHash: parent } = header;
  return { epoch, view, height, parentCertificate, parent, hash: blockHash(header) };
}

function readCertificate(value: unknown): Certificate | null {
  const fields = fieldsOf(value);
  const { epoch, view, parentView } = fields;
  const block = typeof fields["block"] === "string" ? textToDigestOrNull(fields["block"]) : null;
  const signers = readHex(fields["signers"]);
  const signature = readHex(fields["signature"]);
  if (!isCount(epoch) || !isCount(view) || !isCount(parentView)) return null;
  if (block === null || signers === null || signature === null) return null;
  return { epoch, view, block, parentView, signers, signature };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

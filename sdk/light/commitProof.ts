import { hexToBytesOrNull, textToDigestOrNull } from "../../base/bytes.ts";
import type { Certificate } from "../../consensus/types.ts";
import type { CommitProof, Header } from "../../ledger/blockTypes.ts";
import { decodeHeader } from "../../ledger/header.ts";
import { fieldsOf } from "../jsonFields.ts";

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

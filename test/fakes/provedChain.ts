import type { Digest } from "../../base/brand.ts";
import { emptyBytes } from "../../base/bytes.ts";
import { rootCertificate } from "../../consensus/rules.ts";
import type { Certificate, EpochInfo } from "../../consensus/types.ts";
import type { Block, CommitProof, Header } from "../../ledger/blockTypes.ts";
import { blockHash } from "../../ledger/header.ts";
import { LedgerNetwork } from "./ledgerNetwork.ts";

/** Blocks in consecutive views with the proof of all but the last; signatures are no signatures. */
export type ProvedChain = {
  readonly blocks: readonly Block[];
  readonly hashes: readonly Digest[];
  readonly proof: CommitProof;
};

/** Empty blocks on the root of an epoch; `tag` tells forks apart by their timestamps. */
export function provedChain(epoch: EpochInfo, count: number, tag = 0): ProvedChain {
  const template = new LedgerNetwork({ balances: [] }).head;
  const headers: Header[] = [];
  let certificate: Certificate = rootCertificate(epoch);
  let parentHash = epoch.root;
  for (let view = 1; view <= count + 1; view += 1) {
    const header = {
      ...template,
      height: epoch.rootHeight + view,
      epoch: epoch.epoch,
      view,
      parentHash,
      parentCertificate: certificate,
      timestampMs: template.timestampMs + 1_000 * view + tag,
    };
    headers.push(header);
    parentHash = blockHash(header);
    certificate = {
      epoch: epoch.epoch,
      view,
      block: parentHash,
      parentView: view - 1,
      signers: Uint8Array.of(0x0f),
      signature: new Uint8Array(96).fill(view),
    };
  }
  const body = {
    transactions: [],
    timeoutCertificate: null,
    epochProof: null,
    randomnessSignature: emptyBytes,
    evidence: [],
    checkpointCertificate: null,
  };
  return {
    blocks: headers.slice(0, count).map((header) => ({ header, body })),
    hashes: headers.slice(0, count).map(blockHash),
    proof: { headers: headers.slice(count - 1), certificate },
  };
}

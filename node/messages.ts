import type { Digest } from "../base/brand.ts";
import { emptyBytes, hexToBytes } from "../base/bytes.ts";
import { messageBytesMax } from "../base/limits.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { decodeRlp, encodeRlp, RlpReader, rlpNumber, type RlpItem } from "../base/rlp.ts";
import {
  blsSignatureSize,
  decodeSignedTimeout,
  decodeSignedVote,
  encodeSignedTimeout,
  encodeSignedVote,
  readSigner,
} from "../consensus/codec.ts";
import type { SignedTimeout, SignedVote } from "../consensus/types.ts";
import {
  blockTransactionsMax,
  bodyToRlp,
  commitProofToRlp,
  decodeCommitProof,
  encodeCommitProof,
  readBody,
  readCommitProof,
} from "../ledger/block.ts";
import type { Body, CommitProof, Header } from "../ledger/blockTypes.ts";
import { headerToRlp, readHeader } from "../ledger/header.ts";
import type { Codec } from "../p2p/codec.ts";
import { envelopeCodec } from "../p2p/envelope.ts";

/*
 * What nodes say to each other of consensus: a kind in an envelope (p2p/envelope.ts), and in it the
 * canonical RLP of the thing itself, so that nothing is said in two ways. Signatures are checked
 * afterwards (node/verifier.ts).
 */

/** A proposal as it travels: transactions by hash, for its receivers hold most of them. */
export type CompactProposal = {
  /** Index of the proposer in the committee of the block's epoch. */
  readonly signer: number;
  readonly signature: Uint8Array;
  readonly header: Header;
  /** Its list of transactions is empty. */
  readonly body: Body;
  /** Hashes of the transactions, in the order of the block. */
  readonly transactions: readonly Digest[];
};

/** What one node tells another of consensus without being asked. */
export type PeerMessage =
  | { readonly type: "vote"; readonly vote: SignedVote }
  | { readonly type: "timeout"; readonly timeout: SignedTimeout }
  | { readonly type: "proposal"; readonly proposal: CompactProposal }
  /** Someone seems to be behind: the commit proof of an epoch's last block. */
  | { readonly type: "proof"; readonly proof: CommitProof };

/** Part of the format between nodes: never reused for another meaning. */
const messageKinds = { vote: 1, timeout: 2, proposal: 3, proof: 4 } as const;

/** Items of the longest message: hashes of a block's transactions, or headers of a proof. */
const itemsMax = 4 * blockTransactionsMax;

type Refused = { readonly code: string };

function decodeWith<T>(
  bytes: Uint8Array,
  subject: string,
  read: (reader: RlpReader, item: RlpItem) => T,
): Outcome<T, Refused> {
  if (bytes.length > messageBytesMax) return refuse({ code: "tooLong" });
  // Copied: what is decoded must not change with the buffer it came in.
  const item = decodeRlp(bytes.slice(), { itemsMax });
  if (!item.ok) return item;
  const reader = new RlpReader(subject);
  return reader.outcome(read(reader, item.value));
}

/** `[signer, signature, header, body without transactions, [transaction hash…]]`. */
function encodeProposal(proposal: CompactProposal): Uint8Array {
  return encodeRlp([
    rlpNumber(proposal.signer),
    proposal.signature,
    headerToRlp(proposal.header),
    bodyToRlp(proposal.body),
    proposal.transactions.map(hexToBytes),
  ]);
}

function decodeProposal(bytes: Uint8Array): Outcome<CompactProposal, Refused> {
  return decodeWith(bytes, "proposal", (reader, item) => {
    const fields = reader.list(item, 5);
    const proposal = {
      signer: readSigner(reader, fields[0]),
      signature: reader.fixed(fields[1], blsSignatureSize),
      header: readHeader(reader, fields[2]),
      body: readBody(reader, fields[3]),
      transactions: reader.array(fields[4], blockTransactionsMax, (part) => reader.digest(part)),
    };
    reader.check(proposal.body.transactions.length === 0, "transactions travel by hash");
    return proposal;
  });
}

/** Messages on the wire. */
export const peerMessageCodec: Codec<PeerMessage> = {
  encode: (message) => {
    const kind = messageKinds[message.type];
    switch (message.type) {
      case "vote":
        return envelopeCodec.encode({ kind, body: encodeSignedVote(message.vote) });
      case "timeout":
        return envelopeCodec.encode({ kind, body: encodeSignedTimeout(message.timeout) });
      case "proposal":
        return envelopeCodec.encode({ kind, body: encodeProposal(message.proposal) });
      case "proof":
        return envelopeCodec.encode({ kind, body: encodeCommitProof(message.proof) });
    }
  },
  decode: (bytes) => {
    const envelope = envelopeCodec.decode(bytes);
    return envelope.ok ? decodeBody(envelope.value.kind, envelope.value.body) : envelope;
  },
};

function decodeBody(kind: number, body: Uint8Array): Outcome<PeerMessage, Refused> {
  switch (kind) {
    case messageKinds.vote: {
      const vote = decodeSignedVote(body);
      return vote.ok ? accept({ type: "vote", vote: vote.value }) : vote;
    }
    case messageKinds.timeout: {
      const timeout = decodeSignedTimeout(body);
      return timeout.ok ? accept({ type: "timeout", timeout: timeout.value }) : timeout;
    }
    case messageKinds.proposal: {
      const proposal = decodeProposal(body);
      return proposal.ok ? accept({ type: "proposal", proposal: proposal.value }) : proposal;
    }
    case messageKinds.proof: {
      const proof = decodeCommitProof(body);
      return proof.ok ? accept({ type: "proof", proof: proof.value }) : proof;
    }
    default:
      return refuse({ code: "kindUnknown" });
  }
}

/** How far a node is, with what shows it. */
export type Standing = {
  /** Height of its newest committed block; only a proof makes it more than a claim. */
  readonly height: number;
  /** Of the last block of the epoch asked for if that has ended, else of the newest block. */
  readonly proof: CommitProof | null;
};

/** `[height, [proof] or []]`. */
export const standingCodec: Codec<Standing> = {
  encode: ({ height, proof }) =>
    encodeRlp([rlpNumber(height), proof === null ? [] : [commitProofToRlp(proof)]]),
  decode: (bytes) =>
    decodeWith(bytes, "standing", (reader, item) => {
      const fields = reader.list(item, 2);
      return {
        height: reader.number(fields[0]),
        proof:
          reader.array(fields[1], 1, (part): CommitProof => readCommitProof(reader, part))[0] ??
          null,
      };
    }),
};

/** How far a key has signed, by its own record: its newest epoch, and the last view in that. */
export type Signed = { readonly epoch: number; readonly view: number };

/** `[epoch, view]`. */
export const signedCodec: Codec<Signed> = {
  encode: ({ epoch, view }) => encodeRlp([rlpNumber(epoch), rlpNumber(view)]),
  decode: (bytes) =>
    decodeWith(bytes, "signed", (reader, item) => {
      const fields = reader.list(item, 2);
      return { epoch: reader.number(fields[0]), view: reader.number(fields[1]) };
    }),
};

/** Nothing: a question that needs no words. */
export const emptyCodec: Codec<null> = {
  encode: () => emptyBytes,
  decode: (bytes) => (bytes.length === 0 ? accept(null) : refuse({ code: "notEmpty" })),
};

/** One number: an epoch or a height. */
export const numberCodec: Codec<number> = {
  encode: (value) => encodeRlp(rlpNumber(value)),
  decode: (bytes) => decodeWith(bytes, "number", (reader, item) => reader.number(item)),
};

/** One hash. */
export const digestCodec: Codec<Digest> = {
  encode: (value) => encodeRlp(hexToBytes(value)),
  decode: (bytes) => decodeWith(bytes, "digest", (reader, item) => reader.digest(item)),
};

/** Hashes in order, at most as many as a block has transactions. */
export const digestsCodec: Codec<readonly Digest[]> = {
  encode: (value) => encodeRlp(value.map(hexToBytes)),
  decode: (bytes) =>
    decodeWith(bytes, "digests", (reader, item) =>
      reader.array(item, blockTransactionsMax, (part) => reader.digest(part)),
    ),
};

/** Some transactions of one block, by their positions in it. */
export type BlockParts = { readonly block: Digest; readonly indexes: readonly number[] };

/** `[block, [index…]]`. */
export const blockPartsCodec: Codec<BlockParts> = {
  encode: ({ block, indexes }) => encodeRlp([hexToBytes(block), indexes.map(rlpNumber)]),
  decode: (bytes) =>
    decodeWith(bytes, "block parts", (reader, item) => {
      const fields = reader.list(item, 2);
      return {
        block: reader.digest(fields[0]),
        indexes: reader.array(fields[1], blockTransactionsMax, (part) => reader.number(part)),
      };
    }),
};

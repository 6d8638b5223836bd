import type { Digest } from "../../base/brand.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import { checkCertificate, type AggregateVerifier } from "../../consensus/certificateCheck.ts";
import { encodeCommittee } from "../../consensus/codec.ts";
import { checkCommitProof } from "../../consensus/commitProof.ts";
import type { Committee } from "../../consensus/types.ts";
import { verifyGroups } from "../../crypto/bls.ts";
import { keccakDigest } from "../../crypto/keccak.ts";
import type { CommitProof, Header } from "../../ledger/blockTypes.ts";
import { blockHash, headerLink } from "../../ledger/header.ts";

/*
 * Who may say what is committed: the committee of each epoch, handed over by the one before. An
 * epoch's last block names the next committee, and a commit proof by the old one covers that block.
 */

/** An epoch whose committee is believed, and the root that it began with. */
export type TrustedEpoch = {
  readonly committee: Committee;
  /** The block that ended the epoch before; the genesis block in epoch 0. */
  readonly root: Digest;
  readonly rootHeight: number;
};

/** An epoch's beginning as a node tells it. */
export type EpochClaim = {
  readonly root: Header;
  readonly committee: Committee;
  /** `null` at genesis. */
  readonly proof: CommitProof | null;
};

/** Whether a block is committed, by a node's word and somebody's proof; the refusal says why not. */
export type Proven = Outcome<Header, string>;

/** The two newest epochs that are believed: a proof may be a little older than a hand-over. */
export class Committees {
  readonly #genesisHash: Digest;
  readonly #verify: AggregateVerifier;
  #newest: TrustedEpoch;
  #before: TrustedEpoch | null = null;

  constructor(
    genesisHash: Digest,
    trusted: TrustedEpoch,
    verify: AggregateVerifier = verifyGroups,
  ) {
    this.#genesisHash = genesisHash;
    this.#newest = trusted;
    this.#verify = verify;
  }

  get newest(): TrustedEpoch {
    return this.#newest;
  }

  /** Believes the next epoch if the newest one's committee has committed its root. */
  follow(claim: EpochClaim): Proven {
    const { epoch } = this.#newest.committee;
    const { proof, root, committee } = claim;
    if (root.epoch !== epoch || committee.epoch !== epoch + 1 || proof === null)
      return refuse(`it is not the hand-over from epoch ${epoch}`);
    const proven = this.prove(proof);
    if (!proven.ok) return proven;
    const lastHeight = lastHeightOf(this.#newest);
    if (lastHeight !== null && root.height !== lastHeight)
      return refuse(`epoch ${epoch} ends at height ${lastHeight}, not ${root.height}`);
    const started = trustedStart(this.#genesisHash, claim);
    if (!started.ok) return started;
    if (started.value.root !== blockHash(proven.value)) return refuse("another block is proven");
    this.#before = this.#newest;
    this.#newest = started.value;
    return proven;
  }

  /** The proof's first header, if an epoch's committee that is believed has committed it. */
  prove({ headers, certificate }: CommitProof): Proven {
    const trusted = this.#trusted(certificate.epoch);
    if (trusted === null) return refuse(`the committee of epoch ${certificate.epoch} is unknown`);
    const [first] = headers;
    if (first === undefined) return refuse("no headers");
    if (headers.some(({ genesisHash }) => genesisHash !== this.#genesisHash))
      return refuse("of another chain");
    const { committee, root } = trusted;
    const { epoch } = committee;
    const lastHeight = lastHeightOf(trusted) ?? Number.MAX_SAFE_INTEGER;
    const links = headers.map(headerLink);
    const structure = checkCommitProof({ epoch, lastHeight }, { links, certificate });
    if (!structure.ok) return refuse(structure.refusal.code);
    const scope = { genesis: this.#genesisHash, scope: "" };
    const context = { scope, epoch: { epoch, committee, root }, verify: this.#verify };
    const signed = checkCertificate(context, certificate);
    return signed.ok ? accept(first) : refuse(`the certificate: ${signed.refusal.code}`);
  }

  #trusted(epoch: number): TrustedEpoch | null {
    for (const trusted of [this.#newest, this.#before])
      if (trusted?.committee.epoch === epoch) return trusted;
    return null;
  }
}

/** An epoch taken at its word: its root names the committee that is told beside it. */
export function trustedStart(
  genesisHash: Digest,
  { root, committee }: EpochClaim,
): Outcome<TrustedEpoch, string> {
  const isGenesis = root.height === 0 && committee.epoch === 0;
  if (root.genesisHash !== genesisHash) return refuse("of another chain");
  if (!isGenesis && committee.epoch !== root.epoch + 1) return refuse("of another epoch");
  if (root.nextCommitteeHash !== keccakDigest(encodeCommittee(committee)))
    return refuse("the root names another committee");
  return accept({ committee, root: blockHash(root), rootHeight: root.height });
}

/**
 * Height of an epoch's last block. All epochs have as many blocks, so an epoch above the first
 * knows it from its root; `null` in the first, where only the chain's parameters say it.
 */
function lastHeightOf({ committee, rootHeight }: TrustedEpoch): number | null {
  const { epoch } = committee;
  return epoch === 0 ? null : (rootHeight / epoch) * (epoch + 1);
}

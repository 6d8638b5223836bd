import type { Digest } from "../../base/brand.ts";
import { bytesToHex, emptyBytes } from "../../base/bytes.ts";
import { encodeStatement } from "../../base/statement.ts";
import { encodeCommittee } from "../../consensus/codec.ts";
import { signersToBitmap } from "../../consensus/signers.ts";
import { voteStatement } from "../../consensus/statements.ts";
import type { Certificate, Committee } from "../../consensus/types.ts";
import { aggregate, blsPublicKeyOf, blsSign } from "../../crypto/bls.ts";
import { keccakDigest } from "../../crypto/keccak.ts";
import type { Header } from "../../ledger/blockTypes.ts";
import { blockHash, encodeHeader } from "../../ledger/header.ts";
import { addressOf, blsSecretOf, LedgerNetwork } from "./ledgerNetwork.ts";

/** Blocks of each epoch. */
export const signedEpochBlocks = 4;

/**
 * A chain of headers, each in the view after the one before, that committees of these names have
 * really signed; answers what a light client asks of a node. `names[e]` are epoch e's validators.
 */
export class SignedEpochs {
  readonly genesisHash: Digest;
  readonly headers: Header[] = [];
  readonly #names: readonly (readonly string[])[];
  /** The certificate of each header. */
  readonly #certificates: Certificate[] = [];
  /** Header parts that differ from the rule, by height. */
  readonly #lies: ReadonlyMap<number, Partial<Header>>;
  /** The height that is told to be the newest. */
  head: number;
  /** What else is in an answer beside the head's proof. */
  answer: (method: string, parameters: unknown) => object = () => ({});
  /** The methods that were called. */
  readonly calls: string[] = [];

  constructor(
    names: readonly (readonly string[])[],
    options: {
      readonly lies?: ReadonlyMap<number, Partial<Header>>;
      /** Signs in place of the committee of an epoch. */
      readonly signers?: readonly (readonly string[])[];
    } = {},
  ) {
    this.#names = names;
    this.#lies = options.lies ?? new Map<number, Partial<Header>>();
    const genesis = new LedgerNetwork({ balances: [] }).head;
    this.genesisHash = genesis.genesisHash;
    const first = { ...genesis, nextCommitteeHash: this.#hashOf(0), ...this.#lies.get(0) };
    this.#push(first, rootCertificate(0, blockHash(first)));
    for (let epoch = 0; epoch < names.length; epoch += 1)
      this.#grow(epoch, options.signers?.[epoch] ?? names[epoch] ?? []);
    this.head = this.headers.length - 3;
  }

  committee(epoch: number): Committee {
    const validators = (this.#names[epoch] ?? []).map((name) => ({
      address: addressOf(name),
      blsKey: blsPublicKeyOf(blsSecretOf(name)),
      stake: 100n,
    }));
    validators.sort((a, b) => (a.address < b.address ? -1 : 1));
    return { epoch, validators };
  }

  /** Hash of the block that an epoch begins with. */
  root(epoch: number): Digest {
    return blockHash(this.#header(epoch * signedEpochBlocks));
  }

  call(method: string, parameters: unknown): Promise<unknown> {
    this.calls.push(method);
    if (method === "ledger.getEpochs") {
      const from = Number(Object.entries(parameters as object)[0]?.[1]);
      const known = Math.floor(this.head / signedEpochBlocks);
      const epochs = Array.from({ length: Math.max(0, known - from + 1) }, (_, i) => from + i);
      return Promise.resolve({ epochs: epochs.slice(0, 2).map((epoch) => this.#start(epoch)) });
    }
    const proof = this.proof(this.head);
    return Promise.resolve({ proof, commitProof: proof, ...this.answer(method, parameters) });
  }

  /** A commit proof in JSON. */
  proof(height: number): unknown {
    if (height > 0 && height % signedEpochBlocks === 0)
      return this.#endProof(height / signedEpochBlocks - 1);
    const { epoch, view, block, parentView, signers, signature } = this.#certificate(height + 1);
    const headers = [this.#header(height), this.#header(height + 1)];
    return {
      headers: headers.map((header) => bytesToHex(encodeHeader(header))),
      certificate: {
        epoch,
        view,
        block,
        parentView,
        signers: bytesToHex(signers),
        signature: bytesToHex(signature),
      },
    };
  }

  #start(epoch: number): unknown {
    const at = epoch * signedEpochBlocks;
    return {
      epoch,
      hash: this.root(epoch),
      root: bytesToHex(encodeHeader(this.#header(at))),
      committee: bytesToHex(encodeCommittee(this.committee(epoch))),
      proof: epoch === 0 ? null : this.#endProof(epoch - 1),
    };
  }

  /** Of an epoch's last block: its certified child is of the same epoch, and abandoned. */
  #endProof(epoch: number): unknown {
    const at = (epoch + 1) * signedEpochBlocks;
    const last = this.#header(at);
    const view = last.view + 1;
    const hash = blockHash(last);
    const child = { ...last, height: at + 1, view, parentHash: hash, nextCommitteeHash: null };
    child.parentCertificate = this.#certificate(at);
    const by = this.#names[epoch] ?? [];
    const signed = this.#sign({ epoch, view, block: blockHash(child), parentView: last.view }, by);
    const { signers, signature, ...rest } = signed;
    const hex = { signers: bytesToHex(signers), signature: bytesToHex(signature) };
    const headers = [last, child].map((header) => bytesToHex(encodeHeader(header)));
    return { headers, certificate: { ...rest, ...hex } };
  }

  #grow(epoch: number, signers: readonly string[]): void {
    const rootHash = this.root(epoch);
    let certificate = rootCertificate(epoch, rootHash);
    // Three blocks more in the newest epoch, so that what is told as the head has a proof.
    const isLast = epoch === this.#names.length - 1;
    const count = isLast ? signedEpochBlocks - 1 : signedEpochBlocks;
    for (let view = 1; view <= count; view += 1) {
      const parent = this.#header(this.headers.length - 1);
      const height = this.headers.length;
      const endsEpoch = view === signedEpochBlocks;
      const header: Header = {
        ...parent,
        height,
        epoch,
        view,
        parentHash: blockHash(parent),
        parentCertificate: certificate,
        timestampMs: parent.timestampMs + 1_000,
        nextCommitteeHash: endsEpoch ? this.#hashOf(epoch + 1) : null,
        ...this.#lies.get(height),
      };
      const block = blockHash(header);
      const parentView = certificate.view;
      certificate = this.#sign({ epoch, view, block, parentView }, signers);
      this.#push(header, certificate);
    }
  }

  #sign(
    vote: Pick<Certificate, "epoch" | "view" | "block" | "parentView">,
    by: readonly string[],
  ): Certificate {
    const message = encodeStatement(voteStatement({ genesis: this.genesisHash, scope: "" }, vote));
    const { validators } = this.committee(vote.epoch);
    const signature = aggregate(by.map((name) => blsSign(message, blsSecretOf(name))));
    const bits = by.map((name, i) => {
      const at = validators.findIndex(({ address }) => address === addressOf(name));
      return at === -1 ? i : at; // A stranger signs in a member's place.
    });
    bits.sort((a, b) => a - b);
    return { ...vote, signers: signersToBitmap(bits, validators.length), signature };
  }

  #push(header: Header, certificate: Certificate): void {
    this.headers.push(header);
    this.#certificates.push(certificate);
  }

  #header(height: number): Header {
    const header = this.headers[height];
    if (header === undefined) throw new Error(`there is no block ${height}`);
    return header;
  }

  #certificate(height: number): Certificate {
    const certificate = this.#certificates[height];
    if (certificate === undefined) throw new Error(`there is no certificate of ${height}`);
    return certificate;
  }

  #hashOf(epoch: number): Digest {
    return keccakDigest(encodeCommittee(this.committee(epoch)));
  }
}

function rootCertificate(epoch: number, block: Digest): Certificate {
  return { epoch, view: 0, block, parentView: 0, signers: emptyBytes, signature: emptyBytes };
}

import { accept, refuse } from "../../base/outcome.ts";
import { bytesToHex } from "../../base/bytes.ts";
import { encodeCommittee } from "../../consensus/codec.ts";
import type { Certificate } from "../../consensus/types.ts";
import { encodeHeader } from "../../ledger/header.ts";
import type { CommitProof } from "../../ledger/blockTypes.ts";
import type { EpochStart, NodeApi } from "../api.ts";
import type { Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import { errorCodes } from "../errors.ts";
import type { JsonValue } from "../json.ts";
import type { MethodHost } from "../methodHost.ts";
import {
  anything,
  hexBytesList,
  optional,
  safeNumber,
  shortText,
  thetaDigest,
} from "../parameters.ts";
import { queryError } from "../refusals.ts";
import { evidenceMethods } from "./ledgerEvidence.ts";
import { networkMethods } from "./ledgerNetwork.ts";

function certificateJson(certificate: Certificate): JsonValue {
  return {
    epoch: certificate.epoch,
    view: certificate.view,
    block: certificate.block,
    parentView: certificate.parentView,
    signers: bytesToHex(certificate.signers),
    signature: bytesToHex(certificate.signature),
  };
}

/** Headers as the RLP that is hashed, so that a client checks the very bytes. */
function commitProofJson(proof: CommitProof): JsonValue {
  return {
    headers: proof.headers.map((header) => bytesToHex(encodeHeader(header))),
    certificate: certificateJson(proof.certificate),
  };
}

/** Epochs in one answer: up to 32 KB of JSON each, where committees are large. */
const epochsPerAnswer = 16;

/** Header and committee as the RLP that is hashed. */
function epochJson(epoch: number, { root, committee, proof }: EpochStart): JsonValue {
  return {
    epoch,
    hash: root.hash,
    root: bytesToHex(encodeHeader(root.header)),
    committee: bytesToHex(encodeCommittee(committee)),
    proof: proof === null ? null : commitProofJson(proof),
  };
}

function chainJson(node: NodeApi): JsonValue {
  const { hash, header } = node.head();
  return {
    name: node.chain.name,
    id: node.chain.id,
    genesisHash: node.chain.genesisHash,
    runtimeHash: header.runtimeHash,
    height: header.height,
    hash,
    epoch: header.epoch,
    view: header.view,
    timestampMs: header.timestampMs,
    baseFee: `${header.baseFee}`,
    finalizedHeight: node.finalizedHeight(),
    syncing: node.syncStatus().syncing,
  };
}

function modulesJson(node: NodeApi): JsonValue {
  return node.modules().map(({ name, version, operations, queries }) => ({
    name,
    version,
    operations,
    queries: queries.map(({ name: query, description }) => ({ name: query, description })),
  }));
}

/** `ledger.*`: what this ledger has and Theta has not. */
export function ledgerMethods({ node, ...host }: MethodHost): readonly Method[] {
  const style = "object";
  return [
    method({
      name: "ledger.chain",
      summary: "Names of the chain, its genesis and runtime hashes, and its head.",
      style,
      parameters: {},
      call: () => accept(chainJson(node)),
    }),
    method({
      name: "ledger.modules",
      summary: "Modules of this runtime with their operations and queries.",
      style,
      parameters: {},
      call: () => accept(modulesJson(node)),
    }),
    method({
      name: "ledger.parameters",
      summary: "Chain parameters at the head.",
      style,
      parameters: {},
      call: () => accept({ ...node.parameters() }),
    }),
    method({
      name: "ledger.query",
      summary: "A module's query; ledger.modules lists them.",
      style,
      heavy: true,
      parameters: {
        module: shortText,
        query: shortText,
        parameters: anything,
        height: optional(safeNumber, null),
      },
      call: ({ module, query, parameters, height }) => {
        const answer = node.queryModule({ module, query, parameters: parameters ?? {}, height });
        return answer.ok ? answer : refuse(queryError(answer.refusal));
      },
    }),
    ...proofMethods(node),
    ...evidenceMethods(node),
    ...networkMethods({ node, ...host }),
  ];
}

function proofMethods(node: NodeApi): readonly Method[] {
  const style = "object";
  return [
    method({
      name: "ledger.getCommitProof",
      summary: "Proof that a block is committed; of the newest one if no hash is given.",
      style,
      parameters: { hash: optional(thetaDigest, null) },
      call: async ({ hash }) => {
        const block = hash ?? node.head().hash;
        const proof = await node.commitProof(block);
        if (proof !== null) return accept({ block, proof: commitProofJson(proof) });
        const message = `block ${block} is not committed here, or its proof is not kept`;
        return refuse({ code: errorCodes.resourceNotFound, message });
      },
    }),
    method({
      name: "ledger.getEpochs",
      summary:
        "Epochs from a number on: root, committee, and the proof that the root is committed.",
      style,
      heavy: true,
      parameters: { from: safeNumber },
      call: async ({ from }) => {
        const epochs: JsonValue[] = [];
        for (let epoch = from; epoch < from + epochsPerAnswer; epoch += 1) {
          const start = await node.epochStart(epoch);
          if (start === null) break;
          epochs.push(epochJson(epoch, start));
        }
        return accept({ epochs });
      },
    }),
    method({
      name: "ledger.getModuleProof",
      summary: "Merkle proofs of keys of a module at the head, with the head's own commit proof.",
      style,
      heavy: true,
      parameters: { module: shortText, keys: hexBytesList },
      call: async ({ module, keys }) => {
        if (!node.modules().some(({ name }) => name === module)) {
          const message = `no module ${module.slice(0, 40)}: ledger.modules lists them`;
          return refuse({ code: errorCodes.invalidParams, message });
        }
        const { hash } = node.head();
        const { accountProof, storageProofs } = node.moduleProof(module, keys);
        const proof = await node.commitProof(hash);
        return accept({
          block: hash,
          commitProof: proof === null ? null : commitProofJson(proof),
          accountProof: accountProof.map(bytesToHex),
          proofs: storageProofs.map((nodes) => nodes.map(bytesToHex)),
        });
      },
    }),
  ];
}

import type { Digest } from "../../base/brand.ts";
import { bytesToHex, bytesToHexDigits, hexToBytes } from "../../base/bytes.ts";
import type { Header } from "../../ledger/blockTypes.ts";
import { poolKey, poolResourceKey, poolSchema, type Pool, type PoolId } from "../../ledger/pool.ts";
import { encodeWith } from "../../ledger/schema.ts";
import { emptyRoot } from "../../store/account.ts";
import { MemoryKeyValue } from "../../store/memory.ts";
import { openStateTree, type StateTree } from "../../store/stateTree.ts";
import { resourceId, testAddress } from "./payWorld.ts";
import { SignedEpochs } from "./signedEpochs.ts";

/** The pool of these nodes. */
export const poolId: PoolId = { owner: testAddress(1), sequence: 1n };

const pool: Pool = {
  collateral: 1_600n,
  fund: 1_000n,
  used: 0n,
  endHeight: 500,
  releaseTimestampMs: 0,
  condemned: false,
  resources: 1,
  receivers: 0,
  receiversMax: 0,
  perReceiverMax: 0n,
};

/** Nodes that prove a pool in real state trees under headers that are really signed. */
export class PoolNodes {
  readonly #tree: StateTree;
  readonly #honest: Digest;
  readonly #inflated: Digest;

  private constructor(tree: StateTree) {
    this.#tree = tree;
    this.#honest = stateWith(tree, pool);
    this.#inflated = stateWith(tree, { ...pool, fund: 1_000_000n, collateral: 1_600_000n });
  }

  static async open(): Promise<PoolNodes> {
    return new PoolNodes(
      await openStateTree(new MemoryKeyValue(), { retention: { type: "archive" } }),
    );
  }

  /** A node of two epochs; `inflated`: in its state the pool is a thousand times larger. */
  node(
    given: {
      readonly inflated?: true;
      readonly signers?: readonly (readonly string[])[];
    } = {},
  ): SignedEpochs {
    const stateRoot = given.inflated === true ? this.#inflated : this.#honest;
    const lies = new Map<number, Partial<Header>>([[1, { stateRoot }]]);
    const committees = [
      ["a1", "a2", "a3"],
      ["b1", "b2", "b3"],
    ];
    const node = new SignedEpochs(committees, { ...given, lies });
    node.answer = (_method, parameters) => {
      const { module, keys } = parameters as { module?: string; keys?: readonly string[] };
      if (module === undefined || keys === undefined) return {};
      const proof = this.#tree.moduleProof(stateRoot, module, keys.map(hexToBytes));
      return {
        accountProof: proof.accountProof.map(bytesToHex),
        proofs: proof.storageProofs.map((nodes) => nodes.map(bytesToHex)),
      };
    };
    return node;
  }
}

function stateWith(tree: StateTree, value: Pool): Digest {
  const entries = new Map([
    [bytesToHexDigits(poolKey(poolId)), encodeWith(poolSchema, value)],
    [bytesToHexDigits(poolResourceKey(poolId, resourceId)), Uint8Array.of(1)],
  ]);
  return tree.apply(emptyRoot, {
    accounts: new Map(),
    storage: new Map(),
    storageCleared: new Set(),
    code: new Map(),
    modules: new Map([["reserve", entries]]),
  });
}

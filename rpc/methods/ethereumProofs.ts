import type { Digest } from "../../base/brand.ts";
import { bigIntToDigest, bytesToHex } from "../../base/bytes.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import { emptyAccount } from "../../ledger/accounts.ts";
import type { Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import type { Answer } from "../errors.ts";
import { invalidParams, limitExceeded } from "../errors.ts";
import { isJsonObject, type JsonValue } from "../json.ts";
import type { MethodHost } from "../methodHost.ts";
import { toQuantity } from "../numbers.ts";
import { ethereumAddress, storageSlot, type Parameter } from "../parameters.ts";
import { stateError } from "../refusals.ts";
import { readArray } from "./callObject.ts";
import { blockMissing, heightOf, isHead, stateOf, tagOrLatest } from "./ethereumTags.ts";

/** Slots in one question, all accounts together: go-ethereum's bound. */
const slotsMax = 1_024;

/** A slot as it was asked for, because the answer repeats it so. */
type AskedSlot = { readonly text: string; readonly slot: Digest };

function readSlot(value: unknown): Outcome<AskedSlot, string> {
  const read = storageSlot.read(value);
  if (!read.ok) return read;
  const slot = bigIntToDigest(read.value);
  // A whole word is a word, anything shorter a number.
  const isWord = typeof value === "string" && value.length === 66;
  return accept({ text: isWord ? slot : toQuantity(read.value), slot });
}

const slotList: Parameter<readonly AskedSlot[]> = {
  schema: { type: "array", items: storageSlot.schema, maxItems: slotsMax },
  optional: false,
  read: readArray(readSlot, { name: "slotsMax", max: slotsMax }),
};

function getProof({ node }: MethodHost): Method {
  return method({
    name: "eth_getProof",
    summary: "An account and slots of its storage, with Merkle proofs against the state root.",
    style: "array",
    parameters: { address: ethereumAddress, slots: slotList, block: tagOrLatest },
    heavy: true,
    call: async ({ address, slots, block }): Promise<Answer> => {
      const height = isHead(block) ? null : await heightOf(node, block);
      if (height === null && !isHead(block)) return refuse(blockMissing());
      const proof = node.proof(
        address,
        slots.map(({ slot }) => slot),
        height,
      );
      if (!proof.ok) return refuse(stateError(proof.refusal));
      const { account, accountProof, slots: proven } = proof.value;
      const { balance, nonce, codeHash, storageRoot } = account ?? emptyAccount;
      return accept({
        address,
        accountProof: accountProof.map(bytesToHex),
        balance: toQuantity(balance),
        codeHash,
        nonce: toQuantity(nonce),
        storageHash: storageRoot,
        storageProof: proven.map(({ word, proof: nodes }, i) => ({
          key: slots[i]?.text ?? "",
          value: toQuantity(word),
          proof: nodes.map(bytesToHex),
        })),
      });
    },
  });
}

const slotsByAddress: Parameter<Readonly<Record<string, unknown>>> = {
  schema: { type: "object", additionalProperties: slotList.schema },
  optional: false,
  read: (value) => (isJsonObject(value) ? accept(value) : refuse("wants slots by address")),
};

function getStorageValues({ node }: MethodHost): Method {
  const name = "eth_getStorageValues";
  return method({
    name,
    summary: "Words of several contracts' storage.",
    style: "array",
    parameters: { slots: slotsByAddress, block: tagOrLatest },
    call: async ({ slots, block }): Promise<Answer> => {
      const state = await stateOf(node, block);
      if (!state.ok) return state;
      const entries = Object.entries(slots);
      if (entries.length === 0) return refuse(invalidParams("empty request"));
      const answer: Record<string, JsonValue> = {};
      let left = slotsMax;
      for (const [text, list] of entries) {
        const address = ethereumAddress.read(text);
        if (!address.ok) return refuse(invalidParams(`${name}: an address ${address.refusal}`));
        const asked = slotList.read(list);
        if (!asked.ok) return refuse(invalidParams(`${name}: ${text} ${asked.refusal}`));
        left -= asked.value.length;
        if (left < 0) return refuse(limitExceeded("slotsMax", slotsMax, null));
        answer[text] = asked.value.map(({ slot }) => {
          const word = state.value.storage(address.value, slot);
          const padded = new Uint8Array(32);
          if (word !== null) padded.set(word, 32 - word.length);
          return bytesToHex(padded);
        });
      }
      return accept(answer);
    },
  });
}

/** Storage of contracts, proven and in numbers. */
export function ethereumProofMethods(host: MethodHost): readonly Method[] {
  return [getProof(host), getStorageValues(host)];
}

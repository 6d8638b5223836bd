import type { Address, Digest } from "../base/brand.ts";
import { bigIntToDigest, bytesToDigest, hexToBytes, textToBytes } from "../base/bytes.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import type {
  EventDefinition,
  JobDefinition,
  ModuleContext,
  ModuleKey,
  QueryDefinition,
  ReadContext,
} from "./module.ts";
import type { Outcome } from "../base/outcome.ts";
import type { Json, Schema } from "./schema.ts";

/** A new right to the state of the module `name`; the registry knows one per name. */
export function createModuleKey(name: string): ModuleKey {
  return { name };
}

/** A typed event of a module; `topics` are the values that clients filter by, at most three. */
export function createEvent<T>(
  key: ModuleKey,
  name: string,
  schema: Schema<T>,
  topics: (value: T) => readonly Digest[],
): EventDefinition<T> {
  const signature = keccakDigest(textToBytes(`${key.name}.${name}`));
  return { module: key.name, name, schema, signature, topics };
}

/** A kind of work that a module leaves for later heights. */
export function createJob<T>(
  key: ModuleKey,
  name: string,
  schema: Schema<T>,
  run: (context: ModuleContext, body: T) => void,
): JobDefinition<T> {
  return { module: key.name, name, schema, run };
}

/** A question to a module, its parameters checked by their schema before `answer` sees them. */
export function createQuery<T>(
  description: string,
  parameters: Schema<T>,
  answer: (context: ReadContext, parameters: T) => Outcome<Json, string>,
): QueryDefinition {
  return {
    description,
    parameters,
    answer: (context, json) => {
      const read = parameters.fromJson(json);
      return read === null
        ? { ok: false, refusal: `expected parameters ${parameters.description}` }
        : answer(context, read.value);
    },
  };
}

/** An address as an indexed topic, as Solidity pads it. */
export function addressTopic(address: Address): Digest {
  const bytes = new Uint8Array(32);
  bytes.set(hexToBytes(address), 12);
  return bytesToDigest(bytes);
}

/** An integer as an indexed topic. */
export function integerTopic(value: bigint): Digest {
  return bigIntToDigest(value);
}

import { assert } from "../base/assert.ts";
import type { Digest } from "../base/brand.ts";
import { moduleAddress } from "../base/moduleAddress.ts";
import { encodeRlp, rlpBigInt, rlpNumber, rlpText } from "../base/rlp.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import { decodeWith, type Json } from "./schema.ts";
import type { Log } from "./receiptTypes.ts";
import {
  type EventDefinition,
  type JobDefinition,
  type Module,
  type ModuleKey,
  type OperationDefinition,
  type PrecompileDefinition,
  type QueryDefinition,
} from "./module.ts";
import { Parameters, parameterFault } from "./parameters.ts";
import type { ParameterDefinition, ParameterValue } from "./parameters.ts";

/** Raised with every change of formats or of the core's rules; part of the runtime hash. */
export const protocolVersion = 1;

/** What an operation is called and whose it is, for help texts. */
export type OperationEntry = {
  readonly module: string;
  readonly name: string;
  readonly description: string;
  /** Schema of the body; `null` if it has an envelope of its own. */
  readonly body: string | null;
};

/** The modules of one runtime, composed: the one place that knows them all. */
export class Registry {
  readonly modules: readonly Module[];
  /** Of all modules, by their addresses. */
  readonly precompiles: readonly PrecompileDefinition[];
  readonly #byName = new Map<string, Module>();
  readonly #parameters = new Map<string, ParameterDefinition>();
  readonly #events = new Map<string, EventDefinition<unknown>>();
  readonly #jobs = new Map<string, JobDefinition<unknown>>();

  /** Order is that of genesis; nothing else depends on it. */
  constructor(modules: readonly Module[]) {
    this.modules = modules;
    for (const module of modules) this.#add(module);
    const precompiles = modules.flatMap((module) => module.precompiles ?? []);
    const addresses = new Set(precompiles.map(({ address }) => address));
    assert(addresses.size === precompiles.length, "two precompiles have one address");
    this.precompiles = precompiles.sort((a, b) => (a.address < b.address ? -1 : 1));
    const selecting = modules.filter((module) => module.hooks?.selectCommittee !== undefined);
    assert(selecting.length <= 1, "two modules select committees");
  }

  #add(module: Module): void {
    moduleAddress(module.name); // Asserts the form of the name.
    assert(!this.#byName.has(module.name), `two modules are called ${module.name}`);
    assert(module.key.name === module.name, `module ${module.name} has a key of another name`);
    this.#byName.set(module.name, module);
    for (const [name, definition] of Object.entries(module.parameters)) {
      this.#parameters.set(`${module.name}.${name}`, definition);
    }
    for (const event of module.events) {
      assert(event.module === module.name, `${event.name} is an event of ${event.module}`);
      this.#events.set(event.signature, event);
    }
    for (const job of module.jobs) {
      assert(job.module === module.name, `${job.name} is a job of ${job.module}`);
      this.#jobs.set(`${module.name}.${job.name}`, job);
    }
  }

  module(name: string): Module | null {
    return this.#byName.get(name) ?? null;
  }

  /** Whether `key` is the very object that the module of its name was composed with. */
  owns(key: ModuleKey): boolean {
    return this.#byName.get(key.name)?.key === key;
  }

  operation(module: string, name: string): OperationDefinition<unknown> | null {
    const operations = this.#byName.get(module)?.operations;
    return operations !== undefined && Object.hasOwn(operations, name)
      ? (operations[name] ?? null)
      : null;
  }

  query(module: string, name: string): QueryDefinition | null {
    const queries = this.#byName.get(module)?.queries;
    return queries !== undefined && Object.hasOwn(queries, name) ? (queries[name] ?? null) : null;
  }

  job(module: string, name: string): JobDefinition<unknown> | null {
    return this.#jobs.get(`${module}.${name}`) ?? null;
  }

  /** Every operation, for help texts. */
  operationEntries(): readonly OperationEntry[] {
    return this.modules.flatMap((module) =>
      Object.entries(module.operations).map(([name, operation]) => ({
        module: module.name,
        name,
        description: operation.description,
        body: operation.schema?.description ?? null,
      })),
    );
  }

  /** A log's typed form, or `null` if no module of this runtime wrote it. */
  describeLog(
    log: Log,
  ): { readonly module: string; readonly event: string; readonly value: Json } | null {
    const event = this.#events.get(log.topics[0] ?? "");
    if (event === undefined || log.address !== moduleAddress(event.module)) return null;
    const value = decodeWith(event.schema, log.data);
    if (!value.ok) return null;
    return { module: event.module, event: event.name, value: event.schema.toJson(value.value) };
  }

  /** Declaration of a parameter by its full name. */
  parameter(name: string): ParameterDefinition | null {
    return this.#parameters.get(name) ?? null;
  }

  /** All parameters: those given, and the defaults of the others. */
  parametersWith(given: ReadonlyMap<string, ParameterValue>): Parameters {
    const values = new Map<string, ParameterValue>();
    for (const [name, definition] of this.#parameters) {
      const value = given.get(name) ?? definition.default;
      const fault = parameterFault(definition, value);
      assert(fault === null, `parameter ${name}: ${fault ?? ""}`);
      values.set(name, value);
    }
    return new Parameters(values);
  }

  /**
   * Runtime hash (DESIGN 3): protocol version, modules and their versions, and all parameters, the
   * EVM fork among them. Two nodes with the same hash compute the same results.
   */
  runtimeHash(parameters: Parameters): Digest {
    const modules = this.modules
      .map((module) => ({ name: module.name, version: module.version }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const values = parameters.entries();
    return keccakDigest(
      encodeRlp([
        rlpText("ledger.runtime.1"),
        rlpNumber(protocolVersion),
        modules.map(({ name, version }) => [rlpText(name), rlpNumber(version)]),
        values.map(([name, value]) => [
          rlpText(name),
          typeof value === "bigint" ? rlpBigInt(value) : rlpText(value),
        ]),
      ]),
    );
  }
}

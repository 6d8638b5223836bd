import { assert } from "../base/assert.ts";
import type { Address } from "../base/brand.ts";
import { bytesToHexDigits } from "../base/bytes.ts";
import { moduleAddress } from "../base/moduleAddress.ts";
import { scheduleJob } from "./jobs.ts";
import type { Journal } from "./journal.ts";
import type {
  AccountState,
  BlockContext,
  Chain,
  EventDefinition,
  JobDefinition,
  JobDue,
  ModuleContext,
  ModuleKey,
  ModuleState,
  PrecompileDefinition,
} from "./module.ts";
import type { Parameters } from "./parameters.ts";
import type { Registry } from "./registry.ts";
import { encodeWith } from "./schema.ts";
import type { Account } from "./state.ts";
import type { StateAccess } from "../vm/stateAccess.ts";
import type { EvmTracer } from "../vm/tracer.ts";

/** A journal as modules see it: each only its own part, by the right of its key. */
export class Workspace implements ModuleContext {
  readonly chain: Chain;
  readonly block: BlockContext;
  readonly parameters: Parameters;
  readonly tracer: EvmTracer | null;
  readonly #journal: Journal;
  readonly #registry: Registry;
  readonly #states = new Map<ModuleKey, ModuleState>();
  readonly #accountState: AccountState;

  constructor(
    journal: Journal,
    registry: Registry,
    facts: {
      readonly chain: Chain;
      readonly block: BlockContext;
      readonly parameters: Parameters;
      readonly tracer?: EvmTracer;
    },
  ) {
    this.chain = facts.chain;
    this.block = facts.block;
    this.parameters = facts.parameters;
    this.tracer = facts.tracer ?? null;
    this.#journal = journal;
    this.#registry = registry;
    this.#accountState = {
      get: (address: Address) => journal.account(address),
      set: (address: Address, account: Account | null) => journal.setAccount(address, account),
      isContract: (address: Address) => journal.isContract(address),
    };
  }

  readonly state = (key: ModuleKey): ModuleState => {
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    assert(this.#registry.owns(key), `a foreign key claims to be of module ${key.name}`);
    const journal = this.#journal;
    const { name } = key;
    const state: ModuleState = {
      get: (at) => journal.moduleValue(name, bytesToHexDigits(at)),
      set: (at, value) => journal.setModuleValue(name, bytesToHexDigits(at), value),
      range: (range) => journal.moduleRange(name, range),
    };
    this.#states.set(key, state);
    return state;
  };

  readonly accounts = (key: ModuleKey): AccountState => {
    this.#mustOwnAccounts(key);
    return this.#accountState;
  };

  readonly contracts = (key: ModuleKey): StateAccess => {
    this.#mustOwnAccounts(key);
    return this.#journal;
  };

  get precompiles(): readonly PrecompileDefinition[] {
    return this.#registry.precompiles;
  }

  emit<T>(event: EventDefinition<T>, value: T): void {
    this.#journal.log({
      address: moduleAddress(event.module),
      topics: [event.signature, ...event.topics(value)],
      data: encodeWith(event.schema, value),
    });
  }

  #mustOwnAccounts(key: ModuleKey): void {
    assert(this.#registry.owns(key), `a foreign key claims to be of module ${key.name}`);
    const owns = this.#registry.module(key.name)?.ownsAccounts === true;
    assert(owns, `module ${key.name} does not own accounts`);
  }

  schedule<T>(job: JobDefinition<T>, body: T, due: JobDue): void {
    scheduleJob(this, job, body, due);
  }
}

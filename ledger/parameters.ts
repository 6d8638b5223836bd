import { assert } from "../base/assert.ts";

/*
 * Chain parameters: every number that could differ between networks. A module declares its own with
 * default and bounds; genesis may set them; their values are part of the state and of the runtime
 * hash.
 */

/** One parameter's declaration. Amounts and counts are both integers; `unit` is for people. */
export type ParameterDefinition =
  | {
      readonly type: "integer";
      readonly default: bigint;
      readonly min: bigint;
      readonly max: bigint;
      readonly unit: string;
      readonly description: string;
    }
  | {
      readonly type: "choice";
      readonly default: string;
      readonly choices: readonly string[];
      readonly description: string;
    };

/** A parameter's value. */
export type ParameterValue = bigint | string;

/** Declares an integer; a name ends in its unit (STYLE 2.6), `unit` spells it out. */
export function integer(
  value: bigint,
  rest: {
    readonly min: bigint;
    readonly max: bigint;
    readonly unit: string;
    readonly description: string;
  },
): ParameterDefinition {
  assert(rest.min <= value && value <= rest.max, `default ${value} is out of bounds`);
  return { type: "integer", default: value, ...rest };
}

/** What is wrong with a value for this parameter, or `null`. */
export function parameterFault(
  definition: ParameterDefinition,
  value: ParameterValue,
): string | null {
  if (definition.type === "choice") {
    if (typeof value === "string" && definition.choices.includes(value)) return null;
    return `got ${value}, expected one of ${definition.choices.join(", ")}`;
  }
  if (typeof value === "bigint" && definition.min <= value && value <= definition.max) return null;
  return `got ${value}, expected an integer from ${definition.min} to ${definition.max}`;
}

/**
 * The values in force at a height, by full name (`module.parameter`). Reading an unknown name is a
 * bug.
 */
export class Parameters {
  readonly #values: ReadonlyMap<string, ParameterValue>;

  constructor(values: ReadonlyMap<string, ParameterValue>) {
    this.#values = values;
  }

  /** An integer as `bigint`: amounts, gas. */
  amount(name: string): bigint {
    const value = this.#values.get(name);
    assert(typeof value === "bigint", `no integer parameter ${name}`);
    return value;
  }

  /** An integer as `number`: heights, counts, milliseconds. */
  count(name: string): number {
    const value = Number(this.amount(name));
    assert(Number.isSafeInteger(value), `parameter ${name} is beyond 2^53`);
    return value;
  }

  /** A choice. */
  text(name: string): string {
    const value = this.#values.get(name);
    assert(typeof value === "string", `no text parameter ${name}`);
    return value;
  }

  /** All values, sorted by name. */
  entries(): readonly (readonly [name: string, value: ParameterValue])[] {
    return [...this.#values].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  }
}

/** A JSON schema, as far as the execution API's use it. */
export type JsonSchema = {
  readonly type?: string;
  readonly pattern?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly oneOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
};

function typeOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

/** What is wrong with a value, with its path; `null` if it fits the schema. */
export function schemaFault(schema: JsonSchema, value: unknown, path = "result"): string | null {
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices !== undefined) {
    const faults = choices.map((choice) => schemaFault(choice, value, path));
    return faults.includes(null) ? null : `${path} fits no choice: ${faults.join("; ")}`;
  }
  const wanted = schema.type === "integer" && Number.isInteger(value) ? "number" : schema.type;
  if (wanted !== undefined && wanted !== typeOf(value)) {
    return `${path} is of type ${typeOf(value)}, not ${schema.type}`;
  }
  if (schema.enum !== undefined && !schema.enum.includes(value)) return `${path} is no such value`;
  if (schema.const !== undefined && schema.const !== value) return `${path} is another value`;
  if (typeof value === "string" && !new RegExp(schema.pattern ?? "").test(value)) {
    return `${path} is ${value}, which does not fit ${schema.pattern}`;
  }
  if (typeof value === "number") {
    const { minimum = -Infinity, maximum = Infinity } = schema;
    if (value < minimum || value > maximum) return `${path} is ${value}, which is out of range`;
  }
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return null;
    const list: readonly unknown[] = value;
    return firstOf(list.map((item, i) => schemaFault(items, item, `${path}[${i}]`)));
  }
  return typeof value === "object" && value !== null ? objectFault(schema, value, path) : null;
}

function objectFault(schema: JsonSchema, value: object, path: string): string | null {
  const missing = (schema.required ?? []).find((name) => !Object.hasOwn(value, name));
  if (missing !== undefined) return `${path}.${missing} is missing`;
  const { properties = {}, additionalProperties: rest = true } = schema;
  return firstOf(
    Object.entries(value).map(([name, member]) => {
      const own = properties[name] ?? (typeof rest === "object" ? rest : null);
      if (own !== null) return schemaFault(own, member, `${path}.${name}`);
      return rest === false ? `${path}.${name} is not in the schema` : null;
    }),
  );
}

function firstOf(faults: readonly (string | null)[]): string | null {
  return faults.find((fault) => fault !== null) ?? null;
}

import {
  decodeErrorResult,
  decodeEventLog,
  decodeFunctionResult,
  encodeDeployData,
  encodeFunctionData,
  parseAbi,
  type Abi,
  type AbiFunction,
  type AbiParameter,
} from "viem";
import { UsageError } from "./failure.ts";

/*
 * Contracts' interfaces in the words of the command line: texts become values of the types that a
 * signature names, and what a contract answers, reports or fails with becomes JSON.
 */

/** Bytes as `0x` hex, in viem's type. */
export type Hex = `0x${string}`;

/** What JSON can say of a decoded value. */
export type Shown =
  | string
  | number
  | boolean
  | null
  | readonly Shown[]
  | { readonly [name: string]: Shown };

/** Longest signature that is read, in characters. */
const signatureMax = 4_096;

/** Deepest nesting of an argument written as JSON. */
const nestingMax = 16;

/** What every contract may revert with [docs.soliditylang.org, "Error handling"]. */
const standardErrors = parseAbi(["error Error(string)", "error Panic(uint256)"]);

/** `name(types)`, `name(types)(results)` as cast writes it, or Solidity's own declaration. */
export function functionOf(signature: string): AbiFunction {
  const text = signature.trim().replace(/;$/, "");
  const match = /^([A-Za-z_$][\w$]*)\s*(\(.*\))$/s.exec(text);
  const declaration = match === null ? text : `function ${match[1]}${listsOf(match[2] ?? "")}`;
  if (text.length > signatureMax || !declaration.startsWith("function ")) throw badSignature(text);
  try {
    const found = (parseAbi([declaration]) as Abi)[0];
    if (found?.type === "function") return found;
  } catch {
    throw badSignature(text);
  }
  throw badSignature(text);
}

/** The two lists of `(types)(results)`, as Solidity declares them. */
function listsOf(lists: string): string {
  let depth = 0;
  for (let index = 0; index < lists.length; index += 1) {
    if (lists[index] === "(") depth += 1;
    if (lists[index] === ")") depth -= 1;
    if (depth === 0 && index < lists.length - 1)
      return `${lists.slice(0, index + 1)} returns ${lists.slice(index + 1)}`;
  }
  return lists;
}

function badSignature(text: string): UsageError {
  return new UsageError(`${text.slice(0, 80)} is not a function's signature`, {
    hint: "such as 'transfer(address,uint256)' or 'balanceOf(address)(uint256)'",
  });
}

/** The function of an interface that a name or a signature means. */
export function functionIn(abi: Abi, wanted: string): AbiFunction {
  if (wanted.includes("(")) return functionOf(wanted);
  const found = abi.filter((item) => item.type === "function" && item.name === wanted);
  const [first] = found;
  if (first?.type !== "function") throw new UsageError(`the contract has no function ${wanted}`);
  if (found.length > 1)
    throw new UsageError(`the contract has ${found.length} functions ${wanted}`, {
      hint: "give the whole signature",
    });
  return first;
}

/** A call's data. */
export function callData(item: AbiFunction, texts: readonly string[]): Hex {
  const args = argumentsOf(item.inputs, texts);
  return encoded(() => encodeFunctionData({ abi: [item], functionName: item.name, args }));
}

/** A creation's data: code and what its constructor takes. */
export function deployData(abi: Abi, bytecode: Hex, texts: readonly string[]): Hex {
  const constructor = abi.find((item) => item.type === "constructor");
  const inputs = constructor?.type === "constructor" ? constructor.inputs : [];
  const args = argumentsOf(inputs, texts);
  return inputs.length === 0 ? bytecode : encoded(() => encodeDeployData({ abi, bytecode, args }));
}

function encoded(work: () => Hex): Hex {
  try {
    return work();
  } catch (error) {
    const [line = ""] = (error instanceof Error ? error.message : "").split("\n");
    throw new UsageError(`the arguments do not fit: ${line}`);
  }
}

function argumentsOf(inputs: readonly AbiParameter[], texts: readonly string[]): unknown[] {
  if (inputs.length !== texts.length) {
    const types = inputs.map(({ type }) => type).join(", ");
    throw new UsageError(`${inputs.length} arguments are wanted (${types}), not ${texts.length}`);
  }
  return inputs.map((input, index) => argumentOf(input, texts[index] ?? "", 0));
}

/** A text, or a part of JSON, as a value of a type. */
function argumentOf(input: AbiParameter, given: unknown, depth: number): unknown {
  const { type } = input;
  const misfit = (): UsageError =>
    new UsageError(`${JSON.stringify(given).slice(0, 80)} is not of type ${type}`);
  if (depth > nestingMax) throw misfit();
  const array = /^(.*)\[(\d*)\]$/.exec(type);
  if (array !== null) {
    const list = listOf(given);
    if (list === null) throw misfit();
    return list.map((part) => argumentOf({ ...input, type: array[1] ?? "" }, part, depth + 1));
  }
  if (type === "tuple" && "components" in input) {
    const list = listOf(given);
    const { components } = input;
    if (list?.length !== components.length) throw misfit();
    const parts = components.map((part, i) => argumentOf(part, list[i], depth + 1));
    // Members without names go by their order.
    return components.every(({ name }) => name !== undefined && name !== "")
      ? Object.fromEntries(components.map(({ name }, i) => [name, parts[i]]))
      : parts;
  }
  if (/^u?int\d*$/.test(type)) return integerOf(given) ?? fail(misfit());
  if (type === "bool") {
    if (given === true || given === "true") return true;
    return given === false || given === "false" ? false : fail(misfit());
  }
  return typeof given === "string" ? given : fail(misfit());
}

function fail(error: UsageError): never {
  throw error;
}

function integerOf(given: unknown): bigint | null {
  const text = typeof given === "number" && Number.isSafeInteger(given) ? `${given}` : given;
  const wanted = /^(-?\d{1,78}|0x[0-9a-fA-F]{1,64})$/;
  return typeof text === "string" && wanted.test(text) ? BigInt(text) : null;
}

/** `[1,2]` as JSON; names and addresses within need no quotes. */
function listOf(given: unknown): readonly unknown[] | null {
  if (Array.isArray(given)) return given as readonly unknown[];
  if (typeof given !== "string") return null;
  const quoted = given.replace(/^\s*\(/, "[").replace(/\)\s*$/, "]");
  try {
    const exact = quoted.replace(/(?<=[[,\s])(0x[0-9a-fA-F]*|-?\d+)(?=[\],\s])/g, '"$1"');
    const list: unknown = JSON.parse(exact);
    return Array.isArray(list) ? list : null;
  } catch {
    return null;
  }
}

/** What a function returned; its bare bytes where nobody knows the types. */
export function resultOf(item: AbiFunction, data: Hex): Shown {
  if (item.outputs.length === 0) return data === "0x" ? null : data;
  try {
    const value: unknown = decodeFunctionResult({ abi: [item], functionName: item.name, data });
    return shown(value);
  } catch {
    throw new UsageError(`the answer ${data.slice(0, 80)} is not of the function's types`, {
      hint: "is there a contract at this address, and is it this one?",
    });
  }
}

/** A log as the event that it is; bare where the interface does not know it. */
export function eventOf(
  abi: Abi,
  log: { readonly address: string; readonly topics: readonly Hex[]; readonly data: Hex },
): Shown {
  const { address, data } = log;
  const [signature, ...indexed] = log.topics;
  const bare = { event: null, address, topics: log.topics, data };
  if (signature === undefined) return bare;
  try {
    const { eventName, args } = decodeEventLog({ abi, topics: [signature, ...indexed], data });
    return { event: eventName ?? "", address, args: shown(args ?? {}) };
  } catch {
    return bare;
  }
}

/** Why a contract reverted, in words. */
export function reasonOf(abi: Abi, data: Hex): string | null {
  if (data === "0x") return null;
  try {
    const { errorName, args } = decodeErrorResult({ abi: [...abi, ...standardErrors], data });
    const values = (args ?? []).map((value) => JSON.stringify(shown(value)));
    return errorName === "Error" ? String(args?.[0]) : `${errorName}(${values.join(", ")})`;
  } catch {
    return data;
  }
}

function shown(value: unknown): Shown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string" || typeof value === "boolean" || typeof value === "number")
    return value;
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== "object" || value === null) return null;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shown(part)]));
}

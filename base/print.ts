/*
 * Values as text for messages and logs. `JSON.stringify` throws on a bigint, so an error message
 * could itself throw; this printer never throws, and bounds its output whatever the value is.
 */

/** Characters of one printed string; longer ones are cut. */
export const printedStringMax = 1_000;

/** Entries of one printed array, map or object; the rest is counted. */
export const printedEntriesMax = 100;

/** Objects inside one another; deeper ones print as `…`, which also ends cycles. */
export const printedDepthMax = 6;

/** Bytes of one printed byte string, as hex. */
export const printedBytesMax = 256;

/** What JSON can hold. */
export type Printable =
  | string
  | number
  | boolean
  | null
  | readonly Printable[]
  | { readonly [key: string]: Printable };

/**
 * One line of JSON: bigints as decimal strings, bytes as `0x` hex, errors as their name and
 * message.
 */
export function printValue(value: unknown): string {
  return JSON.stringify(toPrintable(value));
}

/** The same as a value that `JSON.stringify` takes, for structured logs. */
export function toPrintable(value: unknown): Printable {
  try {
    return convert(value, 0);
  } catch {
    return "(not printable)"; // A getter or a proxy that throws.
  }
}

function convert(value: unknown, depth: number): Printable {
  switch (typeof value) {
    case "string":
      return cut(value);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "boolean":
      return value;
    case "bigint":
      return cut(value.toString());
    case "object":
      return value === null ? null : convertObject(value, depth);
    case "undefined":
    case "function":
    case "symbol":
    default:
      return `(${typeof value})`;
  }
}

function convertObject(value: object, depth: number): Printable {
  if (value instanceof Uint8Array) return bytesText(value);
  if (value instanceof Error) return convertError(value, depth);
  if (depth === printedDepthMax) return "…";
  if (Array.isArray(value) || value instanceof Set) return convertList([...value], depth);
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  const printed: Record<string, Printable> = {};
  for (const [key, entry] of entries.slice(0, printedEntriesMax)) {
    const name = typeof key === "string" ? cut(key) : printValue(key);
    printed[name] = convert(entry, depth + 1);
  }
  if (entries.length > printedEntriesMax) {
    printed["…"] = `${entries.length - printedEntriesMax} more`;
  }
  return printed;
}

function convertList(items: readonly unknown[], depth: number): Printable {
  const printed = items.slice(0, printedEntriesMax).map((item) => convert(item, depth + 1));
  if (items.length > printedEntriesMax) printed.push(`… ${items.length - printedEntriesMax} more`);
  return printed;
}

function convertError(error: Error, depth: number): Printable {
  const sentence = cut(`${error.name}: ${error.message}`);
  if (error.cause === undefined || depth === printedDepthMax) return sentence;
  return { error: sentence, cause: convert(error.cause, depth + 1) };
}

function bytesText(bytes: Uint8Array): string {
  let text = "0x";
  for (const byte of bytes.subarray(0, printedBytesMax)) text += byte.toString(16).padStart(2, "0");
  return bytes.length > printedBytesMax ? `${text}… (${bytes.length} bytes)` : text;
}

function cut(text: string): string {
  if (text.length <= printedStringMax) return text;
  return `${text.slice(0, printedStringMax)}… (${text.length} characters)`;
}

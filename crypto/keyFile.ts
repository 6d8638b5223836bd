import { hexToBytesOrNull } from "../base/bytes.ts";

/*
 * Reads the members of a key file, which is JSON from outside: a missing member or one of another
 * type is `null`, and so is any member of `null`, so that a reader needs one check at its end.
 */

/** A JSON object. */
export type JsonObject = { readonly [key: string]: unknown };

/** Characters of a key file; real ones have about 500. */
export const keyFileCharactersMax = 16_384;

/** The object that a text holds, or `null`. */
export function parseJsonObject(text: string): JsonObject | null {
  if (text.length > keyFileCharactersMax) return null;
  try {
    return asObject(JSON.parse(text));
  } catch {
    return null;
  }
}

function asObject(value: unknown): JsonObject | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : null;
}

/** A member that is an object. */
export function objectMember(object: JsonObject | null, name: string): JsonObject | null {
  return asObject(object?.[name]);
}

/** A member that is a text. */
export function textMember(object: JsonObject | null, name: string): string | null {
  const value = object?.[name];
  return typeof value === "string" ? value : null;
}

/** A member that is a number. */
export function numberMember(object: JsonObject | null, name: string): number | null {
  const value = object?.[name];
  return typeof value === "number" ? value : null;
}

/** A member that is hex, of exactly `size` bytes if that is given. */
export function hexMember(
  object: JsonObject | null,
  name: string,
  size?: number,
): Uint8Array | null {
  const bytes = hexToBytesOrNull(textMember(object, name) ?? "not hex");
  return bytes === null || (size !== undefined && bytes.length !== size) ? null : bytes;
}

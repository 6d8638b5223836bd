/** What JSON can say. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/**
 * A value that is JSON text already, so that a large answer is encoded once and measured on the
 * way.
 */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const quote = 34;
const backslash = 92;

/** Index just behind the string that begins at `start`; the text's end if it never closes. */
function behindString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === backslash) escapes += 1;
    if (escapes % 2 === 0) return end + 1;
    end = text.indexOf('"', end + 1);
  }
  return text.length;
}

/**
 * Whether brackets nest deeper than `depthMax`. Looked at before parsing: what walks the parsed
 * value later may recurse. Text that is not JSON is not judged here.
 */
export function isNestedDeeper(text: string, depthMax: number): boolean {
  let depth = 0;
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = behindString(text, at);
      continue;
    }
    if (code === 91 || code === 123) {
      depth += 1;
      if (depth > depthMax) return true;
    } else if (code === 93 || code === 125) depth -= 1;
    at += 1;
  }
  return false;
}

/** Whether the value is an object in JSON's sense: neither `null` nor an array. */
export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A member of the object itself: a name such as `constructor` never reaches the prototype. */
export function memberOf(object: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** At most `sizeMax` characters of a text from outside, for error messages. */
export function shortened(text: string, sizeMax = 80): string {
  return text.length <= sizeMax ? text : `${text.slice(0, sizeMax)}… (${text.length} characters)`;
}

/** An object's key that occurs twice; `place` as in `balances[3]`, empty for the outermost. */
export type RepeatedKey = { readonly place: string; readonly key: string };

type Frame = {
  /** Of an object; `null` for a list. */
  readonly keys: Set<string> | null;
  /** The key or index at hand. */
  at: string | number;
  /** Whether the next string is a key. */
  awaitsKey: boolean;
};

/**
 * The first key that an object of the text has twice; `null` if there is none. `JSON.parse` keeps
 * the last of the two without a word, so that a reader and the program could mean different things
 * by one file. The text is valid JSON.
 */
export function repeatedKey(text: string): RepeatedKey | null {
  const frames: Frame[] = [];
  let frame: Frame | undefined;
  for (let i = 0; i < text.length; i += 1) {
    switch (text[i]) {
      case '"': {
        const end = closingQuote(text, i);
        if (frame?.awaitsKey === true) {
          const key = stringOf(text.slice(i, end + 1));
          if (frame.keys?.has(key) === true) return { place: placeOf(frames.slice(0, -1)), key };
          frame.keys?.add(key);
          frame.at = key;
          frame.awaitsKey = false;
        }
        i = end;
        break;
      }
      case "{":
        frame = { keys: new Set(), at: "", awaitsKey: true };
        frames.push(frame);
        break;
      case "[":
        frame = { keys: null, at: 0, awaitsKey: false };
        frames.push(frame);
        break;
      case "}":
      case "]":
        frames.pop();
        frame = frames.at(-1);
        break;
      case ",":
        if (frame !== undefined && typeof frame.at === "number") frame.at += 1;
        else if (frame !== undefined) frame.awaitsKey = true;
        break;
      default: // Blanks, numbers and words.
    }
  }
  return null;
}

/** Index of the quote that ends the string which begins at `start`. */
function closingQuote(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i += 1) {
    if (text[i] === '"') return i;
    if (text[i] === "\\") i += 1;
  }
  return text.length;
}

/** One key can be written in several ways. */
function stringOf(quoted: string): string {
  return quoted.includes("\\") ? String(JSON.parse(quoted)) : quoted.slice(1, -1);
}

function placeOf(frames: readonly Frame[]): string {
  const steps = frames.map(({ at }) => (typeof at === "number" ? `[${at}]` : `.${at}`));
  return steps.join("").replace(/^\./, "");
}

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { test } from "vitest";

/*
 * Official and adversarial test data, one JSON object a line. It lies beside the project, is read
 * in place and never copied; its README says what an item of each folder means.
 */

const root = join(import.meta.dirname, "..", "..", "shared", "vectors");

/** One item; what fields it has is the matter of its folder. */
export type VectorItem = { readonly id: string } & { readonly [field: string]: unknown };

/** Whether the data is there. Without it tests skip, but never under CI. */
export const vectorsPresent: boolean = existsSync(root);

/**
 * The items of a file such as `rlp/vectors.ndjson`. The caller states their type, as JSON cannot.
 */
export function readVectors<T extends { readonly id: string } = VectorItem>(file: string): T[] {
  const bytes = readFileSync(join(root, file));
  const text = new TextDecoder().decode(file.endsWith(".gz") ? gunzipSync(bytes) : bytes);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as T);
}

/** A test of one whole file: fails without data under CI, skips with the reason elsewhere. */
export function vectorTest<T extends { readonly id: string }>(
  file: string,
  check: (items: T[]) => void | Promise<void>,
  timeoutMs = 180_000,
): void {
  // Skipped only where the data is not beside the project, and never under CI.
  test.skipIf(!vectorsPresent && process.env["CI"] !== "true")(
    vectorsPresent ? file : `${file} (skipped: no vectors beside the project)`,
    { timeout: timeoutMs },
    async () => {
      const items = readVectors<T>(file);
      await check(items);
      console.log(`vectors ${file}: ${items.length} cases`);
    },
  );
}

/** Fails when a folder of vectors holds a file that no test knows. */
export function knownFilesTest(folder: string, known: readonly string[]): void {
  // Skipped only where the data is not beside the project, and never under CI.
  test.skipIf(!vectorsPresent && process.env["CI"] !== "true")(`${folder}: no unknown file`, () => {
    const unknown = readdirSync(join(root, folder)).filter(
      (name) => !known.includes(basename(name)),
    );
    if (unknown.length > 0) throw new Error(`no test knows ${folder}/${unknown.join(", ")}`);
  });
}

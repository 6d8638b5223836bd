import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isTest, readTree } from "../tidy/source.ts";
import { countOccurrences } from "./defect.ts";
import { defects } from "./defects.ts";
import { rowPattern, rows } from "./rows.ts";

/*
 * The cheap half of the planted defects: that they can still be planted. That each makes its test
 * fail is shown by `npm run campaign -- planted`.
 */

const root = join(import.meta.dirname, "..", "..");

/** Texts in test files that begin with a row's name: titles of tests and of their cases. */
const titles = readTree(root)
  .filter(({ path }) => isTest(path))
  .flatMap(({ uncommented }) =>
    [...uncommented.matchAll(/["'`]((?:rows? )?[ADEKMNX]\d+\b[^"'`\n]*)["'`]/g)].map(
      (match) => match[1] ?? "",
    ),
  );

describe("planted defects", () => {
  test.each(defects.map((defect) => [`${defect.row}: ${defect.about}`, defect] as const))(
    "can be planted: %s",
    (_, { row, file, find, replace, test: testFile }) => {
      expect(rows[row], `${row} is a row`).toBeDefined();
      expect(replace).not.toBe(find);
      expect(countOccurrences(readFileSync(join(root, file), "utf8"), find), file).toBe(1);
      expect(existsSync(join(root, testFile)), testFile).toBe(true);
    },
  );

  test("every row has a test named after it", () => {
    const missing = Object.keys(rows).filter(
      (row) => !titles.some((title) => rowPattern(row).test(title)),
    );
    expect(missing).toEqual([]);
  });

  test("every row has a planted defect", () => {
    const planted = new Set(defects.map((defect) => defect.row));
    expect(Object.keys(rows).filter((row) => !planted.has(row))).toEqual([]);
  });
});

/**
 * A bug written down: one place of the program changed so that a row's test must fail. It shows
 * that the test tests. `find` occurs exactly once in `file`.
 */
export type Defect = {
  /** Of `rows`, e.g. `E1`. */
  readonly row: string;
  /** What the program does wrongly with it. */
  readonly about: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** The test file that must fail; the tests named after the row, or after `name`, count. */
  readonly test: string;
  /** Other text than the row that names the test: a regular expression. */
  readonly name?: string;
};

/** How often a text occurs in another. */
export function countOccurrences(text: string, part: string): number {
  return text.split(part).length - 1;
}

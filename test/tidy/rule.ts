import { lineAt } from "./source.ts";
import type { SourceFile } from "./source.ts";

/** Where a rule is broken; `line` is 1-based, 1 when the whole file is meant. */
export type Finding = { readonly path: string; readonly line: number; readonly message: string };

/** A rule that no linter knows: looks at the whole tree, answers with what breaks it. */
export type Rule = {
  readonly name: string;
  readonly check: (tree: readonly SourceFile[]) => readonly Finding[];
};

/** A rule that looks at one file at a time. */
export function fileRule(
  name: string,
  check: (file: SourceFile) => readonly Omit<Finding, "path">[],
): Rule {
  return {
    name,
    check: (tree) =>
      tree.flatMap((file) => check(file).map((finding) => ({ path: file.path, ...finding }))),
  };
}

/** The places where a pattern occurs in a text; `pattern` has the flag `g`. */
export function occurrences(
  text: string,
  pattern: RegExp,
  messageOf: (match: RegExpExecArray) => string,
): readonly Omit<Finding, "path">[] {
  return [...text.matchAll(pattern)].map((match) => ({
    line: lineAt(text, match.index + (match[0].length - match[0].trimStart().length)),
    message: messageOf(match),
  }));
}

/** One line for people: `ledger/x.ts:3 what is wrong`. */
export function printFinding({ path, line, message }: Finding): string {
  return `${path}:${line} ${message}`;
}

import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { blankComments, blankStrings } from "./blank.ts";

/** One import, re-export, dynamic import or `new URL(…, import.meta.url)` of a file. */
export type Import = {
  /** As written. */
  readonly specifier: string;
  /** Path in the tree for a relative specifier, else `null`. */
  readonly target: string | null;
  /** Only types come in: erased when the program runs. */
  readonly typeOnly: boolean;
  /** 1-based. */
  readonly line: number;
};

/** A file of the tree, by its path from the project root with `/` between folders. */
export type SourceFile = {
  readonly path: string;
  readonly text: string;
  /** The text with comments blanked; strings stay. Same lines. */
  readonly uncommented: string;
  /** The text with comments and the contents of strings blanked. Same lines. */
  readonly code: string;
  readonly imports: readonly Import[];
};

/** Folders that are not ours, or are made by running the program. */
const ignored = new Set(["node_modules", ".git", "dist", ".data", "results", "coverage"]);

/** Endings of files that are text. */
const textual =
  /\.(ts|js|json|proto|md|sh|yaml|yml|toml|css|html|txt)$|(^|\/)[^.]+$|\.(npmrc|gitignore)$/;

/** Reads every text file of the tree, in the order of their paths. */
export function readTree(root: string): readonly SourceFile[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => posix.relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.split("/").some((part) => ignored.has(part)) && textual.test(path))
    .toSorted()
    .map((path) => sourceFile(path, readFileSync(join(root, path), "utf8")));
}

/** A file from its text: what the rules look at. */
export function sourceFile(path: string, text: string): SourceFile {
  const typeScript = path.endsWith(".ts");
  const uncommented = typeScript ? blankComments(text) : text;
  const code = typeScript ? blankStrings(text) : text;
  return { path, text, uncommented, code, imports: typeScript ? importsOf(path, uncommented) : [] };
}

/** The first folder of a path: `ledger` of `ledger/modules/bank.ts`; empty for a file at the root. */
export function folderOf(path: string): string {
  const slash = path.indexOf("/");
  return slash === -1 ? "" : path.slice(0, slash);
}

/** Whether the file is a test or a suite that tests run. */
export function isTest(path: string): boolean {
  return /\.(test|compliance)\.ts$/.test(path);
}

const importPatterns: readonly RegExp[] = [
  /^\s*(?:import|export)\s+(type\s)?([^"';()]*?)\s*from\s*"([^"]+)"/gm,
  /^\s*import()()\s*"([^"]+)"/gm,
  /\bimport()()\(\s*"([^"]+)"/g,
  /new URL()()\(\s*"([^"]+)",\s*import\.meta\.url/g,
];

function importsOf(path: string, text: string): readonly Import[] {
  return importPatterns.flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => {
      const [whole, type, names = "", specifier = ""] = match;
      const start = match.index + (whole.length - whole.trimStart().length);
      return {
        specifier,
        target: specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : null,
        typeOnly: (type ?? "") !== "" || everyNameIsType(names),
        line: lineAt(text, start),
      };
    }),
  );
}

function everyNameIsType(names: string): boolean {
  const list = /^\{([^}]*)\}$/.exec(names.trim())?.[1];
  if (list === undefined) return false;
  const each = list.split(",").filter((name) => name.trim() !== "");
  return each.length > 0 && each.every((name) => name.trim().startsWith("type "));
}

/** 1-based line of an offset. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let i = text.indexOf("\n"); i !== -1 && i < offset; i = text.indexOf("\n", i + 1)) line += 1;
  return line;
}

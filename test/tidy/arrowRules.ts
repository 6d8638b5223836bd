import { table, testArrows } from "./arrows.ts";
import type { Arrow, Row } from "./arrows.ts";
import { fileRule } from "./rule.ts";
import type { Rule } from "./rule.ts";
import { folderOf, isTest } from "./source.ts";
import type { Import, SourceFile } from "./source.ts";

function allows(arrow: Arrow, file: SourceFile, target: string, typeOnly: boolean): boolean {
  if (arrow.to !== "*" && arrow.to !== folderOf(target)) return false;
  if (arrow.typesOnly === true && !typeOnly) return false;
  if (arrow.from !== undefined && !arrow.from.test(file.path)) return false;
  return arrow.files === undefined || arrow.files.test(target);
}

function arrowProblem(file: SourceFile, row: Row, { target, typeOnly }: Import): string | null {
  if (target === null || folderOf(target) === folderOf(file.path)) return null;
  const arrows = isTest(file.path) ? [...row.arrows, ...testArrows] : row.arrows;
  if (arrows.some((arrow) => allows(arrow, file, target, typeOnly))) return null;
  return `${folderOf(file.path)}/ may not import ${target}${typeOnly ? " (not even its types)" : ""}`;
}

/** The arrows between folders (docs/ARCHITECTURE.md). */
export const arrowRule: Rule = fileRule("arrows", (file) => {
  const row = table[folderOf(file.path)];
  if (row === undefined) return [];
  return file.imports.flatMap((imported) => {
    const message = arrowProblem(file, row, imported);
    return message === null ? [] : [{ line: imported.line, message }];
  });
});

function packageMatches(pattern: string, specifier: string): boolean {
  if (pattern.endsWith("*")) return specifier.startsWith(pattern.slice(0, -1));
  return specifier === pattern || specifier.startsWith(`${pattern}/`);
}

function packageProblem(file: SourceFile, row: Row, { specifier, target }: Import): string | null {
  if (target !== null || isTest(file.path)) return null;
  const folder = folderOf(file.path);
  if (!row.packages.some((pattern) => packageMatches(pattern, specifier)))
    return `${folder}/ may not use the package ${specifier}`;
  const needsNode =
    specifier.startsWith("node:") || specifier === "@chainsafe/blst" || specifier === "secp256k1";
  return row.browserSafe === true && needsNode && !/\.(node|d)\.ts$/.test(file.path)
    ? `${specifier} is not in a browser: only files named *.node.ts may use it in ${folder}/`
    : null;
}

/** Which packages a folder may use, and that what a browser loads needs nothing of Node. */
export const packageRule: Rule = fileRule("packages", (file) => {
  const row = table[folderOf(file.path)];
  if (row === undefined) return [];
  return file.imports.flatMap((imported) => {
    const message = packageProblem(file, row, imported);
    return message === null ? [] : [{ line: imported.line, message }];
  });
});

/** Programs that are started by name, and what a tool reads by name. */
const entries =
  /^(cli\/(ledger|ledgercli)\.ts|scripts\/\w+\.ts|bench\/(main|generator)\.ts|integration\/(privatenet\/make|demo\/stream)\.ts|test\/(campaign|sim\/main|planted\/run|campaigns\/\w+)\.ts)$|\.config\.ts$|\.d\.ts$/;

/** A file that nobody imports, its own test apart, is dead or waits for a caller. */
export const orphanRule: Rule = {
  name: "orphans",
  check: (tree) => {
    const wanted = new Set<string>();
    for (const file of tree) {
      const own = file.path.replace(/\.(test|compliance)\.ts$/, ".ts");
      for (const { target } of file.imports)
        if (target !== null && target !== own) wanted.add(target);
    }
    return tree
      .filter(({ path }) => path.endsWith(".ts") && !isTest(path) && !entries.test(path))
      .filter(({ path }) => !wanted.has(path))
      .map(({ path }) => ({ path, line: 1, message: "nobody imports this file" }));
  },
};

/** A name that fits anything tells nothing, and such a file collects anything. */
export const fileNameRule: Rule = fileRule("file names", ({ path }) => {
  const vague =
    /(^|\/)(index|utils?|helpers?|common|misc)(\.\w+)*\.ts$|(^|\/)(utils?|helpers?|common|misc)\//;
  const shouting = /(^|\/)[^/]*[A-Z][A-Za-z]*_|(^|\/)[A-Z][^/]*\.ts$/;
  if (!path.endsWith(".ts")) return [];
  if (vague.test(path))
    return [{ line: 1, message: "the name fits anything; name it for its noun" }];
  if (path.startsWith("types/"))
    return [{ line: 1, message: "types live with what they describe" }];
  return shouting.test(path) ? [{ line: 1, message: "files are named in camelCase" }] : [];
});

import { fileRule, occurrences } from "./rule.ts";
import type { Rule } from "./rule.ts";
import { isTest, lineAt } from "./source.ts";
import type { SourceFile } from "./source.ts";

const declaration =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:type|interface|class|const|let|function\*?) (\w+)/;

/** Every exported name has a doc comment that says what the name cannot. */
export const commentRule: Rule = fileRule("comments", (file) => {
  if (!file.path.endsWith(".ts") || isTest(file.path)) return [];
  const lines = file.text.split("\n");
  let last = "";
  return lines.flatMap((text, i) => {
    const name = declaration.exec(text)?.[1];
    if (name === undefined) return [];
    const overload = name === last;
    last = name;
    if (overload || (lines[i - 1] ?? "").trimEnd().endsWith("*/")) return [];
    return [{ line: i + 1, message: `${name} is exported without a doc comment` }];
  });
});

/** What is unfinished has an issue number, or is finished. */
export const todoRule: Rule = fileRule("unfinished", ({ path, text }) =>
  /\.(ts|sh|md)$|^bin\//.test(path)
    ? [
        ...occurrences(text, /\bTODO\b(?!\s*\(?#\d+)/g, () => "TODO without an issue number"),
        ...occurrences(text, /\b(?:FIXME|XXX)\b/g, ([word]) => `${word} is not for keeping`),
      ]
    : [],
);

/** Made by a generator from what is checked itself. */
const generated = /^p2p\/proto\/wire\./;

/** 100 columns; a line with an address or one long literal in it cannot be broken. */
export const columnRule: Rule = fileRule("columns", ({ path, text }) => {
  if (!/\.(ts|sh)$|^bin\//.test(path) || generated.test(path)) return [];
  return text.split("\n").flatMap((line, i) => {
    const breakable =
      !/https?:\/\//.test(line) && !/[^\s"'`/]{60,}/.test(line) && !/^\s*["'`/]/.test(line);
    return line.length > 100 && breakable
      ? [{ line: i + 1, message: `${line.length} columns are more than 100` }]
      : [];
  });
});

function isTestCode({ path }: SourceFile): boolean {
  return isTest(path) || /^(test|integration)\/.*\.ts$/.test(path);
}

/** A skipped test says why, in a comment above it or with "skipped:" in its title. */
export const skipRule: Rule = fileRule("skips", (file) => {
  if (!isTestCode(file)) return [];
  const lines = file.text.split("\n");
  const calls = /\b(?:test|it|describe|suite)(?:\.\w+)*\.(only|skip|skipIf|runIf|todo|fails)\b/g;
  return occurrences(file.code, calls, ([, kind = ""]) => kind).flatMap(
    ({ line, message: kind }) => {
      if (kind === "only") return [{ line, message: ".only leaves the other tests out" }];
      const near = lines.slice(line - 1, line + 2).join("\n");
      const reason = /^\s*(\/\/|\*)/.test(lines[line - 2] ?? "") || /skipped:/.test(near);
      return reason ? [] : [{ line, message: `.${kind} without a reason` }];
    },
  );
});

/** A test that fails sometimes is broken: no second try hides it. */
export const retryRule: Rule = fileRule("retries", (file) =>
  isTestCode(file) || file.path === "vitest.config.ts"
    ? occurrences(
        file.code,
        /\b(?:retry|retries|repeats)\s*:\s*(?!0\b)[\w{[]|--retry\b/g,
        () => "a test is not tried again",
      )
    : [],
);

/** The one place where integration tests let time pass, between two looks at a condition. */
const waitingFiles = /^integration\/harness\.ts$/;

/** A test waits for a condition, never for time. */
export const sleepRule: Rule = fileRule("sleeps", (file) =>
  isTestCode(file) && !waitingFiles.test(file.path)
    ? occurrences(
        file.uncommented,
        /\b(?:sleep|delay)\w*\s*\(\s*[\d_]+\s*\)|\bsetTimeout\s*\(\s*(?:resolve|r|done)\b|timers\/promises|Atomics\.wait\(|execSync\("sleep/g,
        () => "waits for time instead of a condition",
      )
    : [],
);

const pathInDocument =
  /`((?:base|crypto|consensus|vm|store|ledger|p2p|rpc|sdk|node|cli|test|integration|bench|scripts|docs|bin)\/[\w./-]*[\w-])`/g;

/** A document names only files and folders that are there. */
export const documentRule: Rule = {
  name: "documents",
  check: (tree) => {
    const there = new Set(tree.flatMap(({ path }) => prefixesOf(path)));
    return tree
      .filter(({ path }) => path.endsWith(".md") && !path.startsWith("docs/adr/"))
      .flatMap(({ path, text }) =>
        occurrences(text, pathInDocument, ([, named = ""]) => named)
          .filter(({ message: named }) => !there.has(named))
          .map(({ line, message: named }) => ({ path, line, message: `there is no ${named}` })),
      );
  },
};

/** The path and each folder above it. */
function prefixesOf(path: string): readonly string[] {
  const parts = path.split("/");
  return parts.map((_, i) => parts.slice(0, i + 1).join("/"));
}

/** The files that declare what the core may answer, and where in them each name stands. */
const answers: readonly { readonly path: string; readonly names: RegExp; readonly of?: RegExp }[] =
  [
    { path: "ledger/refusal.ts", names: /^ {2}(\w+): meaning\(/gm },
    {
      path: "consensus/types.ts",
      names: /readonly type: "(\w+)"/g,
      of: /^export type (?:Input|Effect) =[\s\S]*?;\n(?=\n|$)/gm,
    },
  ];

/** A refusal, input or effect that no test mentions may not be possible, or not work. */
export const answerRule: Rule = {
  name: "answers",
  check: (tree) => {
    const tests = tree
      .filter((file) => isTestCode(file) && !/^test\/(tidy|planted)\//.test(file.path))
      .map(({ text }) => text);
    const words = new Set(tests.flatMap((text) => text.match(/\w+/g) ?? []));
    return answers.flatMap(({ path, names, of }) => {
      const text = tree.find((file) => file.path === path)?.text ?? "";
      const parts = of === undefined ? [{ index: 0, 0: text }] : [...text.matchAll(of)];
      return parts.flatMap((part) =>
        [...part[0].matchAll(names)]
          .filter(([, name = ""]) => !words.has(name))
          .map((match) => ({
            path,
            line: lineAt(text, part.index + match.index),
            message: `${match[1]} occurs in no test`,
          })),
      );
    });
  },
};

const hosts =
  /\b(?:registry\.[\w-]+\.(?:com|org|net|io|cn|dev)|[\w.-]*npmmirror\.com|registry\.npmjs\.org|[\w-]+\.jfrog\.io|proxy\.golang\.org)\b/g;
const machinePaths = /(?<![\w.~:/-])\/(?:home|root|Users|work|workspace|mnt)\/[\w.-]+/g;

/** Nothing tracked knows where it was made: no registry's host, no path of one machine. */
export const machineRule: Rule = fileRule("machine", ({ text }) => [
  ...occurrences(text, hosts, ([host]) => `names the registry host ${host}`),
  ...occurrences(text, /"resolved": "http/g, () => "the lock file names a registry"),
  ...occurrences(text, machinePaths, ([path]) => `${path} is a path of one machine`),
]);

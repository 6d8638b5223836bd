import { fileRule, occurrences } from "./rule.ts";
import type { Finding, Rule } from "./rule.ts";
import { isTest } from "./source.ts";
import type { SourceFile } from "./source.ts";

/** Words that bring in the world: a clock, dice, a disk, a socket, an environment. */
const world: readonly RegExp[] = [
  /\bDate\b/g,
  /\bperformance\s*\./g,
  /\bMath\s*\.\s*random\b/g,
  /\bgetRandomValues\b|\brandomBytes\b|\brandomUUID\b/g,
  /\bset(?:Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/g,
  /(?<![.\w])process\s*[.[]/g,
  /(?<![.\w])fetch\s*\(/g,
  /\bconsole\s*\./g,
  /\bWeakRef\b|\bFinalizationRegistry\b/g,
  /(?<![.\w])globalThis\b/g,
];

/** Code that comes later. */
const lateCode: readonly RegExp[] = [/\bimport\s*\(/g];

/** Words with which another event slips in between. */
const suspension: readonly RegExp[] = [
  /\basync\b/g,
  /\bawait\b/g,
  /\bPromise\b/g,
  /\bfunction\s*\*/g,
];

/** Awaits are one after another: two reads at once may straddle a write. */
const concurrency: readonly RegExp[] = [/\bPromise\s*\.\s*(?:all|allSettled|race|any)\b/g];

/** What depends on the locale, the machine or on fractions: two nodes may differ. */
const local: readonly RegExp[] = [
  /\blocaleCompare\b|\btoLocale\w+\b|\bIntl\b/g,
  /\bparseFloat\b|\btoFixed\b|\bMath\s*\.\s*(?:sqrt|cbrt|pow|exp|log\w*|sin|cos|tan|fround)\b/g,
  /(?<![\w.])\d[\d_]*\.\d+/g,
  /\bfor\s*\(\s*(?:const|let)\s+\w+\s+in\b/g,
];

type Zone = { readonly files: RegExp; readonly words: readonly RegExp[] };

const zones: readonly Zone[] = [
  { files: /^(base|consensus)\//, words: [...world, ...lateCode, ...suspension, ...local] },
  {
    files: /^(ledger|vm)\/|^store\/(trie|references|proof|nodes|overlay)\w*\.ts$/,
    words: [...world, ...concurrency, ...local],
  },
  // The EVM is the same whenever it is loaded, and idle nodes do without it.
  { files: /^(?!vm\/evmPool\.ts$)(ledger|vm|store)\//, words: lateCode },
];

function bannedIn(file: SourceFile): readonly RegExp[] {
  if (isTest(file.path) || !file.path.endsWith(".ts")) return [];
  return zones.filter((zone) => zone.files.test(file.path)).flatMap((zone) => zone.words);
}

/** Same input, same bytes: what decides a block knows no clock, dice, disk or locale. */
export const wordRule: Rule = fileRule("words", (file) =>
  bannedIn(file).flatMap((pattern) =>
    occurrences(file.code, pattern, ([word]) => `"${word.trim()}" does not belong in this folder`),
  ),
);

/** Without a comparison, `sort` compares as text: `[10n, 9n].sort()` keeps 10 first. */
export const sortRule: Rule = fileRule("sort", (file) =>
  /^(base|consensus|ledger|store|vm)\//.test(file.path)
    ? occurrences(file.code, /\.(?:sort|toSorted)\(\s*\)/g, () => "sort() without a comparison")
    : [],
);

/** Brands whose makers are told here; any other brand is cast in the file that declares it. */
const makers: Readonly<Record<string, RegExp>> = {
  Verified: /^crypto\/verify\.ts$/,
  Digest: /^base\/bytes\.ts$/,
  Address: /^base\/bytes\.ts$/,
};

/** A cast to a brand says "I checked this": only the file that does check may say so. */
export const castRule: Rule = {
  name: "casts",
  check: (tree) => {
    const owners = new Map<string, RegExp>(Object.entries(makers));
    for (const file of tree)
      for (const [, name = ""] of file.code.matchAll(/\btype (\w+)(?:<[^=]*>)? = Brand</g))
        if (!owners.has(name))
          owners.set(name, new RegExp(`^${file.path.replaceAll(".", "\\.")}$`));
    const findings: Finding[] = [];
    for (const file of tree) {
      if (isTest(file.path) || file.path.startsWith("test/")) continue;
      for (const finding of occurrences(file.code, /\bas (\w+)\b/g, ([, name = ""]) => name)) {
        const owner = owners.get(finding.message);
        if (owner === undefined || owner.test(file.path)) continue;
        const message = `a cast to ${finding.message} belongs in the file that makes it`;
        findings.push({ path: file.path, line: finding.line, message });
      }
    }
    return findings;
  },
};

/** Files that break a rule: at least one for each, so that a rule that matches nothing is noticed. */
export type PlantedViolation = {
  readonly rule: string;
  /** Path and text of each file of the tree. */
  readonly files: Readonly<Record<string, string>>;
  /** `path:line` of each finding of the rule, in order. */
  readonly found: readonly string[];
};

const lock = (fields: object): string =>
  JSON.stringify({ packages: { "": {}, "node_modules/a": fields } });

/** Each with the place where it must be found; text beside it that is allowed must not be. */
export const plantedViolations: readonly PlantedViolation[] = [
  {
    rule: "arrows",
    files: {
      "ledger/block.ts":
        'import { digest } from "../base/x.ts";\nimport { run } from "../node/main.ts";\n',
      "consensus/tally.ts":
        'import type { Key } from "../crypto/bls.ts";\nimport {\n  type Key,\n  sign,\n} from "../crypto/bls.ts";\n',
      "rpc/a.ts": 'export { x } from "../node/x.ts";\nconst y = await import("../cli/y.ts");\n',
      "sdk/client.ts":
        'import { A } from "../ledger/execute.ts";\nimport { B } from "../ledger/block.ts";\n',
      "cli/commands/send.ts": 'import "../../node/main.ts";\n',
      "cli/commands/nodeStart.ts": 'import { main } from "../../node/main.ts";\n',
      "vm/evm.test.ts":
        'import { v } from "../test/vectors.ts";\nimport { t } from "../store/trie.ts";\n',
    },
    found: [
      "ledger/block.ts:2",
      "consensus/tally.ts:2",
      "rpc/a.ts:1",
      "rpc/a.ts:2",
      "sdk/client.ts:1",
      "cli/commands/send.ts:1",
      "vm/evm.test.ts:2",
    ],
  },
  {
    rule: "packages",
    files: {
      "base/a.ts": 'import { readFileSync } from "node:fs";\n',
      "crypto/b.ts":
        'import { keccak_256 } from "@noble/hashes/sha3.js";\nimport fs from "node:fs";\n',
      "crypto/b.node.ts": 'import fs from "node:fs";\n',
      "ledger/c.ts": '// import x from "lodash";\nimport x from "lodash";\n',
    },
    found: ["base/a.ts:1", "crypto/b.ts:2", "ledger/c.ts:2"],
  },
  {
    rule: "orphans",
    files: {
      "store/trie.ts": "",
      "store/trie.test.ts": 'import { trie } from "./trie.ts";\n',
      "store/level.ts": "",
      "cli/ledger.ts": 'import { level } from "../store/level.ts";\n',
      "node/worker.ts": "",
      "node/pool.ts": 'new Worker(new URL("./worker.ts", import.meta.url));\n',
    },
    found: ["store/trie.ts:1", "node/pool.ts:1"],
  },
  {
    rule: "file names",
    files: {
      "base/index.ts": "",
      "ledger/utils.ts": "",
      "rpc/helpers/a.ts": "",
      "types/a.ts": "",
      "consensus/types.ts": "",
      "consensus/Replica.ts": "",
    },
    found: [
      "base/index.ts:1",
      "ledger/utils.ts:1",
      "rpc/helpers/a.ts:1",
      "types/a.ts:1",
      "consensus/Replica.ts:1",
    ],
  },
  {
    rule: "words",
    files: {
      "consensus/replica.ts": [
        "// The Date of a comment is no clock.",
        'const text = "Date.now()";',
        "const now = Date.now();",
        "const dice = Math.random();",
        "async function wait() {}",
        "const half = 0.5;",
        "const home = process.env;",
        "step.process.done();",
        "names.sort((a, b) => a.localeCompare(b));",
        "const shown = `${performance.now()}`;",
        "const pattern = /Date/;",
      ].join("\n"),
      "ledger/execute.ts": "await state.read();\nawait Promise.all([a, b]);\nsetTimeout(f, 1);\n",
      "ledger/execute.test.ts": "const now = Date.now();\n",
      "node/main.ts": "const now = Date.now();\n",
    },
    found: [
      "consensus/replica.ts:3",
      "consensus/replica.ts:10",
      "consensus/replica.ts:4",
      "consensus/replica.ts:7",
      "consensus/replica.ts:5",
      "consensus/replica.ts:9",
      "consensus/replica.ts:6",
      "ledger/execute.ts:3",
      "ledger/execute.ts:2",
    ],
  },
  {
    rule: "sort",
    files: {
      "store/a.ts": "keys.sort();\nkeys.sort(compare);\nkeys.toSorted( );\n",
      "node/a.ts": "names.sort();\n",
    },
    found: ["store/a.ts:1", "store/a.ts:3"],
  },
  {
    rule: "casts",
    files: {
      "crypto/verify.ts": "return value as Verified<T>;\n",
      "base/bytes.ts": "return text as Digest;\n",
      "consensus/view.ts": 'type View = Brand<number, "View">;\nconst one = 1 as View;\n',
      "node/inbound.ts":
        "f(vote as Verified<Vote>);\ng(text as Digest);\nh(1 as View);\ni(x as Foo);\n",
      "test/fakes/votes.ts": "f(vote as Verified<Vote>);\n",
    },
    found: ["node/inbound.ts:1", "node/inbound.ts:2", "node/inbound.ts:3"],
  },
  {
    rule: "comments",
    files: {
      "base/a.ts": [
        "/** Has one. */",
        "export const a = 1;",
        "export const b = 1;",
        "",
        "// Not a doc comment.",
        "export type C = string;",
        "/** Has one. */",
        "export function d(x: string): void;",
        "export function d(x: number): void;",
      ].join("\n"),
      "base/a.test.ts": "export const a = 1;\n",
    },
    found: ["base/a.ts:3", "base/a.ts:6"],
  },
  {
    rule: "unfinished",
    files: {
      "base/a.ts": "// TODO later\n// TODO(#12): then\n// FIXME\n",
      "README.md": "XXX\n",
    },
    found: ["base/a.ts:1", "base/a.ts:3", "README.md:1"],
  },
  {
    rule: "columns",
    files: {
      "base/a.ts": `const ${"a ".repeat(50)};\n// https://example.org/${"a".repeat(90)}\n`,
      "bin/x": `${"# a".repeat(40)}\n`,
    },
    found: ["base/a.ts:1", "bin/x:1"],
  },
  {
    rule: "skips",
    files: {
      "base/a.test.ts": [
        'test.only("one", f);',
        'test.skip("two", f);',
        "const one = 1;",
        "// Needs a tmpfs, which only root may mount.",
        'test.skipIf(x)("three", f);',
        'test.skipIf(x)("four (skipped: no vectors)", f);',
        'const text = "test.only(";',
        'describe.todo("five");',
      ].join("\n"),
    },
    found: ["base/a.test.ts:1", "base/a.test.ts:2", "base/a.test.ts:8"],
  },
  {
    rule: "retries",
    files: {
      "base/a.test.ts": 'test("one", { retry: 3 }, f);\n',
      "vitest.config.ts": "retry: 0,\nretry: 2,\n",
    },
    found: ["base/a.test.ts:1", "vitest.config.ts:2"],
  },
  {
    rule: "sleeps",
    files: {
      "integration/a.test.ts":
        'await sleep(5_000);\nimport { setTimeout } from "node:timers/promises";\nawait new Promise((resolve) => setTimeout(resolve, 10));\n',
      "integration/harness.ts": "setTimeout(resolve, 10);\n",
    },
    found: ["integration/a.test.ts:1", "integration/a.test.ts:2", "integration/a.test.ts:3"],
  },
  {
    rule: "machine",
    files: {
      ".npmrc": "registry=https://registry.npmjs.org/\n",
      "package-lock.json": '"resolved": "http://x"\n',
      "README.md": "see /home/someone/x, https://example.org/home/page and ./work/x\n",
    },
    found: [".npmrc:1", "package-lock.json:1", "README.md:1"],
  },
  {
    rule: "documents",
    files: {
      "README.md": "`base/rlp.ts` and `base/` and\n`base/gone.ts`, `npm run x`\n",
      "base/rlp.ts": "",
    },
    found: ["README.md:2"],
  },
  {
    rule: "answers",
    files: {
      "ledger/refusal.ts": [
        "export const refusalMeanings = {",
        '  feeTooLow: meaning(1, ignore, "…"),',
        '  expired: meaning(1, ignore, "…"),',
        "};",
      ].join("\n"),
      "consensus/types.ts": [
        "export type Effect =",
        '  | { readonly type: "persist"; readonly record: Foo }',
        '  | { readonly type: "sign" };',
        "",
        'export type Other = { readonly type: "none" };',
      ].join("\n"),
      "ledger/execute.test.ts": 'expect(code).toBe("expired");\nexpect(type).toBe("sign");\n',
    },
    found: ["ledger/refusal.ts:2", "consensus/types.ts:2"],
  },
  {
    rule: "dependencies",
    files: {
      "package.json":
        '{ "dependencies": { "a": "1.2.3", "b": "^1.0.0" }, "devDependencies": { "c": "1.0.0" } }',
      "docs/adr/007-runtime-dependencies.md": "`b`",
      "rpc/a.ts": 'import { a } from "a/b.js";\n',
      "rpc/b.test.ts": 'import { b } from "b";\n',
      "rpc/c.ts": 'import { c } from "c";\n',
    },
    // The version of b, the reason of a, the use of b, the use of c.
    found: ["package.json:1", "package.json:1", "package.json:1", "package.json:1"],
  },
  {
    rule: "lock file",
    files: {
      "package.json": '{ "allowScripts": {} }',
      "package-lock.json": lock({ integrity: "sha1-x", hasInstallScript: true }),
    },
    found: ["package-lock.json:1", "package-lock.json:1"],
  },
  {
    rule: "install scripts",
    files: { "package.json": '{ "allowScripts": { "node": true, "a": true, "b": false } }' },
    found: ["package.json:1"],
  },
];

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { normaliseArguments } from "./arguments.ts";
import { exitCodeFor, exitCodes } from "./failure.ts";
import { createNodeProgram } from "./nodeProgram.ts";
import { runArguments } from "./run.ts";
import { createWalletProgram } from "./walletProgram.ts";
import { AssertionError } from "../base/assert.ts";

const from = "2E833968E5bB786Ae419c4d13189fB081Cc43bab";
const to = "9F1233798E905E173560071255140b4A8aBd3Ec6";
/** Nothing listens on port 1. */
const nowhere = "--rpc=http://127.0.0.1:1/rpc";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cli-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

type Ran = { readonly exit: number; readonly out: string; readonly err: string };

async function run(
  argv: readonly string[],
  options: { readonly environment?: NodeJS.ProcessEnv; readonly program?: "ledger" } = {},
): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const world = {
    print: (line: string) => void out.push(line),
    warn: (line: string) => void err.push(line),
    environment: { LEDGERCLI_CONFIG: folder, NO_COLOR: "1", ...options.environment },
    signal: new AbortController().signal,
  };
  const create = options.program === "ledger" ? createNodeProgram : createWalletProgram;
  const exit = await runArguments(create(world), normaliseArguments(argv), world);
  return { exit, out: out.join("\n"), err: err.join("\n") };
}

const send = ["tx", "send", nowhere, `--from=${from}`];

test.each([
  [["tx", "sned"], "error[E_USAGE]: unknown command tx sned"],
  [["tx"], "error[E_USAGE]: tx needs a subcommand"],
  [["qurey", "account"], "error[E_USAGE]: unknown command 'qurey'"],
  [[...send, "--chian=x"], "error[E_USAGE]: unknown option '--chian=x'\n  try: --chain"],
  [["key", "delete"], "error[E_USAGE]: missing required argument 'address'"],
  [["tx", "send", `--to=${to}`], "error[E_USAGE]: --from is missing"],
  [[...send, "--to=123", "--theta=1"], "error[E_BAD_ADDRESS]: --to 123 is not an address"],
  [[...send, "--to=9F1233798E905E173560071255140b4A8aBd3Ec7"], "error[E_BAD_CHECKSUM]: --to"],
  [[...send, `--to=${to}`, "--theta=-1"], "error[E_BAD_AMOUNT]: --theta -1 is negative"],
  [[...send, `--to=${to}`, "--tfuel=1e18"], "error[E_BAD_AMOUNT]: --tfuel 1e18 is not an amount"],
  [[...send, `--to=${to}`, `--tfuel=${2n ** 256n}wei`], "error[E_BAD_AMOUNT]: --tfuel"],
  [[...send, `--to=${to}`], "error[E_USAGE]: there is nothing to send"],
  [[...send, `--to=${from}`, "--theta=1"], "error[E_USAGE]: --from and --to are the same"],
  [[...send, `--to=${to}`, "--theta=1", "--seq=0"], "error[E_USAGE]: --seq 0 is not between 1"],
  [[...send, `--to=${to}`, "--theta=1", "--seq=-2"], "error[E_USAGE]: --seq -2 is not between"],
  [[...send, `--to=${to}`, "--theta=1", `--seq=${2n ** 64n}`], "error[E_USAGE]: --seq"],
  [[...send, `--to=${to}`, "--theta=1", "--wallet=nano"], "error[E_USAGE]: --wallet nano is not"],
  [[...send, `--to=${to}`, "--theta=1", "--async", "--wait"], "error[E_USAGE]: --async and"],
  [["query", "block", "--height=-1"], "error[E_USAGE]: --height -1 is not between"],
  [["query", "block", "--hash=0x12"], "error[E_USAGE]: --hash 0x12 is not a hash"],
  [["query", "status", "--rpc=ftp://x"], "error[E_CONFIG]: ftp://x is not an http URL"],
  [["rpc", "theta.GetStatus", "{"], "error[E_USAGE]: the parameters are not JSON"],
])("%j is a usage error", async (argv, sentence) => {
  const { exit, out, err } = await run(argv);
  expect([exit, out]).toEqual([exitCodes.usage, ""]);
  expect(err.startsWith(sentence), err).toBe(true);
});

test("an unreachable node is exit 3, and no password is asked for before that", async () => {
  mkdirSync(join(folder, "keys", "encrypted"), { recursive: true });
  writeFileSync(join(folder, "keys", "encrypted", from), "{}");
  const { exit, err } = await run([...send, `--to=${to}`, "--theta=1"]);
  expect(exit).toBe(exitCodes.unreachable);
  expect(err).toContain("error[E_NODE_UNREACHABLE]: no node answers at http://127.0.0.1:1/rpc");
});

test("a key that is not stored is exit 1 and names the folder", async () => {
  const { exit, err } = await run([...send, `--to=${to}`, "--theta=1"]);
  expect(exit).toBe(exitCodes.failed);
  expect(err).toContain(join(folder, "keys", "encrypted"));
});

test("with --json an error is one JSON document on standard error", async () => {
  const { exit, out, err } = await run(["query", "block", "--height=x", "--json"]);
  expect([exit, out]).toEqual([exitCodes.usage, ""]);
  expect(JSON.parse(err)).toEqual({
    error: { code: "E_USAGE", message: "--height x is not a whole number", hint: null, exit: 2 },
  });
});

test.each([
  ["remoteRPCEndpoint: http://127.0.0.1:1/x\n", 3, "http://127.0.0.1:1/x"],
  ["remoteRPCEndpont: http://127.0.0.1:1/x\n", 2, "unknown setting remoteRPCEndpont"],
  ["__proto__: 1\n", 2, "unknown setting __proto__"],
  ["a: [\n", 2, "is not valid YAML"],
  ["[1]\n", 2, "does not hold settings"],
])("the file %j ends with exit %i", async (text, exit, words) => {
  writeFileSync(join(folder, "config.yaml"), text);
  const ran = await run(["query", "status"]);
  expect(ran.exit).toBe(exit);
  expect(ran.err).toContain(words);
});

test("a flag beats the environment, which beats the file", async () => {
  writeFileSync(join(folder, "config.yaml"), "remoteRPCEndpoint: http://127.0.0.1:1/file\n");
  const environment = { LEDGERCLI_RPC: "http://127.0.0.1:1/environment" };
  expect((await run(["query", "status"], { environment })).err).toContain("/environment");
  const flag = ["query", "status", "--remote=http://127.0.0.1:1/flag"];
  expect((await run(flag, { environment })).err).toContain("/flag");
});

test("versions and help end with 0, and help is on standard output", async () => {
  expect((await run(["version"])).out).toMatch(/^ledgercli \d+\.\d+\.\d+ \(node /);
  const json = await run(["version", "--json"], { program: "ledger" });
  expect(JSON.parse(json.out)).toMatchObject({ program: "ledger" });
  expect((await run(["--help"])).exit).toBe(0);
});

test("a bug is exit 70, an unknown failure 1", () => {
  expect(exitCodeFor(new AssertionError("x"))).toBe(70);
  expect(exitCodeFor(new Error("x"))).toBe(1);
});

test("a password from a flag works with a warning that never repeats it", async () => {
  const secret = "hunter2-hunter2";
  const made = await run(["key", "new", `--password=${secret}`]);
  expect(made.exit).toBe(0);
  expect(made.err).toBe(
    "warning: --password stays in the process list and the shell history; use --password-file",
  );
  const address = /0x[0-9a-fA-F]{40}/.exec(made.out)?.[0] ?? "";
  const environment = { LEDGER_PASSWORD: `${secret}!` };
  const wrong = await run(["key", "delete", address, "--verbose"], { environment });
  expect(wrong.exit).toBe(exitCodes.authentication);
  expect(wrong.err).toContain("error[E_BAD_PASSWORD]: wrong password for");
  expect(wrong.err).not.toContain("hunter2");
  expect((await run(["key", "list"])).out).toBe(address);
  const file = join(folder, "password");
  writeFileSync(file, `${secret}\r\nsecond line\n`);
  expect((await run(["key", "delete", address, `--password-file=${file}`])).exit).toBe(0);
  expect((await run(["key", "list"])).out).toBe("");
});

test("a mnemonic gives the address that every Ethereum wallet gives it", async () => {
  const words = join(folder, "words");
  writeFileSync(words, "  Test test test test test test test test test test test   junk\n");
  const environment = { LEDGER_PASSWORD: "x" };
  const made = await run(["key", "import", `--mnemonic_file=${words}`], { environment });
  expect(made.out).toContain("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
  writeFileSync(words, "test test test test test test test test test test test test");
  const bad = await run(["key", "import", `--mnemonic_file=${words}`], { environment });
  expect([bad.exit, bad.err.includes("test test")]).toEqual([1, false]);
  expect(bad.err).toContain("E_BAD_MNEMONIC");
});

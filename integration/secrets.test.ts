import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  checkoutFolder,
  cleanUp,
  fixturePassword,
  ledgercli,
  startLedger,
  type Ran,
  type RunningNode,
} from "./harness.ts";

/*
 * Goal: no secret leaves the place it belongs to. Method: a node at the most talkative level and a
 * wallet that works and fails with secrets known here; then everything they printed, wrote outside
 * key files, answered, or show in the process list is searched for those secrets.
 */

const privateKey = "8d4f1c77a9be6e0c3f5b2a9d7e6c5b4a39281706f5e4d3c2b1a0918273645566";
const ownPassword = "a password that occurs nowhere else";
const wrongPassword = "not the password, but a secret too";
const words = "legal winner thank year wave sausage worth useful legal winner thank yellow";
const from = "2E833968E5bB786Ae419c4d13189fB081Cc43bab";
const to = "9F1233798E905E173560071255140b4A8aBd3Ec6";

const secrets: Readonly<Record<string, string>> = {
  "the private key": privateKey,
  "the password of the node and its wallet": fixturePassword,
  "the password of a new key": ownPassword,
  "a password that was wrong": wrongPassword,
  "the words of a mnemonic": words.slice(6, 40),
};

/** Everything that was printed, by where. */
const printed: { readonly where: string; readonly text: string }[] = [];
let folder = "";
let node: RunningNode | null = null;

async function wallet(argv: readonly string[], password: string, input = ""): Promise<Ran> {
  const ran = await ledgercli(argv, {
    folder,
    input,
    environment: {
      LEDGERCLI_CONFIG: join(folder, "wallet"),
      LEDGERCLI_RPC: node?.url ?? "",
      LEDGER_PASSWORD: password,
    },
  });
  printed.push({ where: `ledgercli ${argv.join(" ")}`, text: ran.out + ran.err });
  return ran;
}

function holdersOf(text: string): readonly string[] {
  return Object.entries(secrets)
    .filter(([, secret]) => text.toLowerCase().includes(secret.toLowerCase()))
    .map(([name]) => name);
}

function filesOf(path: string): readonly string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

beforeAll(async () => {
  folder = checkoutFolder();
  mkdirSync(join(folder, "wallet"));
  node = await startLedger(["start", "--config=integration/privatenet/node", "--verbose"], {
    folder,
    environment: { LEDGER_PASSWORD: fixturePassword, LEDGER_LOG_LEVEL: "trace" },
  });
});
afterAll(cleanUp);

describe("A11: secrets stay where they belong", () => {
  test("the wallet's commands, done and failed, print none", async () => {
    writeFileSync(join(folder, "words"), words);
    const hidden = await wallet(["key", "import", "--private-key-file=-"], ownPassword, privateKey);
    expect(hidden.exit, hidden.err).toBe(0);
    const seed = await wallet(["key", "import", "--mnemonic-file=words"], ownPassword);
    expect(seed.exit, seed.err).toBe(0);
    const files = filesOf(join(folder, "integration/privatenet/ledgercli/keys"));
    const key = files.find((file) => file.toLowerCase().includes(from.toLowerCase())) ?? "";
    expect((await wallet(["key", "import", key], fixturePassword)).exit).toBe(0);
    const send = ["tx", "send", `--from=${from}`, `--to=${to}`, "--tfuel=1", "--verbose"];
    const sent = await wallet([...send, "--wait"], fixturePassword);
    expect(sent.exit, sent.err).toBe(0);
    expect((await wallet([...send, "--json"], wrongPassword)).exit).toBe(5);
    expect((await wallet(["key", "list"], ownPassword)).exit).toBe(0);
    const mistyped = await wallet(
      ["key", "import", "--private-key-file=-"],
      "pw",
      `${privateKey}f`,
    );
    expect(mistyped.exit).not.toBe(0);
    for (const { where, text } of printed) expect(holdersOf(text), where).toEqual([]);
  });

  test("the node's log at its most talkative has none", () => {
    const log = `${node?.out()}\n${node?.err()}`;
    expect(log.length).toBeGreaterThan(200);
    expect(holdersOf(log)).toEqual([]);
  });

  test("the process list shows none, and neither do metrics and answers", async () => {
    const argv = readFileSync(`/proc/${node?.pid}/cmdline`, "utf8");
    expect(argv).toContain("ledger");
    expect(holdersOf(argv)).toEqual([]);
    const metrics = await fetch(new URL("/metrics", node?.url));
    expect(holdersOf(await metrics.text())).toEqual([]);
  });

  test("files hold none in the clear, and key files are for their owner only", async () => {
    expect(await node?.stop()).toBe(0);
    const written = [...filesOf(join(folder, "wallet")), ...filesOf(join(folder, "integration"))];
    for (const file of written) expect(holdersOf(readFileSync(file, "latin1")), file).toEqual([]);
    const keys = filesOf(join(folder, "wallet")).filter((file) => file.includes("keys"));
    expect(keys.length).toBe(3);
    for (const file of keys) expect(statSync(file).mode & 0o077, file).toBe(0);
  });

  test("a password given as a flag works with a warning that says who can read it", async () => {
    const ran = await wallet(["key", "new", `--password=${ownPassword}`], "");
    expect(ran.exit, ran.err).toBe(0);
    expect(ran.err).toContain("process list");
    expect(holdersOf(ran.out + ran.err)).toEqual([]);
  });
});

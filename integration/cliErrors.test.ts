import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Wallet } from "ethers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  checkoutFolder,
  cleanUp,
  fixturePassword,
  ledger,
  ledgercli,
  startPrivatenet,
  temporaryFolder,
  type Ran,
  type RunningNode,
} from "./harness.ts";

/*
 * Goal: whatever a user does wrong ends with one clear sentence on standard error, the right exit
 * code, and nothing lost: the payer's account is the same after all of it as before.
 */

const from = "2E833968E5bB786Ae419c4d13189fB081Cc43bab";
const to = "9F1233798E905E173560071255140b4A8aBd3Ec6";

let folder = "";
let node: RunningNode | null = null;
let before = "";

beforeAll(async () => {
  folder = checkoutFolder();
  node = await startPrivatenet(folder);
  before = await accountText();
});
afterAll(cleanUp);

async function accountText(): Promise<string> {
  return JSON.stringify(await node?.client.call("theta.GetAccount", { address: `0x${from}` }));
}

function wallet(
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  return ledgercli(argv, {
    folder,
    environment: {
      LEDGERCLI_CONFIG: join(folder, "integration/privatenet/ledgercli"),
      LEDGERCLI_RPC: node?.url ?? "",
      LEDGER_PASSWORD: fixturePassword,
      ...environment,
    },
  });
}

/** One sentence with its code, then at most the next thing to do; results stay empty. */
function expectSentence(ran: Ran, exit: number, sentence: RegExp): void {
  expect(ran.err).toMatch(sentence);
  expect([ran.exit, ran.out]).toEqual([exit, ""]);
  const lines = ran.err.trimEnd().split("\n");
  expect(lines.length, ran.err).toBeLessThanOrEqual(2);
  expect(lines[0]).toMatch(/^error\[E_[A-Z_]+\]: /);
  expect(ran.err).not.toContain("    at "); // No stack trace.
}

const send = ["tx", "send", `--from=${from}`, `--to=${to}`];

describe("a transfer", () => {
  test.each([
    ["with a sequence that was used", [...send, "--tfuel=1", "--seq=0"], 2, /E_USAGE.*--seq 0/],
    ["ahead of its sequence", [...send, "--tfuel=1", "--seq=900000000000"], 1, /E_SEQ_GAP/],
    ["of more TFUEL than there is", [...send, "--tfuel=400000000"], 1, /E_INSUFFICIENT_FUNDS/],
    ["of more THETA than there is", [...send, "--theta=400000000"], 1, /E_INSUFFICIENT_FUNDS/],
    ["with a fee below the floor", [...send, "--tfuel=1", "--fee=1wei"], 1, /E_FEE_TOO_LOW/],
    ["for another chain", [...send, "--tfuel=1", "--chain=mainnet"], 1, /E_WRONG_CHAIN.*mainnet/],
    ["of a negative amount", [...send, "--tfuel=-1"], 2, /E_BAD_AMOUNT.*negative/],
    ["of an oversized amount", [...send, `--tfuel=${10n ** 77n}`], 2, /E_BAD_AMOUNT/],
    ["with an unknown flag", [...send, "--tfule=1"], 2, /E_USAGE.*--tfule/],
  ] as const)("%s", async (_name, argv, exit, sentence) => {
    expectSentence(await wallet(argv), exit, sentence);
  });

  test("both values are in the sentence", async () => {
    const ran = await wallet([...send, "--tfuel=1", "--seq=900000000000"]);
    expect(ran.err).toMatch(/900000000000/);
    expect(ran.err).toMatch(/--seq/);
  });

  test("with --json the error is a document with its exit code", async () => {
    const ran = await wallet([...send, "--tfuel=400000000", "--json"]);
    expect(ran.out).toBe("");
    const { error } = JSON.parse(ran.err) as { error: Record<string, unknown> };
    expect(error).toMatchObject({ code: "E_INSUFFICIENT_FUNDS", exit: 1, rpcCode: -32_000 });
  });

  test("with the wrong password", async () => {
    const ran = await wallet([...send, "--tfuel=1"], { LEDGER_PASSWORD: "wrong-secret" });
    expectSentence(ran, 5, /E_BAD_PASSWORD.*wrong password/);
    expect(ran.err).not.toContain("wrong-secret");
  });

  test("with a password line on standard input", async () => {
    const ran = await ledgercli([...send, "--tfuel=1"], {
      folder,
      input: "wrong\n",
      environment: {
        LEDGERCLI_CONFIG: join(folder, "integration/privatenet/ledgercli"),
        LEDGERCLI_RPC: node?.url ?? "",
      },
    });
    expectSentence(ran, 5, /E_BAD_PASSWORD/);
  });

  test("with a node that is not there", async () => {
    const ran = await wallet([...send, "--tfuel=1", "--rpc=http://127.0.0.1:1/rpc"]);
    expectSentence(ran, 3, /E_NODE_UNREACHABLE.*127\.0\.0\.1:1/);
  });

  test("with a corrupt keystore", async () => {
    const copy = temporaryFolder();
    const made = await ledgercli(["key", "new", "--config", copy], {
      environment: { LEDGER_PASSWORD: "x" },
    });
    expect(made.exit, made.err).toBe(0);
    const keys = join(copy, "keys", "encrypted");
    const [name = ""] = readdirSync(keys);
    const path = join(keys, name);
    writeFileSync(path, readFileSync(path, "utf8").slice(0, -40));
    const argv = ["tx", "send", `--from=${name}`, `--to=${to}`, "--tfuel=1", "--config", copy];
    expectSentence(await wallet(argv), 6, /E_KEYSTORE_CORRUPT/);
  });
});

describe("a raw transaction", () => {
  test("with a bad signature", async () => {
    // theta.md 11.2 with the other recovery id: it recovers another address.
    const start =
      "02f8a4c78085e8d4a51000f86ff86d942e833968e5bb786ae419c4d13189fb081cc43bab" +
      "d3888ac7230489e800008901158e46f1e875100002b841";
    const signature =
      "5a6e9a2e93487c786f07175998493161e61a5d9613745aa0e2fe51e5db1eaf62" +
      "6f72bfae41d971e88ff3b2c217cf611c2addb266e7d7ebda29cb0e9e5a2f482801";
    const end =
      "eae9949f1233798e905e173560071255140b4a8abd3ec6d3888ac7230489e800008901158e460913d00000";
    const parameters = JSON.stringify({ tx_bytes: `${start}${signature}${end}` });
    const ran = await wallet(["rpc", "theta.BroadcastRawTransaction", parameters]);
    expectSentence(ran, 1, /E_BAD_SIGNATURE|E_REFUSED.*signature/);
  });

  test("of Ethereum for another chain", async () => {
    const key = new Wallet("0x93a90ea508331dfdf27fb79757d4250b4e84954927ba0073cd67454ac432c737");
    const fields = { to: key.address, nonce: 0, gasLimit: 21_000, gasPrice: 10n ** 10n };
    const raw = await key.signTransaction({ ...fields, type: 0, chainId: 1 });
    const ran = await wallet(["rpc", "eth_sendRawTransaction", JSON.stringify([raw])]);
    expectSentence(ran, 1, /E_WRONG_CHAIN/);
  });

  test("that is no transaction", async () => {
    const ran = await wallet(["rpc", "theta.BroadcastRawTransaction", '{"tx_bytes":"02c0"}']);
    expectSentence(ran, 1, /error\[/);
  });
});

describe("a question", () => {
  test("of an unknown method names the nearest", async () => {
    expectSentence(await wallet(["rpc", "theta.GetAcount"]), 1, /E_METHOD_NOT_FOUND.*GetAccount/);
  });

  test("about an account that does not exist", async () => {
    const ran = await wallet(["query", "account", `--address=${"12".repeat(20)}`]);
    expectSentence(ran, 1, /E_ACCOUNT_NOT_FOUND/);
  });

  test("about a transaction that nobody sent answers not_found", async () => {
    const ran = await wallet(["query", "tx", `--hash=${"12".repeat(32)}`]);
    expect(ran.exit).toBe(0);
    expect(JSON.parse(ran.out)).toMatchObject({ status: "not_found" });
  });
});

describe("a node", () => {
  const start = ["start", "--config=integration/privatenet/node"];
  const anyPort = { LEDGER_RPC_PORT: "0" };
  const unlocked = { ...anyPort, LEDGER_PASSWORD: fixturePassword };

  test("with the wrong password", async () => {
    const environment = { ...anyPort, LEDGER_PASSWORD: "no" };
    const ran = await ledger(start, { folder: checkoutFolder(), environment });
    expect([ran.exit, ran.out]).toEqual([5, ""]);
    expect(ran.err).toMatch(/error\[E_BAD_PASSWORD\]/);
  });

  test("without a password", async () => {
    const ran = await ledger(start, { folder: checkoutFolder(), environment: anyPort });
    expect(ran.exit).toBe(5);
    expect(ran.err).toMatch(/error\[E_NO_PASSWORD\]/);
  });

  test("on a folder that does not exist", async () => {
    const ran = await ledger(["start", "--config=nowhere"], { folder });
    expect(ran.exit).toBe(2);
    expect(ran.err).toMatch(/error\[E_CONFIG\].*nowhere/);
  });

  test("with an unknown setting", async () => {
    const ran = await ledger([...start, "--set=rpc.prot=1"], { folder });
    expect(ran.exit).toBe(2);
    expect(ran.err).toMatch(/error\[E_CONFIG\].*prot/);
  });

  test("of a network with a chain parameter that is none, or out of bounds", async () => {
    for (const [given, words] of [
      ["chain.epochs=20", "parameters.chain.epochs: no module has this parameter"],
      ["chain.epochBlocks=0", "parameters.chain.epochBlocks: got 0, expected an integer from"],
    ] as const) {
      const argv = ["testnet", `--output=${join(folder, "net")}`, `--parameters=${given}`];
      const ran = await ledger(argv, { folder, environment: unlocked });
      expect([ran.exit, ran.out], ran.err).toEqual([2, ""]);
      expect(ran.err).toContain(words);
    }
    const ran = await ledger(["devnet", "--parameters=epochBlocks=20"], { folder });
    expect(ran.exit).toBe(2);
    expect(ran.err).toContain("--parameters epochBlocks=20 is not section.key=value");
  });

  test("a second one on the same data folder", async () => {
    const ran = await ledger(start, { folder, environment: unlocked });
    expect(ran.exit).toBe(1);
    expect(ran.err).toMatch(/error\[E_DATA_FOLDER_IN_USE\]/);
  });

  test("on a port that is in use", async () => {
    const environment = { ...unlocked, LEDGER_RPC_PORT: `${node?.port ?? 0}` };
    const ran = await ledger(start, { folder: checkoutFolder(), environment });
    expect(ran.exit).toBe(1);
    expect(ran.err).toMatch(/error\[E_PORT_IN_USE\]/);
  });
});

test("after all of it the payer's account is what it was", async () => {
  expect(await accountText()).toBe(before);
});

test("no secret is in what the node wrote", () => {
  const written = `${node?.out() ?? ""}${node?.err() ?? ""}`;
  expect(written).not.toContain(fixturePassword);
  expect(written.toLowerCase()).not.toContain("93a90ea508331dfd");
});

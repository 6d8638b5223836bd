import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  checkoutFolder,
  cleanUp,
  fixturePassword,
  launch,
  ledgercli,
  startPrivatenet,
  waitFor,
  type Launched,
  type RunningNode,
} from "./harness.ts";

/*
 * Goal: money streams with the two command lines alone: a pool, a server that sells a folder, a
 * client that pays chunk by chunk; both sides are killed on the way, and in the end the chain has
 * paid exactly what the bytes cost. Method: a private network and real processes.
 */

const payer = "2E833968E5bB786Ae419c4d13189fB081Cc43bab";
/** Of the published private key 0x11…11, which the fixture funds. */
const seller = "19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";

const megabytes = 24;
const chunkBytes = 65_536;

let folder = "";
let node: RunningNode | null = null;

beforeAll(async () => {
  folder = checkoutFolder();
  node = await startPrivatenet(folder);
  const imported = await wallet(["key", "import", "--private-key-file=-"], "11".repeat(32));
  expect(imported).toContain(seller);
  mkdirSync(join(folder, "films"));
  writeFileSync(join(folder, "films", "film.bin"), randomBytes(megabytes * 1_000_000));
});
afterAll(cleanUp);

function environment(): Record<string, string> {
  return {
    LEDGERCLI_CONFIG: join(folder, "integration/privatenet/ledgercli"),
    LEDGERCLI_RPC: node?.url ?? "",
    LEDGER_PASSWORD: fixturePassword,
  };
}

async function wallet(argv: readonly string[], input?: string): Promise<string> {
  const ran = await ledgercli(argv, {
    folder,
    ...(input === undefined ? {} : { input }),
    environment: environment(),
  });
  expect(ran.exit, `${argv.join(" ")}\n${ran.err}`).toBe(0);
  return ran.out;
}

async function serve(): Promise<{ readonly process: Launched; readonly url: string }> {
  const price = ["--price-per-mb=0.001", "--port=0", "--resource=films"];
  const argv = ["pay", "serve", "films", `--address=${seller}`, ...price];
  const process = launch("ledgercli", argv, { folder, environment: environment() });
  await waitFor("the server listens", () => /http:\S+/.test(process.out()), 30_000);
  const [url = ""] = /http:\S+/.exec(process.out()) ?? [];
  return { process, url: `${url}film.bin` };
}

function get(url: string): Launched {
  const argv = ["pay", "get", url, "-o", "copy.bin", `--from=${payer}`, "--window=2"];
  return launch("ledgercli", argv, { folder, environment: environment() });
}

/** A way to the server on which the line goes still after so many bytes of its answers. */
async function stillAfter(url: string, bytesMax: number): Promise<string> {
  const { port, pathname } = new URL(url);
  let bytes = 0;
  const between = createServer((client) => {
    const server = connect(Number(port), "127.0.0.1");
    client.pipe(server);
    server.on("data", (data: Uint8Array) => {
      bytes += data.length;
      if (bytes > bytesMax) server.pause();
      else client.write(data);
    });
    const end = (): void => {
      client.destroy();
      server.destroy();
    };
    client.on("error", end).on("close", end);
    server.on("error", end).on("close", end);
  });
  await new Promise<void>((resolve) => between.listen(0, "127.0.0.1", resolve));
  between.unref();
  const address = between.address();
  const own = typeof address === "object" && address !== null ? address.port : 0;
  return `http://127.0.0.1:${own}${pathname}`;
}

type Pools = { readonly pools: readonly { readonly settled: string; readonly signed: string }[] };

test("M13 both sides are killed on the way, and every byte is paid for once", async () => {
  const terms = ["--fund=1", "--collateral=2", "--duration=1000", "--resource_ids=films"];
  await wallet(["pay", "open", `--from=${payer}`, ...terms]);

  const first = await serve();
  const part = join(folder, "copy.bin.part");
  // Chunks come in any order, so its size says nothing: what is on disk does.
  const partBytes = (): number => (statSync(part, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
  const killed = get(await stillAfter(first.url, 12_000_000));
  await waitFor("some of it came", () => partBytes() > 1_000_000 || killed.isEnded(), 60_000);
  expect(killed.isEnded(), killed.err()).toBe(false);
  await killed.stop("SIGKILL");
  await first.process.stop("SIGKILL");

  const second = await serve();
  const rest = get(second.url);
  expect(await rest.ended, rest.err()).toBe(0);
  const copy = readFileSync(join(folder, "copy.bin"));
  expect(copy.equals(readFileSync(join(folder, "films", "film.bin")))).toBe(true);

  // Ctrl-C settles; what was owed at the first server was on its disk when it was killed.
  expect(await second.process.stop("SIGINT")).toBe(0);
  const { pools } = JSON.parse(await wallet(["pay", "list", `--from=${payer}`])) as Pools;
  const cost = BigInt(megabytes) * 1_000_000n * 1_000_000_000n;
  const window = BigInt(2 * chunkBytes) * 1_000_000_000n;
  expect(pools[0]?.settled).toBe(pools[0]?.signed);
  expect(BigInt(pools[0]?.settled ?? "0")).toBeGreaterThanOrEqual(cost);
  expect(BigInt(pools[0]?.settled ?? "0")).toBeLessThanOrEqual(cost + window);
});

test("a voucher by hand: signed by one, settled by the other from a file", async () => {
  const to = ["--to", seller, "--tfuel=0.25", "--resource=films"];
  const voucher = await wallet(["pay", "send", "--offchain", `--from=${payer}`, ...to]);
  const settle = ["pay", "receive", "settle", `--address=${seller}`, "--voucher=-"];
  const settled = JSON.parse(await wallet(settle, voucher)) as {
    readonly settled: readonly { readonly paid: string }[];
  };
  expect(settled.settled.reduce((sum, { paid }) => sum + BigInt(paid), 0n)).toBe(25n * 10n ** 16n);
  const listed = await wallet(["pay", "receive", "list", `--address=${seller}`]);
  expect(JSON.parse(listed)).toMatchObject({ accounts: [{ unsettled: "0", state: "open" }] });
});

type Voucher = {
  readonly amount: string;
  readonly paymentSequence: string;
  readonly reserveSequence: string;
  readonly signature: string;
};

test("other commands for pools: service_payment, watch, a release too early", async () => {
  const to = ["--to", seller, "--tfuel=0.1", "--resource=films"];
  const sent = await wallet(["pay", "send", "--offchain", `--from=${payer}`, ...to]);
  const { amount, paymentSequence, reserveSequence, signature } = JSON.parse(sent) as Voucher;
  const pool = [`--payment_seq=${paymentSequence}`, `--reserve_seq=${reserveSequence}`];
  const terms = [`--amount=${amount}wei`, "--resource_id=films", `--source_signature=${signature}`];
  const parties = [`--from=${payer}`, `--to=${seller}`];
  await wallet(["tx", "service_payment", ...parties, ...terms, ...pool]);
  const { pools } = JSON.parse(await wallet(["pay", "list", `--from=${payer}`])) as Pools;
  expect(pools[0]?.settled).toBe(pools[0]?.signed);

  await wallet(["pay", "watch", `--from=${payer}`, `--address=${seller}`, "--once"]);

  const close = ["pay", "close", `--from=${payer}`, `--reserve_seq=${reserveSequence}`];
  const release = ["tx", "release", `--from=${payer}`, `--reserve_seq=${reserveSequence}`];
  for (const argv of [close, release]) {
    const refused = await ledgercli(argv, { folder, environment: environment() });
    expect(refused.exit).not.toBe(0);
    expect(refused.err).toMatch(/releaseTooEarly|too early|freeze/i);
  }
});

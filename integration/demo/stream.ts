import { createHash } from "node:crypto";
import { mkdirSync, openSync, closeSync, writeSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import type { Address } from "../../base/brand.ts";
import { hexToBytes } from "../../base/bytes.ts";
import { openNodeStream, sha256InPlace } from "../../sdk/pay/byteStream.node.ts";
import { download, type SourceReport } from "../../sdk/pay/download.ts";
import { openPartialFile } from "../../sdk/pay/fileSink.node.ts";
import { connectChain, type NodeChain } from "../../sdk/pay/nodeChain.ts";
import type { Payer } from "../../sdk/pay/payer.ts";
import { openSource, type Source } from "../../sdk/pay/source.ts";
import { openPayer, type Opened } from "../../sdk/pay/stores.node.ts";
import { voucherToJson } from "../../sdk/pay/voucherJson.ts";
import { formatCoins } from "../../sdk/units.ts";
import { keySigner, type Signer } from "../../sdk/wallet.ts";
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
} from "../harness.ts";

/*
 * `npm run demo:stream`: one payer brings a file from three relays at three prices, each a process
 * of its own; one is killed on the way. Everybody settles, and the chain has paid what the bytes
 * cost, to the wei. Then a payer promises more than it has, and loses its collateral. With `--yes`
 * nothing is asked; the exit code is not 0 if anything is not as it must be.
 */

const chunkBytes = 65_536;
const coin = 10n ** 18n;
const resource = "film";
const never = new AbortController().signal;

/** Chunks that a relay may be paid for and still owe: what one that dies may take along. */
const window = 64;

/** Chunks that are paid for by steps along one hash chain, as `pay get` does. */
const stepsPerChain = 256;

type Relay = {
  readonly name: string;
  readonly address: Address;
  readonly key: string;
  readonly pricePerMb: string;
  readonly weiPerByte: bigint;
  process: Launched;
  url: string;
};

/** Private keys of the fixture's funded accounts: a byte repeated. */
const relayTerms = [
  { name: "relay A", key: "11", pricePerMb: "0.001", weiPerByte: 1_000_000_000n },
  { name: "relay B", key: "22", pricePerMb: "0.0015", weiPerByte: 1_500_000_000n },
  { name: "relay C", key: "33", pricePerMb: "0.002", weiPerByte: 2_000_000_000n },
] as const;

function signerOf(key: string): Signer {
  return keySigner(hexToBytes(key.repeat(32)));
}

function check(condition: boolean, what: string): void {
  console.log(`${condition ? "✔" : "✖"} ${what}`);
  if (!condition) throw new Error(`not so: ${what}`);
}

class Demo {
  readonly #folder = checkoutFolder();
  readonly #isUnattended: boolean;
  readonly #megabytes: number;
  #node: RunningNode | null = null;
  #relays: Relay[] = [];

  constructor(options: { readonly isUnattended: boolean; readonly megabytes: number }) {
    this.#isUnattended = options.isUnattended;
    this.#megabytes = options.megabytes;
  }

  async run(): Promise<void> {
    console.log(`a private network, and a file of ${this.#megabytes} MB for three relays …`);
    this.#node = await startPrivatenet(this.#folder);
    this.#makeFile();
    for (const terms of relayTerms) this.#relays.push(await this.#startRelay(terms));
    for (const { name, url, pricePerMb } of this.#relays)
      console.log(`  ${name} at ${url} for ${pricePerMb} TFUEL per MB`);
    await this.#ask("one payer opens a pool and brings the file from all three");
    await this.#stream();
    await this.#ask("a cheating payer promises more than its pool holds");
    await this.#cheat();
    console.log("\neverything is as it must be");
  }

  async #ask(what: string): Promise<void> {
    console.log(`\n— ${what}`);
    if (this.#isUnattended || !process.stdin.isTTY) return;
    const terminal = createInterface({ input: process.stdin, output: process.stdout });
    await terminal.question("  press Enter ");
    terminal.close();
  }

  #makeFile(): void {
    mkdirSync(join(this.#folder, "films"));
    const file = openSync(join(this.#folder, "films", "film.bin"), "w");
    const block = new Uint8Array(1_000_000);
    for (let megabyte = 0; megabyte < this.#megabytes; megabyte += 1) {
      const seed = createHash("sha256").update(`${megabyte}`).digest();
      for (let i = 0; i < block.length; i += 1) block[i] = (seed[i & 31] ?? 0) ^ (i >> 5);
      writeSync(file, block);
    }
    closeSync(file);
  }

  #environment(key: string): Record<string, string> {
    return {
      LEDGERCLI_CONFIG: join(this.#folder, `wallet-${key}`),
      LEDGERCLI_RPC: this.#node?.url ?? "",
      LEDGER_PASSWORD: fixturePassword,
    };
  }

  async #wallet(key: string, argv: readonly string[], input?: string): Promise<string> {
    const ran = await ledgercli(argv, {
      folder: this.#folder,
      environment: this.#environment(key),
      ...(input === undefined ? {} : { input }),
    });
    if (ran.exit !== 0) throw new Error(`${argv.join(" ")}\n${ran.err}`);
    return ran.out;
  }

  async #startRelay(terms: (typeof relayTerms)[number]): Promise<Relay> {
    const { key, pricePerMb } = terms;
    const { address } = signerOf(key);
    await this.#wallet(key, ["key", "import", "--private-key-file=-", "--force"], key.repeat(32));
    const flags = [`--price-per-mb=${pricePerMb}`, "--port=0", `--resource=${resource}`];
    const argv = ["pay", "serve", "films", `--address=${address}`, ...flags];
    const options = { folder: this.#folder, environment: this.#environment(key) };
    const relay = launch("ledgercli", argv, options);
    const isReady = (): boolean => {
      if (relay.isEnded()) throw new Error(`${terms.name} ended: ${relay.err()}`);
      return /http:\S+/.test(relay.out());
    };
    await waitFor(`${terms.name} listens`, isReady, 60_000);
    const [base = ""] = /http:\S+/.exec(relay.out()) ?? [];
    return { ...terms, address, process: relay, url: `${base}film.bin` };
  }

  async #openPayer(
    key: string,
    pool: { readonly fund: bigint; readonly collateral: bigint },
    overspend: "never" | "forced",
  ): Promise<{ payer: Opened<Payer>; chain: NodeChain; sequence: bigint }> {
    const signer = signerOf(key);
    const client = this.#needNode().client;
    const chain = await connectChain({ client, signer });
    const folder = join(this.#folder, `wallet-${key}`);
    const payer = await openPayer(folder, { signer, chain: chain.names, overspend });
    const terms = { ...pool, resourceIds: [resource], durationBlocks: 2_000 };
    const opened = await chain.open(terms, (made) => payer.value.addPool(made));
    await payer.value.addPool(opened);
    payer.value.setHeight(await chain.height());
    const { fund, collateral } = pool;
    console.log(`pool ${opened.sequence} of ${signer.address}:`);
    console.log(`  fund ${formatCoins(fund)}, collateral ${formatCoins(collateral)} TFUEL`);
    return { payer, chain, sequence: opened.sequence };
  }

  #needNode(): RunningNode {
    if (this.#node === null) throw new Error("there is no node");
    return this.#node;
  }

  async #openSources(payer: Payer, chain: NodeChain): Promise<readonly Source[]> {
    const sources: Source[] = [];
    for (const { url, weiPerByte } of this.#relays) {
      const parts = {
        url,
        payer,
        chain: chain.names,
        weiPerByteMax: weiPerByte,
        creditBytes: window * chunkBytes,
        timeoutMs: 30_000,
        streaming: { open: openNodeStream, sha256: sha256InPlace, increments: stepsPerChain },
      };
      sources.push(await openSource(parts, { id: sources[0]?.id ?? null, signal: never }));
    }
    return sources;
  }

  async #stream(): Promise<void> {
    const terms = { fund: coin, collateral: 2n * coin };
    const { payer, chain, sequence } = await this.#openPayer("44", terms, "never");
    const sources = await this.#openSources(payer.value, chain);
    const [first] = sources;
    if (first === undefined) throw new Error("no relay");
    const sink = await openPartialFile(join(this.#folder, "copy.bin"), first.manifest);
    const table = new Table(this.#relays, first.manifest.sizeBytes);
    const kills: Promise<unknown>[] = [];
    const reports = await download({
      payer: payer.value,
      sources,
      sink,
      window,
      signal: never,
      onChunk: (source, { bytes, added }) => {
        const at = sources.indexOf(source);
        table.add(at, bytes.length, added);
        if (kills.length > 0 || table.bytes * 5 < first.manifest.sizeBytes * 2) return;
        table.say("relay B is killed");
        kills.push(this.#relays[1]?.process.stop("SIGKILL") ?? Promise.resolve());
      },
    });
    await sink.finish();
    await Promise.all(kills);
    table.end();
    await this.#checkFile(reports);
    await this.#settleAll(payer.value);
    await payer.close();
    await this.#checkPaid({ reports, owner: signerOf("44").address, sequence });
  }

  async #checkFile(reports: readonly SourceReport[]): Promise<void> {
    const size = statSync(join(this.#folder, "copy.bin")).size;
    check(
      size === this.#megabytes * 1_000_000,
      `the file is whole: ${size} bytes, all hashes right`,
    );
    check(reports[1]?.failure !== null, "relay B was lost on the way, the others went on");
  }

  /**
   * The two that run settle when they are stopped. The killed one has on its disk all but the
   * newest few MiB (`unkeptBytesMax`); for those its payer, who is honest, hands it the voucher
   * again.
   */
  async #settleAll(payer: Payer): Promise<void> {
    const [a, b, c] = this.#relays;
    for (const relay of [a, c]) {
      const exit = await relay?.process.stop("SIGINT");
      check(exit === 0, `${relay?.name} settled and stopped`);
    }
    if (b === undefined) return;
    const settle = ["pay", "receive", "settle", `--address=${b.address}`];
    await this.#wallet(b.key, settle);
    check(true, `${b.name} settled from the vouchers on its disk`);
    for (const voucher of payer.newest(b.address))
      await this.#wallet(b.key, [...settle, "--voucher=-"], JSON.stringify(voucherToJson(voucher)));
    check(true, `${b.name} settled what was lost with it, from its payer's hand`);
  }

  async #checkPaid(done: {
    readonly reports: readonly SourceReport[];
    readonly owner: Address;
    readonly sequence: bigint;
  }): Promise<void> {
    let sum = 0n;
    let cost = 0n;
    for (const [at, relay] of this.#relays.entries()) {
      const paid = await this.#paidTo(done, relay.address);
      const bytes = done.reports[at]?.bytes ?? 0;
      const owed = BigInt(bytes) * relay.weiPerByte;
      const chunkCost = BigInt(chunkBytes) * relay.weiPerByte;
      sum += paid;
      // The killed one was paid for chunks that died with its connection: at most the window.
      const lost = done.reports[at]?.lost ?? 0n;
      const isBounded = lost <= (relay.name === "relay B" ? BigInt(window) * chunkCost : 0n);
      cost += owed + lost;
      const more = lost === 0n ? "" : ` and ${lost / chunkCost} chunks that were lost with it`;
      const what = `${bytes} bytes × ${relay.weiPerByte} wei${more}`;
      check(isBounded && paid === owed + lost, `${relay.name} was paid ${paid} wei = ${what}`);
    }
    const pool = await this.#pool(done);
    check(sum === cost && `${sum}` === pool?.used, `together ${sum} wei, all that left the pool`);
  }

  async #paidTo(
    pool: { readonly owner: Address; readonly sequence: bigint },
    receiver: string,
  ): Promise<bigint> {
    const answer = await this.#query("receiver", {
      owner: pool.owner,
      sequence: `${pool.sequence}`,
      receiver,
    });
    return BigInt((answer as { readonly paidTotal: string }).paidTotal);
  }

  async #pool(pool: { readonly owner: Address; readonly sequence: bigint }): Promise<{
    readonly used: string;
    readonly state: string;
    readonly collateral: string;
  } | null> {
    const { owner, sequence } = pool;
    const answer = await this.#query("pool", { owner, sequence: `${sequence}` });
    return answer as { used: string; state: string; collateral: string } | null;
  }

  #query(query: string, parameters: object): Promise<unknown> {
    return this.#needNode().client.call("ledger.query", { module: "reserve", query, parameters });
  }

  async #balance(address: Address): Promise<bigint> {
    const account = await this.#needNode().client.account(address);
    return account?.coins.tfuelWei ?? 0n;
  }

  async #cheat(): Promise<void> {
    const [a, , c] = relayTerms;
    this.#relays = [await this.#startRelay(a), await this.#startRelay(c)];
    const owner = signerOf("55").address;
    const terms = { fund: coin / 100n, collateral: coin / 50n };
    const before = await this.#balance(owner);
    const { payer, chain, sequence } = await this.#openPayer("55", terms, "forced");
    const opened = await this.#balance(owner);
    const sources = await this.#openSources(payer.value, chain);
    const [first] = sources;
    if (first === undefined) throw new Error("no relay");
    const sink = await openPartialFile(join(this.#folder, "stolen.bin"), first.manifest);
    let bytes = 0;
    const refused = await download({
      payer: payer.value,
      sources,
      sink,
      window,
      signal: never,
      onChunk: (_source, chunk) => (bytes += chunk.bytes.length),
    }).then(
      () => null,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    await sink.close();
    const signed = payer.value.pools()[0]?.signed ?? 0n;
    await payer.close();
    check(refused !== null, `the relays stopped after ${bytes} bytes: ${refused?.slice(0, 150)}`);
    check(signed > terms.fund, `it had signed ${signed} wei against a fund of ${terms.fund}`);
    const isSlashed = async (): Promise<boolean> => {
      const pool = await this.#pool({ owner, sequence });
      return pool === null || (pool.state === "condemned" && pool.collateral === "0");
    };
    await waitFor("the pool is condemned", isSlashed, 60_000);
    check(true, "the pool is condemned in the block of the voucher that it could not cover");
    for (const { process: relay } of this.#relays) await relay.stop("SIGINT");
    const after = await this.#balance(owner);
    check(after === opened, "nothing of fund or collateral came back");
    const loss = before - after;
    const least = terms.fund + terms.collateral;
    check(loss >= least, `the cheat lost ${formatCoins(loss)} TFUEL, its collateral with it`);
  }
}

/** Bytes, vouchers and earnings of each relay: redrawn on a terminal, else a line now and then. */
class Table {
  readonly #relays: readonly Relay[];
  readonly #sizeBytes: number;
  readonly #counts: { bytes: number; vouchers: number; wei: bigint }[];
  readonly #startMs = Date.now();
  #drawnMs = 0;
  #lines = 0;
  #note = "";
  bytes = 0;

  constructor(relays: readonly Relay[], sizeBytes: number) {
    this.#relays = relays;
    this.#sizeBytes = sizeBytes;
    this.#counts = relays.map(() => ({ bytes: 0, vouchers: 0, wei: 0n }));
  }

  add(at: number, bytes: number, wei: bigint): void {
    const count = this.#counts[at];
    if (count === undefined) return;
    count.bytes += bytes;
    count.vouchers += 1;
    count.wei += wei;
    this.bytes += bytes;
    const everyMs = process.stdout.isTTY ? 100 : 2_000;
    if (Date.now() - this.#drawnMs >= everyMs) this.#draw();
  }

  say(note: string): void {
    this.#note = note;
    this.#draw();
  }

  end(): void {
    this.#draw();
  }

  #draw(): void {
    this.#drawnMs = Date.now();
    const seconds = Math.max((Date.now() - this.#startMs) / 1_000, 0.001);
    const rate = (this.bytes / 1e6 / seconds).toFixed(1);
    const percent = Math.floor((100 * this.bytes) / this.#sizeBytes);
    const rows = this.#relays.map(({ name, pricePerMb }, at) => {
      const { bytes = 0, vouchers = 0, wei = 0n } = this.#counts[at] ?? {};
      const megabytes = (bytes / 1e6).toFixed(1).padStart(8);
      const earned = formatCoins(wei).slice(0, 12).padStart(12);
      const price = `${pricePerMb.padStart(7)} TFUEL/MB`;
      const signed = `${`${vouchers}`.padStart(6)} payments`;
      return `  ${name}  ${price}  ${megabytes} MB  ${signed}  ${earned} TFUEL`;
    });
    const head = `  ${percent} %, ${rate} MB/s  ${this.#note}`;
    const up = process.stdout.isTTY && this.#lines > 0 ? `\u001b[${this.#lines}A` : "";
    const clear = process.stdout.isTTY ? "\u001b[2K" : "";
    const lines = process.stdout.isTTY ? [head, ...rows] : [head, ...rows, ""];
    process.stdout.write(`${up}${lines.map((line) => `${clear}${line}\n`).join("")}`);
    this.#lines = lines.length;
  }
}

const given = process.argv.find((flag) => flag.startsWith("--megabytes="));
const demo = new Demo({
  isUnattended: process.argv.includes("--yes"),
  megabytes: given === undefined ? 200 : Number(given.split("=")[1]),
});
try {
  await demo.run();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await cleanUp();
}

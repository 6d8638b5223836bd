import { openNodeStream, sha256InPlace } from "../../sdk/pay/byteStream.node.ts";
import { download, describeSourceRefusal, type SourceReport } from "../../sdk/pay/download.ts";
import { openPartialFile, type PartialFile } from "../../sdk/pay/fileSink.node.ts";
import type { Payer } from "../../sdk/pay/payer.ts";
import { openSource, type Source } from "../../sdk/pay/source.ts";
import { formatCoins } from "../../sdk/units.ts";
import type { Action, Flags } from "../commandTree.ts";
import { printDocument, type Context } from "../context.ts";
import { UsageError } from "../failure.ts";
import { addressFlag, amountFlag, integerFlag, requiredFlag } from "../flags.ts";
import { payerOf, paySession, type PaySession } from "./pay.ts";
import { weiPerByte } from "./payServe.ts";

/** Longest wait for one chunk, in ms. */
const chunkMsMax = 30_000;

/** Chunks that are paid for by steps along one hash chain. */
const incrementsPerChain = 256;

/** Most servers of one file. */
const sourcesMax = 16;

/** `pay get URL… -o FILE`: brings a file from one or more servers, paying chunk by chunk. */
export const getCommand: Action = async (context, flags, urls) => {
  const from = addressFlag("--from", requiredFlag("--from", flags.text("from")));
  const output = requiredFlag("--output", flags.text("output"));
  if (urls.length > sourcesMax) throw new UsageError(`more than ${sourcesMax} servers`);
  for (const url of urls)
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
      throw new UsageError(`${url.slice(0, 80)} is not an http URL`);
  const budgetText = flags.text("budget");
  const total = budgetText === undefined ? null : amountFlag("--budget", budgetText, "tfuel");
  const session = await paySession(context, flags, from);
  const payer = await payerOf(context, session, { total });
  try {
    const sources = await openSources(context, flags, { session, payer: payer.value, urls });
    await bring(context, flags, { payer: payer.value, sources, output });
  } finally {
    await payer.close();
  }
};

async function openSources(
  context: Context,
  flags: Flags,
  given: { readonly session: PaySession; readonly payer: Payer; readonly urls: readonly string[] },
): Promise<readonly Source[]> {
  const weiPerByteMax = weiPerByte("--max-price-per-mb", flags.text("maxPricePerMb") ?? "1");
  const creditText = flags.text("creditKb") ?? "4096";
  const credit = integerFlag("--credit-kb", creditText, { min: 1n, max: 1_000_000n });
  const sources: Source[] = [];
  for (const url of given.urls) {
    const parts = {
      url,
      payer: given.payer,
      chain: given.session.chain.names,
      weiPerByteMax,
      creditBytes: Number(credit) * 1_024,
      timeoutMs: chunkMsMax,
      streaming: { open: openNodeStream, sha256: sha256InPlace, increments: incrementsPerChain },
    };
    const id = sources[0]?.id ?? flags.text("id") ?? null;
    sources.push(await openSource(parts, { id, signal: context.signal }));
  }
  return sources;
}

async function bring(
  context: Context,
  flags: Flags,
  given: {
    readonly payer: Payer;
    readonly sources: readonly Source[];
    readonly output: string;
  },
): Promise<void> {
  const { payer, sources, output } = given;
  const [first] = sources;
  if (first === undefined) throw new UsageError("pay get needs a URL");
  const window = integerFlag("--window", flags.text("window") ?? "4", { min: 1n, max: 64n });
  const sink = await openPartialFile(output, first.manifest);
  const bar = new ProgressBar(context, first.manifest.sizeBytes, sink);
  let isWhole = false;
  try {
    const reports = await download({
      payer,
      sources,
      sink,
      window: Number(window),
      signal: context.signal,
      onChunk: (_source, chunk) => bar.add(chunk.bytes.length, chunk.added),
    });
    await sink.finish();
    isWhole = true;
    bar.end();
    printReports(context, { id: first.id, output, reports });
  } finally {
    if (!isWhole) {
      bar.end();
      await sink.close();
    }
  }
}

function printReports(
  context: Context,
  done: {
    readonly id: string;
    readonly output: string;
    readonly reports: readonly SourceReport[];
  },
): void {
  const servers = done.reports.map(({ url, bytes, spent, lost, failure }) => {
    const left = failure === null ? null : describeSourceRefusal(failure);
    return { url, bytes, spent: `${spent}`, lost: `${lost}`, failure: left };
  });
  const spent = done.reports.reduce((sum, report) => sum + report.spent, 0n);
  printDocument(context, { file: done.output, id: done.id, spent: `${spent}`, servers });
}

/** Least time between two drawings, in ms. */
const drawMs = 100;

/** Bytes, money and rate on one line of a terminal; nothing elsewhere. */
class ProgressBar {
  readonly #context: Context;
  readonly #sizeBytes: number;
  readonly #startMs = Date.now();
  readonly #isDrawn = process.stderr.isTTY;
  #bytes: number;
  #brought = 0;
  #spent = 0n;
  #drawnMs = 0;

  constructor(context: Context, sizeBytes: number, sink: PartialFile) {
    this.#context = context;
    this.#sizeBytes = sizeBytes;
    this.#bytes = sink.presentBytes;
    if (this.#bytes > 0) context.warn(`going on: ${this.#bytes} of ${sizeBytes} bytes are here`);
  }

  add(bytes: number, wei: bigint): void {
    this.#bytes += bytes;
    this.#brought += bytes;
    this.#spent += wei;
    if (this.#isDrawn && Date.now() - this.#drawnMs >= drawMs) this.#draw();
  }

  end(): void {
    if (this.#isDrawn) {
      this.#draw();
      process.stderr.write("\n");
      return;
    }
    this.#context.warn(this.#line());
  }

  #draw(): void {
    this.#drawnMs = Date.now();
    process.stderr.write(`\r\u001b[2K${this.#line()}`);
  }

  #line(): string {
    const share = this.#bytes / this.#sizeBytes;
    const width = 24;
    const full = Math.round(share * width);
    const seconds = Math.max((Date.now() - this.#startMs) / 1_000, 0.001);
    const rate = (this.#brought / 1e6 / seconds).toFixed(1);
    const megabytes = (this.#bytes / 1e6).toFixed(1);
    const bar = `${"█".repeat(full)}${"·".repeat(width - full)}`;
    const percent = `${Math.floor(share * 100)} %`.padStart(5);
    return `${bar} ${percent}  ${megabytes} MB  ${formatCoins(this.#spent)} TFUEL  ${rate} MB/s`;
  }
}

import { LedgerClient } from "../sdk/client.ts";
import { waitFor } from "./harness.ts";

/*
 * A client that asks one node all the time, over its restarts too, and holds each answer against
 * those before (row A7): no height goes back, no block or receipt that was shown becomes another
 * one or none, what is final is not ahead of what is newest, and no payment is taken back.
 */

/** Longest time that a node is watched, in milliseconds: its test may take as long. */
export const watchMsMax = 300_000;

const tags = ["finalized", "safe", "latest"] as const;

type Shown = { readonly height: number; readonly hash: string };

/** What one node has shown. */
export class ShownChain {
  readonly #recipient: string;
  readonly #hashes = new Map<number, string>();
  readonly #heights = new Map<string, number>();
  /** Blocks of the transactions that were seen to be in one. */
  readonly #receipts = new Map<string, string>();
  #balance = 0n;
  #looks = 0;
  #client: LedgerClient;
  #isStopped = false;
  readonly #sent: ReadonlySet<string>;
  readonly #watching: Promise<void>;

  /** Begins to look, for the transactions in `sent` too, which may grow. */
  constructor(url: string, sent: ReadonlySet<string>, recipient: string) {
    this.#sent = sent;
    this.#recipient = recipient;
    this.#client = clientOf(url);
    this.#watching = waitFor(
      "the watcher is stopped",
      async () => {
        if (!this.#isStopped) await this.#look();
        return this.#isStopped;
      },
      watchMsMax,
    );
    // Awaited in `stop`; a test that failed before has said more.
    this.#watching.catch(() => undefined);
  }

  /** The node has another address since its restart. */
  moved(url: string): void {
    this.#client = clientOf(url);
  }

  /** Ends it, and throws what it found; gives how often it looked and what it saw. */
  async stop(): Promise<{ readonly looks: number; readonly receipts: number }> {
    this.#isStopped = true;
    await this.#watching;
    return { looks: this.#looks, receipts: this.#receipts.size };
  }

  async #look(): Promise<void> {
    const client = this.#client;
    // In this order each may only be as high as the next.
    const blocks = [];
    for (const tag of tags) blocks.push(await this.#ask(client, "eth_getBlockByNumber", [tag]));
    const balance = await this.#ask(client, "eth_getBalance", [this.#recipient, "latest"]);
    for (const [i, tag] of tags.entries()) this.#checkBlock(tag, blocks[i]);
    this.#checkOrder(blocks);
    if (typeof balance === "string") this.#checkBalance(BigInt(balance));
    for (const hash of this.#sent) {
      const receipt = await this.#ask(client, "eth_getTransactionReceipt", [hash]);
      this.#checkReceipt(hash, receipt);
    }
    this.#looks += 1;
  }

  /** `undefined` when the node does not answer: it is dying, dead or starting. */
  #ask(client: LedgerClient, method: string, params: readonly unknown[]): Promise<unknown> {
    const whole = method === "eth_getBlockByNumber" ? [...params, false] : params;
    return client.call(method, whole).catch(() => undefined);
  }

  #checkBlock(tag: (typeof tags)[number], block: unknown): void {
    if (block === undefined) return;
    const { height, hash } = readBlock(block);
    const highest = this.#heights.get(tag) ?? 0;
    if (height < highest) throw new Error(`${tag} went back from ${highest} to ${height}`);
    const shown = this.#hashes.get(height) ?? hash;
    if (shown !== hash) throw new Error(`block ${height} was ${shown}, and is ${hash}`);
    this.#heights.set(tag, height);
    this.#hashes.set(height, hash);
  }

  #checkOrder(blocks: readonly unknown[]): void {
    const answered = blocks.filter((block) => block !== undefined);
    const heights = answered.map((block) => readBlock(block).height);
    if (heights.some((height, i) => height < (heights[i - 1] ?? 0)))
      throw new Error(`of ${tags.join(", ")} the heights are ${heights.join(", ")}`);
  }

  #checkBalance(balance: bigint): void {
    if (balance < this.#balance) throw new Error(`${balance} after ${this.#balance}`);
    this.#balance = balance;
  }

  #checkReceipt(hash: string, receipt: unknown): void {
    const before = this.#receipts.get(hash);
    if (receipt === undefined || (receipt === null && before === undefined)) return;
    const block =
      typeof receipt === "object" && receipt !== null && "blockHash" in receipt
        ? String(receipt.blockHash)
        : "none";
    if (before !== undefined && before !== block)
      throw new Error(`the receipt of ${hash} was in ${before}, and is in ${block}`);
    this.#receipts.set(hash, block);
  }
}

function clientOf(url: string): LedgerClient {
  return new LedgerClient({ url, timeoutMs: 5_000 });
}

function readBlock(block: unknown): Shown {
  if (
    typeof block !== "object" ||
    block === null ||
    !("number" in block && typeof block.number === "string") ||
    !("hash" in block && typeof block.hash === "string")
  )
    throw new Error(`a block that is none: ${JSON.stringify(block)}`);
  return { height: Number(block.number), hash: block.hash };
}

import { callBatch, callRpc, quantity } from "./rpcClient.ts";
import { pause, type Server } from "./server.ts";

/** A committed block as a client saw it appear. */
export type SeenBlock = {
  readonly height: number;
  readonly transactionCount: number;
  readonly seenAtMs: number;
  /** Transactions in this and all earlier blocks since the start. */
  readonly committed: number;
  /** Empty unless hashes are followed. */
  readonly hashes: readonly string[];
};

/** Blocks asked for in one batch. */
const blocksPerBatch = 50;

/** Follows the committed blocks of a server by polling, as any client could. */
export class Follower {
  readonly #server: Server;
  readonly #options: { readonly pollMs: number; readonly withHashes: boolean };
  readonly #blocks: SeenBlock[] = [];
  readonly #onBlock: (block: SeenBlock) => void;
  #height: number;
  #committed = 0;
  #isStopped = false;
  #loop: Promise<void> = Promise.resolve();

  private constructor(
    server: Server,
    height: number,
    options: {
      readonly pollMs: number;
      readonly withHashes: boolean;
      readonly onBlock: (block: SeenBlock) => void;
    },
  ) {
    this.#server = server;
    this.#height = height;
    this.#options = options;
    this.#onBlock = options.onBlock;
  }

  /** Blocks after the present head are followed. */
  static async start(
    server: Server,
    options: {
      readonly pollMs: number;
      readonly withHashes: boolean;
      readonly onBlock: (block: SeenBlock) => void;
    },
  ): Promise<Follower> {
    const head = await callRpc(server.url, { method: "eth_blockNumber", params: [] });
    const follower = new Follower(server, Number(quantity(head)), options);
    follower.#loop = follower.#run();
    follower.#loop.catch(() => undefined); // `stop` says so.
    return follower;
  }

  get blocks(): readonly SeenBlock[] {
    return this.#blocks;
  }

  get committed(): number {
    return this.#committed;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const before = this.#height;
      await this.#look();
      if (this.#height === before) await pause(this.#options.pollMs);
    }
  }

  async #look(): Promise<void> {
    const head = await callRpc(this.#server.url, { method: "eth_blockNumber", params: [] });
    const seenAtMs = performance.timeOrigin + performance.now();
    const last = Math.min(Number(quantity(head)), this.#height + blocksPerBatch);
    if (last === this.#height) return;
    const heights = Array.from({ length: last - this.#height }, (_, i) => this.#height + 1 + i);
    const { withHashes } = this.#options;
    const results = await callBatch(
      this.#server.url,
      heights.map((height) => {
        const tag = `0x${height.toString(16)}`;
        return withHashes
          ? { method: "eth_getBlockByNumber", params: [tag, false] }
          : { method: "eth_getBlockTransactionCountByNumber", params: [tag] };
      }),
    );
    for (const [i, height] of heights.entries()) {
      const hashes = withHashes ? hashesOf(results[i]) : [];
      const transactionCount = withHashes ? hashes.length : Number(quantity(results[i]));
      this.#committed += transactionCount;
      this.#height = height;
      const committed = this.#committed;
      const block = { height, transactionCount, seenAtMs, committed, hashes };
      this.#blocks.push(block);
      this.#onBlock(block);
    }
  }
}

function hashesOf(block: unknown): readonly string[] {
  if (typeof block !== "object" || block === null || !("transactions" in block)) {
    throw new Error(`not a block: ${JSON.stringify(block)}`);
  }
  return block.transactions as readonly string[];
}

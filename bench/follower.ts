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

/** How a follower looks. */
export type FollowerOptions = {
  /** Between two looks for a new block, where the server does not tell of them. */
  readonly pollMs: number;
  readonly withHashes: boolean;
  /** Whether the server tells of new blocks by WebSocket: neither its time nor ours goes to looks. */
  readonly isTold: boolean;
  readonly onBlock: (block: SeenBlock) => void;
};

/** Where a chain ends, and since when that is known. */
type Head = { readonly height: number; readonly seenAtMs: number };

/** Follows the committed blocks of a server, as any client could. */
export class Follower {
  readonly #server: Server;
  readonly #options: FollowerOptions;
  readonly #blocks: SeenBlock[] = [];
  readonly #onBlock: (block: SeenBlock) => void;
  #height: number;
  #committed = 0;
  #isStopped = false;
  #loop: Promise<void> = Promise.resolve();
  #socket: WebSocket | null = null;
  #told: Head | null = null;
  #onTold: () => void = () => {};

  private constructor(server: Server, height: number, options: FollowerOptions) {
    this.#server = server;
    this.#height = height;
    this.#options = options;
    this.#onBlock = options.onBlock;
  }

  /** Blocks after the present head are followed. */
  static async start(server: Server, options: FollowerOptions): Promise<Follower> {
    const head = await callRpc(server.url, { method: "eth_blockNumber", params: [] });
    const follower = new Follower(server, Number(quantity(head)), options);
    if (options.isTold) await follower.#subscribe();
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
    this.#onTold();
    await this.#loop;
    this.#socket?.close();
  }

  /** Resolves when the server will tell of new blocks. */
  async #subscribe(): Promise<void> {
    const socket = new WebSocket(this.#server.url.replace(/^http/, "ws"));
    this.#socket = socket;
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("error", () => reject(new Error(`no WebSocket at ${socket.url}`)));
      socket.addEventListener("open", () => {
        socket.send(
          JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["newHeads"] }),
        );
      });
      socket.addEventListener("message", ({ data }) => {
        const { id, error, params } = JSON.parse(String(data));
        if (error !== undefined) return reject(new Error(JSON.stringify(error)));
        if (id === 1) return resolve();
        const seenAtMs = performance.timeOrigin + performance.now();
        this.#told = { height: Number(quantity(params.result.number)), seenAtMs };
        this.#onTold();
      });
    });
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const head = this.#socket === null ? await this.#askHead() : this.#told;
      const before = this.#height;
      if (head !== null) await this.#look(head);
      if (this.#height !== before || this.#isStopped) continue;
      if (this.#socket === null) await pause(this.#options.pollMs);
      else if (this.#told === head) await new Promise<void>((told) => (this.#onTold = told));
    }
  }

  async #askHead(): Promise<Head> {
    const head = await callRpc(this.#server.url, { method: "eth_blockNumber", params: [] });
    return { height: Number(quantity(head)), seenAtMs: performance.timeOrigin + performance.now() };
  }

  async #look({ height: head, seenAtMs }: Head): Promise<void> {
    const last = Math.min(head, this.#height + blocksPerBatch);
    if (last <= this.#height) return;
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

import type { Digest } from "../base/brand.ts";
import { printValue } from "../base/print.ts";
import type { BlockHead, FoundLog, NodeApi } from "./api.ts";
import type { RpcLog } from "./dispatch.ts";
import { randomName } from "./filters.ts";
import type { RpcLimits } from "./limits.ts";
import { logJson, type LogTerms } from "./logQuery.ts";
import { ethereumHeaderJson } from "./methods/ethereumBlocks.ts";

/** What a subscription is about. */
export type Topic =
  | { readonly type: "newHeads" }
  | { readonly type: "logs"; readonly terms: LogTerms }
  | { readonly type: "newPendingTransactions" };

/** A client that can be told something unasked: a WebSocket. */
export type Subscriber = {
  /** Sends a text; drops the client if it has too much unread already. */
  send(text: string): void;
};

type Subscription = { readonly subscriber: Subscriber; readonly topic: Topic };

/**
 * Who is to be told what. All that happens is put into JSON once, whatever the number of
 * subscribers, and blocks are told in their order.
 */
export class Subscriptions {
  readonly #node: NodeApi;
  readonly #limits: RpcLimits;
  readonly #log: RpcLog;
  readonly #all = new Map<string, Subscription>();
  readonly #bySubscriber = new Map<Subscriber, Set<string>>();
  readonly #pending = new Set<string>();
  #ends: (() => void)[] = [];
  /** The block that is being told; the next one waits for it. */
  #telling: Promise<void> = Promise.resolve();

  constructor(node: NodeApi, limits: RpcLimits, log: RpcLog) {
    this.#node = node;
    this.#limits = limits;
    this.#log = log;
  }

  get count(): number {
    return this.#all.size;
  }

  start(): void {
    if (this.#ends.length > 0) return;
    this.#ends = [
      this.#node.onCommitted((block) => this.#onCommitted(block)),
      this.#node.onPending((hash) => this.#onPending(hash)),
    ];
  }

  stop(): void {
    for (const end of this.#ends) end();
    this.#ends = [];
  }

  /** The subscription's name, or the limit that has no room for it. */
  add(
    subscriber: Subscriber,
    topic: Topic,
  ): { readonly name: string } | { readonly full: "subscriptionsMax" | "socketSubscriptionsMax" } {
    const own = this.#bySubscriber.get(subscriber) ?? new Set<string>();
    if (own.size >= this.#limits.socketSubscriptionsMax) return { full: "socketSubscriptionsMax" };
    if (this.#all.size >= this.#limits.subscriptionsMax) return { full: "subscriptionsMax" };
    const name = randomName();
    this.#bySubscriber.set(subscriber, own.add(name));
    this.#all.set(name, { subscriber, topic });
    if (topic.type === "newPendingTransactions") this.#pending.add(name);
    return { name };
  }

  /** Whether the subscriber had it. */
  remove(subscriber: Subscriber, name: string): boolean {
    if (this.#bySubscriber.get(subscriber)?.delete(name) !== true) return false;
    this.#pending.delete(name);
    return this.#all.delete(name);
  }

  /** Ends all that a client had. */
  forget(subscriber: Subscriber): void {
    for (const name of this.#bySubscriber.get(subscriber) ?? []) {
      this.#all.delete(name);
      this.#pending.delete(name);
    }
    this.#bySubscriber.delete(subscriber);
  }

  #onPending(hash: Digest): void {
    if (this.#pending.size === 0) return;
    const result = JSON.stringify(hash);
    for (const name of this.#pending) this.#send(name, result);
  }

  #onCommitted(block: BlockHead): void {
    if (this.#all.size === this.#pending.size) return;
    this.#telling = this.#telling.then(
      () => this.#tell(block),
      () => undefined,
    );
  }

  async #tell(block: BlockHead): Promise<void> {
    try {
      this.#tellHead(block);
      await this.#tellLogs(block);
    } catch (error) {
      const { height } = block.header;
      this.#log.error("a block was not told to subscribers", { height, error: printValue(error) });
    }
  }

  #tellHead(block: BlockHead): void {
    let text: string | null = null;
    for (const [name, { topic }] of this.#all) {
      if (topic.type !== "newHeads") continue;
      text ??= JSON.stringify(ethereumHeaderJson(block));
      this.#send(name, text);
    }
  }

  async #tellLogs({ header: { height } }: BlockHead): Promise<void> {
    const isWanted = [...this.#all.values()].some(({ topic }) => topic.type === "logs");
    if (!isWanted) return;
    const span = { from: height, to: height, addresses: [], topics: [] };
    // A block's gas bounds its logs.
    const found = await this.#node.logs(span, {
      logsMax: Number.MAX_SAFE_INTEGER,
      receiptsMax: Number.MAX_SAFE_INTEGER,
    });
    if (!found.ok) return;
    const texts = new Map<FoundLog, string>();
    const textOf = (log: FoundLog): string => {
      const text = texts.get(log) ?? JSON.stringify(logJson(log));
      texts.set(log, text);
      return text;
    };
    for (const [name, { topic }] of this.#all) {
      if (topic.type !== "logs") continue;
      for (const log of found.value) {
        if (isLogWanted(log.log, topic.terms)) this.#send(name, textOf(log));
      }
    }
  }

  #send(name: string, result: string): void {
    const params = `{"subscription":"${name}","result":${result}}`;
    const text = `{"jsonrpc":"2.0","method":"eth_subscription","params":${params}}`;
    this.#all.get(name)?.subscriber.send(text);
  }
}

/** Whether a log fits: each restricted place accepts what the log has there. */
export function isLogWanted({ address, topics }: FoundLog["log"], terms: LogTerms): boolean {
  if (terms.addresses.length > 0 && !terms.addresses.includes(address)) return false;
  return terms.topics.every((accepted, i) => {
    const topic = topics[i];
    // A filter of three places wants logs with three topics, whatever they are.
    return topic !== undefined && (accepted.length === 0 || accepted.includes(topic));
  });
}

import type { Address, Digest } from "../base/brand.ts";
import { textToDigestOrNull } from "../base/bytes.ts";
import type { Coins } from "../ledger/thetaTypes.ts";
import { ProtocolError, RpcError, TimeoutError } from "./errors.ts";
import { Transport, type CallOptions, type TransportOptions } from "./transport.ts";

/** An account at a committed height. */
export type AccountInfo = {
  readonly address: Address;
  /**
   * Theta sequence: how many sequenced transactions it has signed; the next one carries this + 1.
   */
  readonly sequence: bigint;
  readonly coins: Coins;
};

/** Where the node stands. */
export type StatusInfo = {
  /** The chain's text name, part of Theta sign bytes. */
  readonly chain: string;
  readonly height: number;
  readonly hash: Digest;
  readonly genesisHash: Digest;
  readonly syncing: boolean;
};

/** What became of a transaction; `finalized` is Theta's word for committed. */
export type TransactionInfo = {
  readonly status: "not_found" | "pending" | "finalized" | "abandoned";
  readonly height: number | null;
  readonly blockHash: Digest | null;
  /** Why execution failed; `null` if it succeeded or has not happened. */
  readonly failure: string | null;
  /** The node's whole answer. */
  readonly answer: JsonObject;
};

/** A broadcast that the node took; `answer` is the node's own JSON. */
export type Broadcast = { readonly hash: Digest; readonly answer: JsonObject };

/** A JSON object whose fields were not looked at yet. */
export type JsonObject = { readonly [name: string]: unknown };

/** Between two looks at a transaction that is waited for. */
const pollMs = 200;

/** How long `waitCommitted` waits unless told otherwise. */
const waitMsDefault = 60_000;

/** How much longer than the node's own 60 s a waiting broadcast is given. */
const broadcastTimeoutMs = 65_000;

/** A node over JSON-RPC, with `theta.*` names for what is asked and bigints for amounts. */
export class LedgerClient {
  readonly #transport: Transport;

  constructor(options: TransportOptions) {
    this.#transport = new Transport(options);
  }

  /** Any method; the result as the node sent it. */
  call(method: string, params?: unknown, options?: CallOptions): Promise<unknown> {
    return this.#transport.call(method, params, options);
  }

  async status(options?: CallOptions): Promise<StatusInfo> {
    const status = readObject(await this.call("theta.GetStatus", {}, options), "theta.GetStatus");
    return {
      chain: readText(status, "chain_id"),
      height: readCount(status, "latest_finalized_block_height"),
      hash: readDigest(status, "latest_finalized_block_hash"),
      genesisHash: readDigest(status, "genesis_hash"),
      syncing: status["syncing"] === true,
    };
  }

  /**
   * `null` if the account does not exist. `pending`: as it will be after the pending transactions.
   */
  async account(
    address: Address,
    options: CallOptions & { readonly pending?: true } = {},
  ): Promise<AccountInfo | null> {
    let answer: unknown;
    try {
      const preview = options.pending === true;
      answer = await this.call("theta.GetAccount", { address, preview }, options);
    } catch (error) {
      if (error instanceof RpcError && isAccountMissing(error)) return null;
      throw error;
    }
    const account = readObject(answer, "theta.GetAccount");
    const coins = readObject(account["coins"], "coins");
    return {
      address,
      sequence: readBigInt(account, "sequence"),
      coins: { thetaWei: readBigInt(coins, "thetawei"), tfuelWei: readBigInt(coins, "tfuelwei") },
    };
  }

  /** The sequence that the account's next transaction must carry, pending ones counted. */
  async nextSequence(address: Address, options?: CallOptions): Promise<bigint> {
    const account = await this.account(address, { ...options, pending: true });
    return (account?.sequence ?? 0n) + 1n;
  }

  /**
   * A fee in TFuelWei for a native transaction of at most `gas`: twice what the next block asks, so
   * that it holds while the base fee rises for five full blocks.
   */
  async suggestedFee(gas: bigint, options?: CallOptions): Promise<bigint> {
    const price = await this.call("eth_gasPrice", [], options);
    if (typeof price !== "string" || !/^0x[0-9a-f]{1,64}$/i.test(price))
      throw new ProtocolError("the answer to eth_gasPrice is not a number");
    return BigInt(price) * gas * 2n;
  }

  async transaction(hash: Digest, options?: CallOptions): Promise<TransactionInfo> {
    const what = "theta.GetTransaction";
    const answer = readObject(await this.call(what, { hash }, options), what);
    const status = readText(answer, "status");
    if (
      status !== "not_found" &&
      status !== "pending" &&
      status !== "finalized" &&
      status !== "abandoned"
    )
      throw new ProtocolError(`${what} answered the unknown status ${status.slice(0, 40)}`);
    const committed = status === "finalized";
    return {
      status,
      height: committed ? readCount(answer, "block_height") : null,
      blockHash: committed ? readDigest(answer, "block_hash") : null,
      failure: failureOf(answer["receipt"]),
      answer,
    };
  }

  /** Hands in a native transaction. `committed` waits for its block (at most the node's 60 s). */
  broadcast(
    raw: string,
    until: "accepted" | "committed",
    options: CallOptions = {},
  ): Promise<Broadcast> {
    return this.#broadcast("theta.BroadcastRawTransaction", raw, until, options);
  }

  /** Hands in an Ethereum transaction. */
  broadcastEthereum(
    raw: string,
    until: "accepted" | "committed",
    options: CallOptions = {},
  ): Promise<Broadcast> {
    return this.#broadcast("theta.BroadcastRawEthTransaction", raw, until, options);
  }

  /**
   * Looks again and again until the transaction is committed or abandoned; `TimeoutError` names the
   * hash.
   */
  async waitCommitted(hash: Digest, options: CallOptions = {}): Promise<TransactionInfo> {
    const timeoutMs = options.timeoutMs ?? waitMsDefault;
    const deadline = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const found = await this.transaction(hash, signalOnly(options));
      if (found.status === "finalized" || found.status === "abandoned") return found;
      options.signal?.throwIfAborted();
      if (deadline.aborted) {
        const hint = `ledgercli query tx --hash=${hash}`;
        throw new TimeoutError(`transaction ${hash} is ${found.status}`, timeoutMs, hint);
      }
      await pause(pollMs, options.signal);
    }
  }

  async #broadcast(
    method: string,
    raw: string,
    until: "accepted" | "committed",
    options: CallOptions,
  ): Promise<Broadcast> {
    const name = until === "accepted" ? `${method}Async` : method;
    const timeoutMs = options.timeoutMs ?? broadcastTimeoutMs;
    const answer = readObject(
      await this.call(name, { tx_bytes: raw }, { ...options, timeoutMs }),
      name,
    );
    return { hash: readDigest(answer, "hash"), answer };
  }
}

function signalOnly(options: CallOptions): CallOptions {
  return options.signal === undefined ? {} : { signal: options.signal };
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

function isAccountMissing(error: RpcError): boolean {
  return error.code === "E_ACCOUNT_NOT_FOUND" || /account.*not found/i.test(error.message);
}

function failureOf(receipt: unknown): string | null {
  if (typeof receipt !== "object" || receipt === null) return null;
  if (!("EvmErr" in receipt) || typeof receipt.EvmErr !== "string") return null;
  return receipt.EvmErr === "" ? null : receipt.EvmErr;
}

function readObject(value: unknown, what: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ProtocolError(`${what} is not an object`);
  return value as JsonObject;
}

function readText(object: JsonObject, name: string): string {
  const value = object[name];
  if (typeof value !== "string") throw new ProtocolError(`the answer lacks ${name}`);
  return value;
}

function readBigInt(object: JsonObject, name: string): bigint {
  const value = object[name];
  if (typeof value === "string" && /^(\d{1,100}|0x[0-9a-f]{1,64})$/i.test(value))
    return BigInt(value);
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  throw new ProtocolError(`the answer's ${name} is not a whole number`);
}

function readCount(object: JsonObject, name: string): number {
  const value = Number(readBigInt(object, name));
  if (!Number.isSafeInteger(value)) throw new ProtocolError(`the answer's ${name} is out of range`);
  return value;
}

function readDigest(object: JsonObject, name: string): Digest {
  const digest = textToDigestOrNull(readText(object, name));
  if (digest === null) throw new ProtocolError(`the answer's ${name} is not a hash of 32 bytes`);
  return digest;
}

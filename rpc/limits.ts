import { requestBytesMax } from "../base/limits.ts";

/** Every bound of the server. A request beyond one is refused with the limit's name and value. */
export type RpcLimits = {
  /** Body of one request. */
  readonly bodyBytesMax: number;
  /** Bodies being read at one time, all connections together. */
  readonly bodyBytesInFlightMax: number;
  /** What is read and thrown away of a refused body, so that its sender can read the answer. */
  readonly drainBytesMax: number;
  /** Depth of brackets in a body. */
  readonly nestingMax: number;
  /** Calls in one batch. */
  readonly batchCallsMax: number;
  /** Answer to one request, a batch together, in UTF-16 units of JSON text. */
  readonly responseSizeMax: number;
  /** Answers not yet taken by their clients, all connections together, in UTF-16 units. */
  readonly responseSizeInFlightMax: number;
  /** HTTP requests being answered at one time. */
  readonly requestsInFlightMax: number;
  /** Calls that wait for a commit at one time. */
  readonly waitersMax: number;
  /** Calls of methods that read many blocks, at one time; more wait in line. */
  readonly heavyCallsMax: number;
  /** Heavy calls waiting in line; more are refused. */
  readonly heavyQueueMax: number;
  /** Submitted transactions whose answer is not there yet. */
  readonly submissionsInFlightMax: number;
  /** Submissions handed to the node in one call. */
  readonly submitGroupMax: number;
  /** Longest time for one HTTP request's answer. */
  readonly callTimeoutMs: number;
  /** How long a broadcast waits for its block (theta.md 8.2). */
  readonly broadcastTimeoutMs: number;
  readonly connectionsMax: number;
  /** Headers of one request. */
  readonly headerBytesMax: number;
  readonly headersTimeoutMs: number;
  /** Whole request, its body included. */
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** Blocks of one GetBlocksByRange (theta.md 8.2). */
  readonly blocksByRangeMax: number;
  /** Blocks of one eth_feeHistory. */
  readonly feeHistoryBlocksMax: number;
  /** Gas of one simulated message. */
  readonly callGasMax: bigint;
  /** Logs in one answer. */
  readonly logsMax: number;
  /** Receipts that one search for logs looks into. */
  readonly logReceiptsMax: number;
  /** Filters that clients poll, all together. */
  readonly filtersMax: number;
  /** Addresses and topics in all filters together. */
  readonly filterTermsMax: number;
  /** How long a filter is kept for a client that does not poll it. */
  readonly filterIdleMs: number;
  /** Hashes of blocks in one answer to a poll. */
  readonly filterBlocksMax: number;
  /** WebSockets at one time; below `connectionsMax`, so that they leave room for calls. */
  readonly webSocketsMax: number;
  /** Messages of one WebSocket being answered; it is read no further meanwhile. */
  readonly socketRequestsMax: number;
  /** Fragments of one message. */
  readonly socketFragmentsMax: number;
  /** What a client has not read yet; it is dropped beyond. */
  readonly socketUnreadBytesMax: number;
  /** Subscriptions of one WebSocket. */
  readonly socketSubscriptionsMax: number;
  /** Subscriptions of all WebSockets together. */
  readonly subscriptionsMax: number;
  /** Hashes in one GetPendingTransactions. */
  readonly pendingHashesMax: number;
  /** URLs in one GetPeerURLs (theta.md 8.2). */
  readonly peersMax: number;
  /** Part of the heap, in per cent, above which calls are refused: consensus needs the rest. */
  readonly heapUsedPercentMax: number;
};

const mebibyte = 1_024 * 1_024;

/** What holds unless the configuration says otherwise. */
export const rpcLimitsDefault: RpcLimits = {
  bodyBytesMax: requestBytesMax,
  bodyBytesInFlightMax: 64 * mebibyte,
  drainBytesMax: 256 * mebibyte,
  nestingMax: 64,
  batchCallsMax: 1_000,
  responseSizeMax: 32 * mebibyte,
  responseSizeInFlightMax: 128 * mebibyte,
  requestsInFlightMax: 4_096,
  waitersMax: 2_000,
  heavyCallsMax: 4,
  heavyQueueMax: 256,
  submissionsInFlightMax: 16_384,
  submitGroupMax: 1_024,
  callTimeoutMs: 65_000,
  broadcastTimeoutMs: 60_000,
  connectionsMax: 1_000,
  headerBytesMax: 16 * 1_024,
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 30_000,
  blocksByRangeMax: 5_000,
  feeHistoryBlocksMax: 1_024,
  callGasMax: 50_000_000n,
  logsMax: 10_000,
  logReceiptsMax: 200_000,
  filtersMax: 4_096,
  filterTermsMax: 200_000,
  filterIdleMs: 300_000,
  filterBlocksMax: 10_000,
  webSocketsMax: 500,
  socketRequestsMax: 128,
  socketFragmentsMax: 1_024,
  socketUnreadBytesMax: 16 * mebibyte,
  socketSubscriptionsMax: 128,
  subscriptionsMax: 10_000,
  pendingHashesMax: 100_000,
  peersMax: 256,
  heapUsedPercentMax: 90,
};

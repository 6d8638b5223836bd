import type { Address, Digest } from "../base/brand.ts";
import { bytesToHex } from "../base/bytes.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import type { FoundLog, LogFilter, LogRefusal, NodeApi } from "./api.ts";
import { errorCodes, type RpcError } from "./errors.ts";
import { isJsonObject, memberOf, type JsonValue } from "./json.ts";
import type { RpcLimits } from "./limits.ts";
import { heightOf } from "./methods/ethereumTags.ts";
import { toQuantity } from "./numbers.ts";
import {
  blockTag,
  ethereumAddress,
  ethereumDigest,
  type BlockTag,
  type Parameter,
} from "./parameters.ts";

// What eth_getLogs, log filters and log subscriptions have in common: the filter object, and logs in
// Ethereum's JSON.

/** Addresses in one filter, and choices at one topic's place, at most: go-ethereum's bounds. */
const termsMax = 1_000;
const topicPlacesMax = 4;

/** Which logs are wanted, wherever they are. */
export type LogTerms = Pick<LogFilter, "addresses" | "topics">;

/** A filter object; absent ends of the range are `null`. */
export type LogQuery = LogTerms & {
  readonly from: BlockTag | null;
  readonly to: BlockTag | null;
  readonly blockHash: Digest | null;
};

function readSome<T>(
  value: unknown,
  read: (item: unknown) => Outcome<T, string>,
): Outcome<readonly T[], string> {
  if (value === undefined || value === null) return accept([]);
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length > termsMax) return refuse(`has ${list.length} items, at most ${termsMax} fit`);
  const items: T[] = [];
  for (const item of list) {
    const outcome = read(item);
    if (!outcome.ok) return outcome;
    items.push(outcome.value);
  }
  return accept(items);
}

function readTopics(value: unknown): Outcome<readonly (readonly Digest[])[], string> {
  if (value === undefined || value === null) return accept([]);
  if (!Array.isArray(value)) return refuse("topics wants an array");
  const list: readonly unknown[] = value;
  if (list.length > topicPlacesMax) return refuse(`topics has more than ${topicPlacesMax} places`);
  const places: (readonly Digest[])[] = [];
  for (const place of list) {
    // A choice that allows anything is no choice.
    const isAny = Array.isArray(place) && place.includes(null);
    const read = isAny ? accept<readonly Digest[]>([]) : readSome(place, ethereumDigest.read);
    if (!read.ok) return refuse(`topics ${read.refusal}`);
    places.push(read.value);
  }
  return accept(places);
}

function readTag(value: unknown): Outcome<BlockTag | null, string> {
  return value === undefined || value === null ? accept(null) : blockTag.read(value);
}

function readLogQuery(value: unknown): Outcome<LogQuery, string> {
  if (!isJsonObject(value)) return refuse("wants a filter object");
  const from = readTag(memberOf(value, "fromBlock"));
  if (!from.ok) return refuse(`fromBlock ${from.refusal}`);
  const to = readTag(memberOf(value, "toBlock"));
  if (!to.ok) return refuse(`toBlock ${to.refusal}`);
  const hash = memberOf(value, "blockHash");
  const blockHash =
    hash === undefined || hash === null ? accept<Digest | null>(null) : ethereumDigest.read(hash);
  if (!blockHash.ok) return refuse(`blockHash ${blockHash.refusal}`);
  if (blockHash.value !== null && (from.value !== null || to.value !== null)) {
    return refuse("has both blockHash and fromBlock or toBlock");
  }
  const addresses = readSome<Address>(memberOf(value, "address"), ethereumAddress.read);
  if (!addresses.ok) return refuse(`address ${addresses.refusal}`);
  const topics = readTopics(memberOf(value, "topics"));
  if (!topics.ok) return topics;
  return accept({
    from: from.value,
    to: to.value,
    blockHash: blockHash.value,
    addresses: addresses.value,
    topics: topics.value,
  });
}

/** A filter object: fromBlock, toBlock or blockHash, address, topics. */
export const logQuery: Parameter<LogQuery> = {
  schema: { type: "object", description: "fromBlock, toBlock or blockHash, address, topics" },
  optional: false,
  read: readLogQuery,
};

/** The heights that a query is about. */
export async function spanOf(
  node: NodeApi,
  query: LogQuery,
): Promise<Outcome<{ readonly from: number; readonly to: number }, RpcError>> {
  const head = node.head().header.height;
  if (query.blockHash !== null) {
    const block = await node.blockByHash(query.blockHash);
    if (block === null) return refuse({ code: errorCodes.server, message: "unknown block" });
    const { height } = block.header;
    return accept({ from: height, to: height });
  }
  const from = query.from === null ? head : await heightOf(node, query.from);
  const to = query.to === null ? head : await heightOf(node, query.to);
  if (from === null || to === null || from > head || to > head) {
    const message = "block range extends beyond current head block";
    return refuse({ code: errorCodes.invalidParams, message, data: { head: toQuantity(head) } });
  }
  if (from > to) {
    return refuse({ code: errorCodes.invalidParams, message: "invalid block range params" });
  }
  return accept({ from, to });
}

/** Logs of a span, in JSON; a search that is too large is refused with the range that would do. */
export async function findLogs(
  node: NodeApi,
  limits: RpcLimits,
  filter: LogFilter,
): Promise<Outcome<readonly JsonValue[], RpcError>> {
  const { logsMax, logReceiptsMax: receiptsMax } = limits;
  const found = await node.logs(filter, { logsMax, receiptsMax });
  return found.ok ? accept(found.value.map(logJson)) : refuse(tooMany(found.refusal, filter));
}

function tooMany({ code, max, height }: LogRefusal, { from }: LogFilter): RpcError {
  const limit = code === "logsMax" ? "logsMax" : "logReceiptsMax";
  const range = [toQuantity(from), toQuantity(Math.max(from, height - 1))];
  const what = code === "logsMax" ? "returned more than" : "looked into more than";
  const unit = code === "logsMax" ? "results" : "receipts";
  return {
    code: errorCodes.limitExceeded,
    message:
      `query ${what} ${max} ${unit} (limit ${limit}). ` +
      `Try with this block range [${range.join(", ")}].`,
    data: { limit, max, fromBlock: range[0] ?? "", toBlock: range[1] ?? "" },
  };
}

/** A log as Ethereum shows it. */
export function logJson(found: FoundLog): JsonValue {
  const { log, block } = found;
  return {
    address: log.address,
    topics: log.topics,
    data: bytesToHex(log.data),
    blockNumber: toQuantity(block.header.height),
    blockHash: block.hash,
    blockTimestamp: toQuantity(Math.floor(block.header.timestampMs / 1_000)),
    transactionHash: found.transactionHash,
    transactionIndex: toQuantity(found.transactionIndex),
    logIndex: toQuantity(found.index),
    removed: false,
  };
}

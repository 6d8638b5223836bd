import { accept, refuse } from "../../base/outcome.ts";
import type { Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import type { Answer, RpcError } from "../errors.ts";
import { limitExceeded, serverError } from "../errors.ts";
import type { Filter } from "../filters.ts";
import type { JsonValue } from "../json.ts";
import { findLogs, logQuery, spanOf, type LogQuery } from "../logQuery.ts";
import type { MethodHost } from "../methodHost.ts";
import { shortText } from "../parameters.ts";
import { heightOf } from "./ethereumTags.ts";

const style = "array";

/** In go-ethereum's words, by which tools know that they have to make a new one. */
const filterMissing: RpcError = serverError("filter not found");

function getLogs({ node, limits }: MethodHost): Method {
  return method({
    name: "eth_getLogs",
    summary:
      "Logs of committed blocks that fit a filter, found by an index of addresses and topics.",
    style,
    heavy: true,
    parameters: { filter: logQuery },
    call: async ({ filter }): Promise<Answer> => {
      const span = await spanOf(node, filter);
      if (!span.ok) return span;
      const { addresses, topics } = filter;
      return findLogs(node, limits, { addresses, topics, ...span.value });
    },
  });
}

function created({ filters, limits }: MethodHost, filter: Filter): Answer {
  const added = filters.add(filter);
  if ("name" in added) return accept(added.name);
  return refuse(limitExceeded(added.full, limits[added.full], null));
}

async function logFilterOf({ node }: MethodHost, query: LogQuery): Promise<Filter | null> {
  const { addresses, topics } = query;
  const head = node.head().header.height;
  const span = query.blockHash === null ? null : await spanOf(node, query);
  if (span !== null) {
    if (!span.ok) return null;
    return { type: "logs", terms: { addresses, topics }, ...span.value, next: head + 1 };
  }
  const from = query.from === null ? head + 1 : await heightOf(node, query.from);
  // An end by name moves with the chain.
  const isNamed = query.to === null || query.to.type === "tag";
  const to = isNamed || query.to === null ? null : await heightOf(node, query.to);
  return { type: "logs", terms: { addresses, topics }, from: from ?? head + 1, to, next: head + 1 };
}

function creators(host: MethodHost): readonly Method[] {
  const { node, pendingFeed } = host;
  return [
    method({
      name: "eth_newFilter",
      summary: "A filter for logs, to be polled with eth_getFilterChanges.",
      style,
      parameters: { filter: logQuery },
      call: async ({ filter: query }): Promise<Answer> => {
        const filter = await logFilterOf(host, query);
        return filter === null ? refuse(serverError("unknown block")) : created(host, filter);
      },
    }),
    method({
      name: "eth_newBlockFilter",
      summary: "A filter for hashes of new blocks.",
      style,
      parameters: {},
      call: () => created(host, { type: "blocks", next: node.head().header.height + 1 }),
    }),
    method({
      name: "eth_newPendingTransactionFilter",
      summary: "A filter for hashes of transactions that become pending.",
      style,
      parameters: {},
      call: () => created(host, { type: "pending", next: pendingFeed.next }),
    }),
    method({
      name: "eth_uninstallFilter",
      summary: "Ends a filter; whether there was one.",
      style,
      parameters: { filter: shortText },
      call: ({ filter }) => accept(host.filters.remove(filter)),
    }),
  ];
}

/** What happened since the client last asked; its place moves on at once, so none is told twice. */
async function changesOf(host: MethodHost, filter: Filter): Promise<Answer> {
  const { node, limits, pendingFeed } = host;
  const from = filter.next;
  const head = node.head().header.height;
  switch (filter.type) {
    case "pending": {
      const hashes = pendingFeed.since(from);
      filter.next = pendingFeed.next;
      return accept(hashes);
    }
    case "blocks": {
      const to = Math.min(head, from + limits.filterBlocksMax - 1);
      filter.next = to + 1;
      const hashes: JsonValue[] = [];
      for (let height = from; height <= to; height += 1) {
        const block = await node.headAtHeight(height);
        if (block !== null) hashes.push(block.hash);
      }
      return accept(hashes);
    }
    case "logs": {
      const first = Math.max(from, filter.from);
      const to = Math.min(head, filter.to ?? head);
      filter.next = head + 1;
      if (first > to) return accept([]);
      const found = await findLogs(node, limits, { ...filter.terms, from: first, to });
      if (!found.ok) filter.next = from;
      return found;
    }
  }
}

function pollers(host: MethodHost): readonly Method[] {
  const { node, limits, filters } = host;
  return [
    method({
      name: "eth_getFilterChanges",
      summary: "What a filter found since it was last asked.",
      style,
      parameters: { filter: shortText },
      call: ({ filter: name }): Answer | Promise<Answer> => {
        const filter = filters.get(name);
        return filter === null ? refuse(filterMissing) : changesOf(host, filter);
      },
    }),
    method({
      name: "eth_getFilterLogs",
      summary: "All logs that a filter for logs is about.",
      style,
      heavy: true,
      parameters: { filter: shortText },
      call: async ({ filter: name }): Promise<Answer> => {
        const filter = filters.get(name);
        if (filter?.type !== "logs") return refuse(filterMissing);
        const head = node.head().header.height;
        const to = Math.min(head, filter.to ?? head);
        if (filter.from > to) return accept([]);
        return findLogs(node, limits, { ...filter.terms, from: filter.from, to });
      },
    }),
  ];
}

/** Logs, and filters that clients poll. */
export function ethereumLogMethods(host: MethodHost): readonly Method[] {
  return [getLogs(host), ...creators(host), ...pollers(host)];
}

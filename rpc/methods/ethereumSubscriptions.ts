import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import type { CallContext, Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import type { Answer, RpcError } from "../errors.ts";
import { errorCodes, invalidParams, limitExceeded } from "../errors.ts";
import { shortened } from "../json.ts";
import { logQuery } from "../logQuery.ts";
import type { MethodHost } from "../methodHost.ts";
import { anything, shortText } from "../parameters.ts";
import type { Topic } from "../subscriptions.ts";

/** As go-ethereum says it to who calls over HTTP. */
const socketNeeded: RpcError = {
  code: errorCodes.methodNotFound,
  message: "notifications not supported: connect by WebSocket",
};

function topicOf(kind: string, options: unknown): Outcome<Topic, string> {
  switch (kind) {
    case "newHeads":
      return accept({ type: "newHeads" });
    case "newPendingTransactions":
      // Whole transactions would be `true` here: a name is what every client can use.
      return options === undefined || options === null || options === false
        ? accept({ type: "newPendingTransactions" })
        : refuse("newPendingTransactions tells hashes only");
    case "logs": {
      const query = logQuery.read(options ?? {});
      if (!query.ok) return query;
      const { addresses, topics } = query.value;
      return accept({ type: "logs", terms: { addresses, topics } });
    }
    default:
      return refuse(`there is no subscription to ${shortened(kind, 40)}`);
  }
}

/** Subscriptions of WebSocket clients. */
export function ethereumSubscriptionMethods(host: MethodHost): readonly Method[] {
  const { subscriptions, limits } = host;
  const style = "array";
  return [
    method({
      name: "eth_subscribe",
      summary: "Tells newHeads, logs or newPendingTransactions as they happen; WebSocket only.",
      style,
      parameters: { kind: shortText, options: anything },
      call: ({ kind, options }, { subscriber }: CallContext): Answer => {
        if (subscriber === null) return refuse(socketNeeded);
        const topic = topicOf(kind, options);
        if (!topic.ok) return refuse(invalidParams(`eth_subscribe: ${topic.refusal}`));
        const added = subscriptions.add(subscriber, topic.value);
        if ("name" in added) return accept(added.name);
        return refuse(limitExceeded(added.full, limits[added.full], null));
      },
    }),
    method({
      name: "eth_unsubscribe",
      summary: "Ends a subscription; whether there was one.",
      style,
      parameters: { subscription: shortText },
      call: ({ subscription }, { subscriber }: CallContext): Answer => {
        if (subscriber === null) return refuse(socketNeeded);
        return accept(subscriptions.remove(subscriber, subscription));
      },
    }),
  ];
}

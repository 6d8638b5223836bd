import type { Address } from "../../base/brand.ts";
import { accept } from "../../base/outcome.ts";
import { checksumAddress } from "../../crypto/address.ts";
import type { Transaction } from "../../ledger/transaction.ts";
import type { Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import type { JsonValue } from "../json.ts";
import type { MethodHost } from "../methodHost.ts";
import { toQuantity } from "../numbers.ts";
import { ethereumAddress } from "../parameters.ts";
import { ethereumTransactionJson } from "./ethereumBlocks.ts";

/** Pending transactions that one answer shows. */
const shownMax = 10_000;

/** Transactions of one account by nonce: those that could go next, and those behind a gap. */
type Queues = {
  readonly pending: Map<string, Transaction>;
  readonly queued: Map<string, Transaction>;
};

/** Sorts what waits by account, and by whether a lower nonce is missing. */
function queuesOf({ node }: MethodHost): ReadonlyMap<Address, Queues> {
  const byPayer = new Map<Address, Transaction[]>();
  for (const transaction of node.pendingTransactions(shownMax)) {
    const { payer } = transaction;
    byPayer.set(payer, [...(byPayer.get(payer) ?? []), transaction]);
  }
  const state = node.state();
  return new Map(
    [...byPayer].map(([payer, transactions]) => {
      const queues: Queues = { pending: new Map(), queued: new Map() };
      let next = state.account(payer)?.nonce ?? 0n;
      const ordered = transactions
        .map((transaction) => ({ transaction, nonce: nonceOf(transaction) }))
        .toSorted((a, b) => (a.nonce < b.nonce ? -1 : 1));
      for (const { transaction, nonce } of ordered) {
        const isNext = nonce <= next;
        if (nonce === next) next += 1n;
        queues[isNext ? "pending" : "queued"].set(`${nonce}`, transaction);
      }
      return [payer, queues];
    }),
  );
}

/** A Theta sequence is a nonce + 1; a transaction without one waits for nothing. */
function nonceOf(transaction: Transaction): bigint {
  const sequence = transaction.signers[0]?.sequence ?? null;
  return sequence === null || sequence === 0n ? 0n : sequence - 1n;
}

function contentJson(queues: ReadonlyMap<string, Transaction>): JsonValue {
  return Object.fromEntries(
    [...queues].map(([nonce, transaction]) => [
      nonce,
      ethereumTransactionJson(transaction, null, null),
    ]),
  );
}

function summary(transaction: Transaction): string {
  const { to, value, gas, gasPrice } = ethereumTransactionJson(transaction, null, null);
  const target = typeof to === "string" ? to : "contract creation";
  const [wei, units, price] = [value, gas, gasPrice].map((text) =>
    typeof text === "string" ? BigInt(text) : 0n,
  );
  return `${target}: ${wei} wei + ${units} gas × ${price} wei`;
}

function summaryJson(queues: ReadonlyMap<string, Transaction>): JsonValue {
  return Object.fromEntries([...queues].map(([nonce, one]) => [nonce, summary(one)]));
}

function byAccount(
  queues: ReadonlyMap<Address, Queues>,
  kind: keyof Queues,
  show: (queue: ReadonlyMap<string, Transaction>) => JsonValue,
): JsonValue {
  return Object.fromEntries(
    [...queues]
      .filter(([, own]) => own[kind].size > 0)
      .map(([payer, own]) => [checksumAddress(payer), show(own[kind])]),
  );
}

/** What waits for a block, as go-ethereum shows it. */
export function txpoolMethods(host: MethodHost): readonly Method[] {
  const style = "array";
  const parameters = {};
  const shown = (show: (queue: ReadonlyMap<string, Transaction>) => JsonValue) => () => {
    const queues = queuesOf(host);
    return accept({
      pending: byAccount(queues, "pending", show),
      queued: byAccount(queues, "queued", show),
    });
  };
  return [
    method({
      name: "txpool_status",
      summary: "How many transactions wait, and how many of them behind a gap.",
      style,
      parameters,
      call: () => {
        let pending = 0;
        let queued = 0;
        for (const queues of queuesOf(host).values()) {
          pending += queues.pending.size;
          queued += queues.queued.size;
        }
        return accept({ pending: toQuantity(pending), queued: toQuantity(queued) });
      },
    }),
    method({
      name: "txpool_content",
      summary: "Transactions that wait, by account and nonce.",
      style,
      parameters,
      heavy: true,
      call: shown(contentJson),
    }),
    method({
      name: "txpool_inspect",
      summary: "The same, one line each.",
      style,
      parameters,
      heavy: true,
      call: shown(summaryJson),
    }),
    method({
      name: "txpool_contentFrom",
      summary: "Transactions of one account that wait, by nonce.",
      style,
      parameters: { address: ethereumAddress },
      call: ({ address }) => {
        const own = queuesOf(host).get(address);
        return accept({
          pending: contentJson(own?.pending ?? new Map()),
          queued: contentJson(own?.queued ?? new Map()),
        });
      },
    }),
  ];
}

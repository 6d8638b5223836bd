import fc from "fast-check";
import { expect, test } from "vitest";
import type { Digest, Verified } from "../../base/brand.ts";
import type { StateChanges } from "../../ledger/state.ts";
import type { Coins } from "../../ledger/thetaTypes.ts";
import type { Transaction } from "../../ledger/transaction.ts";
import { emptyRoot } from "../../store/account.ts";
import { MemoryKeyValue } from "../../store/memory.ts";
import { openStateTree, type StateTree } from "../../store/stateTree.ts";
import { genesisState } from "../../ledger/genesis.ts";
import { addressOf, inputOf, LedgerNetwork, transferOf } from "../fakes/ledgerNetwork.ts";
import { MemoryState } from "../fakes/memoryState.ts";

// Whatever is tried, in whatever order: coins are conserved, counters equal a recount (both are
// invariants that the network checks after each block), sequences and failures follow their rules,
// and the tree of the store gives the executor the same answers as maps in memory do.

const names = ["ann", "ben", "cas", "dee"];
const name = fc.constantFrom(...names);
const amount = fc.oneof(fc.bigInt(0n, 50n), fc.bigInt(0n, 3_000n));

type Attempt = {
  readonly kind: "send" | "transfer" | "deposit" | "withdraw" | "split";
  readonly from: string;
  readonly to: string;
  readonly theta: bigint;
  readonly tfuel: bigint;
  readonly skew: number;
};

const attempt: fc.Arbitrary<Attempt> = fc.record({
  kind: fc.constantFrom("send", "send", "transfer", "deposit", "withdraw", "split"),
  from: name,
  to: name,
  theta: amount,
  tfuel: amount,
  skew: fc.constantFrom(0, 0, 0, 0, 1, -1),
});

const none: Coins = { thetaWei: 0n, tfuelWei: 0n };

function transactionOf(
  network: LedgerNetwork,
  given: Attempt,
  sequence: bigint,
): Verified<Transaction> {
  const { from, to, theta, tfuel } = given;
  const fee = { thetaWei: 0n, tfuelWei: 2n };
  const signers = [{ address: addressOf(from), sequence }];
  const holder = { address: addressOf(to), coins: none };
  switch (given.kind) {
    case "send": {
      const coins = { thetaWei: theta, tfuelWei: tfuel };
      const inputs = [inputOf(from, { thetaWei: theta, tfuelWei: tfuel + 2n }, sequence)];
      const outputs = [{ address: addressOf(to), coins }];
      return network.theta({ type: "send", fee, inputs, outputs }, signers);
    }
    case "transfer":
      return network.ethereum(
        from,
        transferOf({
          nonce: sequence - 1n,
          to: addressOf(to),
          value: tfuel,
          maxFeePerGas: 2n,
          maxPriorityFeePerGas: 1n,
        }),
      );
    case "deposit": {
      const source = inputOf(from, { thetaWei: theta, tfuelWei: 0n }, sequence);
      return network.theta({ type: "depositStake", fee, source, holder, purpose: 0 }, signers);
    }
    case "withdraw": {
      const source = inputOf(from, none, sequence);
      return network.theta({ type: "withdrawStake", fee, source, holder, purpose: 0 }, signers);
    }
    case "split": {
      const rule = {
        beneficiary: holder,
        splitBasisPoint: tfuel,
        holder: inputOf(from, none, sequence),
      };
      return network.theta({ type: "stakeRewardDistribution", fee, ...rule }, signers);
    }
  }
}

function networkOf(): LedgerNetwork {
  const coins = { thetaWei: 2_000n, tfuelWei: 100_000n };
  return new LedgerNetwork({
    balances: names.map((entry) => [entry, coins]),
    stakes: [
      ["ann", "ben", 500n],
      ["cas", "dee", 300n],
    ],
    parameters: new Map([
      ["reward.tfuelWeiPerBlock", 77n],
      ["reward.intervalBlocks", 3n],
    ]),
  });
}

/** A plain form that compares deeply and shows what differs. */
function plain(changes: StateChanges): unknown {
  return MemoryState.empty().apply(changes).dump();
}

class Shadow {
  readonly #tree: StateTree;
  root: Digest;

  private constructor(tree: StateTree, root: Digest) {
    this.#tree = tree;
    this.root = root;
  }

  static async of(network: LedgerNetwork): Promise<Shadow> {
    const tree = await openStateTree(new MemoryKeyValue(), { retention: { type: "archive" } });
    const reader = tree.reader(emptyRoot);
    const { changes } = genesisState(network.genesis, network.registry, reader);
    return new Shadow(tree, tree.apply(emptyRoot, changes));
  }

  /** Executes on the store's tree and demands the same outcome. */
  async follow(
    network: LedgerNetwork,
    transactions: readonly Verified<Transaction>[],
    expected: Awaited<ReturnType<LedgerNetwork["execute"]>>,
    block: ReturnType<LedgerNetwork["next"]>,
  ): Promise<void> {
    const reader = this.#tree.reader(this.root);
    const outcome = await network.executor.executeBlock({
      reader,
      block,
      transactions,
      evidence: [],
    });
    if (!outcome.ok || !expected.ok) {
      expect(outcome).toEqual(expected);
      return;
    }
    expect(plain(outcome.value.changes)).toEqual(plain(expected.value.changes));
    expect(outcome.value.receipts).toEqual(expected.value.receipts);
    this.root = this.#tree.apply(this.root, outcome.value.changes);
  }
}

test("row X5: coins are conserved and failures leave only fee and sequence", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(attempt, { maxLength: 4 }), { maxLength: 12 }),
      async (blocks) => {
        const network = networkOf();
        const shadow = await Shadow.of(network);
        for (const attempts of blocks) {
          const sequences = new Map(names.map((entry) => [entry, network.nonceOf(entry)]));
          const transactions = attempts.map((given) => {
            const sequence = (sequences.get(given.from) ?? 0n) + 1n;
            if (given.skew === 0) sequences.set(given.from, sequence);
            return transactionOf(network, given, sequence + BigInt(given.skew));
          });
          const block = network.next();
          const input = { reader: network.state, block, candidates: transactions };
          const built = await network.executor.buildBlock({
            ...input,
            transactionsMax: 100,
            evidence: [],
          });
          const before = network.state;
          const outcome = await network.execute(built.included);
          // What a proposer builds, every validator accepts, with the same result.
          expect(outcome.ok && plain(outcome.value.changes)).toEqual(plain(built.result.changes));
          await shadow.follow(network, built.included, outcome, block);
          for (const { refusal } of built.dropped) {
            expect(["sequenceTooHigh", "sequenceTooLow", "balanceTooLow"]).toContain(refusal.code);
          }
          for (const entry of names) {
            const address = addressOf(entry);
            const sent = built.included.filter(({ payer }) => payer === address).length;
            const nonce = before.account(address)?.nonce ?? 0n;
            expect(network.nonceOf(entry)).toBe(nonce + BigInt(sent));
          }
        }
      },
    ),
    { numRuns: 40 },
  );
});

test("transfers that do not meet commute: any order gives the same state", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 }),
      async (order) => {
        const people = order.map((_, i) => `p${i}`);
        const make = (): LedgerNetwork =>
          new LedgerNetwork({
            balances: people.map((entry) => [entry, { thetaWei: 10n, tfuelWei: 100_000n }]),
          });
        const run = async (indexes: readonly number[]): Promise<Digest> => {
          const network = make();
          const transactions = people.map((from, i) =>
            transactionOf(
              network,
              {
                kind: i % 2 === 0 ? "send" : "transfer",
                from,
                to: `q${i % 3}`,
                theta: 3n,
                tfuel: BigInt(i),
                skew: 0,
              },
              1n,
            ),
          );
          const ordered = indexes.flatMap((index) => transactions[index] ?? []);
          expect((await network.execute(ordered)).ok).toBe(true);
          return network.state.root;
        };
        expect(await run(order)).toBe(await run([0, 1, 2, 3, 4, 5, 6, 7]));
      },
    ),
    { numRuns: 20 },
  );
});

test("row E12: no order of insertion reaches the root", async () => {
  const network = networkOf();
  const { changes } = genesisState(network.genesis, network.registry, MemoryState.empty());
  const tree = await openStateTree(new MemoryKeyValue(), { retention: { type: "archive" } });
  const expected = tree.apply(emptyRoot, changes);
  const turned = <K, V>(map: ReadonlyMap<K, V>): ReadonlyMap<K, V> => new Map([...map].reverse());
  const modules = new Map(
    [...turned(changes.modules)].map(([key, values]) => [key, turned(values)]),
  );
  expect(tree.apply(emptyRoot, { ...changes, accounts: turned(changes.accounts), modules })).toBe(
    expected,
  );
});

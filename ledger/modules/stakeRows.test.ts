import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assert } from "../../base/assert.ts";
import { addressOf, inputOf, LedgerNetwork } from "../../test/fakes/ledgerNetwork.ts";
import { checkTable } from "../../test/fakes/ledgerTable.ts";

/*
 * Rows X6 and X7 of the fault matrix: rewards to the wei, and stakes that always come back.
 */

describe("X6: rewards are shared to the wei", () => {
  test("X6: where the beneficiary is the holder, and the holder its own source", async () => {
    await checkTable(`
      set reward.tfuelWeiPerBlock 100
      stakes hugo hugo 100
      stakes alice hugo 200
      account hugo tfuel 100
      split hugo hugo 1000    -> ok       # pays 2 of its 100
      blocks 9                -> ok
      tfuel hugo              -> 498      # 334 of its own stake, and a tenth of alice's 666: 66
      tfuel alice             -> 600
    `);
  });

  test("X6: where nothing is to be shared, and where nobody is left to share it", async () => {
    await checkTable(`
      set reward.tfuelWeiPerBlock 0
      stakes alice hugo 100
      blocks 20               -> ok
      tfuel alice             -> 0
    `);
    await checkTable(`
      set reward.tfuelWeiPerBlock 7
      stakes alice hugo 100
      account alice tfuel 2
      withdraw alice hugo     -> ok
      blocks 20               -> ok
      tfuel alice             -> 0
      tfuel hugo              -> 0
    `);
  });
});

const sources = ["ann", "ben", "cas"] as const;
const holders = ["ann", "hugo", "ida"] as const;
const funds = 5_000n;

/** What somebody tries with a stake; amounts may be too much, and holders wrong. */
type Attempt = {
  readonly kind: "deposit" | "withdraw";
  readonly source: (typeof sources)[number];
  readonly holder: (typeof holders)[number];
  readonly amount: bigint;
  /** Blocks before it, up to beyond the end of an epoch and the return of a stake. */
  readonly after: number;
};

const attempts: fc.Arbitrary<readonly Attempt[]> = fc.array(
  fc.record({
    kind: fc.constantFrom("deposit", "withdraw"),
    source: fc.constantFrom(...sources),
    holder: fc.constantFrom(...holders),
    amount: fc.oneof(fc.bigInt(90n, 400n), fc.bigInt(0n, 2n * funds)),
    after: fc.oneof(fc.constantFrom(4, 5, 6, 8, 9, 10), fc.nat({ max: 11 })),
  }),
  { maxLength: 14 },
);

const noCoins = { thetaWei: 0n, tfuelWei: 0n };
const fee = { thetaWei: 0n, tfuelWei: 2n };

async function attempt(network: LedgerNetwork, { kind, source, holder, amount }: Attempt) {
  const sequence = network.nonceOf(source) + 1n;
  const coins = kind === "deposit" ? { thetaWei: amount, tfuelWei: 0n } : noCoins;
  const parts = {
    fee,
    source: inputOf(source, coins, sequence),
    holder: { address: addressOf(holder), coins: noCoins },
    purpose: 0,
  };
  const type = kind === "deposit" ? "depositStake" : "withdrawStake";
  const signers = [{ address: addressOf(source), sequence }];
  const outcome = await network.execute([network.theta({ type, ...parts }, signers)]);
  return outcome.ok && outcome.value.receipts[0]?.failure === "";
}

async function pass(network: LedgerNetwork, blocks: number): Promise<void> {
  for (let i = 0; i < blocks; i += 1) expect((await network.execute([])).ok).toBe(true);
}

/** A stake as it must be. */
type Stake = { amount: bigint; height: number | null; timeMs: number };

/**
 * Goal: coins come back exactly when height and time have come, once, to their source; and at the
 * end nothing is locked. Method: a model of one line per rule, beside the real chain.
 */
test("X7: stakes come back when they are due, whatever is tried at whatever height", async () => {
  await fc.assert(
    fc.asyncProperty(attempts, async (tries) => {
      const network = new LedgerNetwork({
        balances: sources.map((name) => [name, { thetaWei: funds, tfuelWei: 10_000n }]),
      });
      const stakes = new Map<string, Stake>();
      const check = (): void => {
        const { height, timestampMs } = network.head;
        for (const [name, stake] of stakes) {
          const isDue = stake.height !== null && stake.height <= height;
          if (isDue && stake.timeMs <= timestampMs) stakes.delete(name);
        }
        for (const source of sources) {
          const own = [...stakes].filter(([name]) => name.startsWith(`${source} `));
          const held = own.reduce((sum, [, { amount }]) => sum + amount, 0n);
          const query = { address: addressOf(source) };
          expect(network.query("bank", "balance", query)).toMatchObject({
            thetawei: `${funds - held}`,
          });
        }
      };
      const step = async (one: Attempt): Promise<void> => {
        for (let i = 0; i < one.after; i += 1) {
          await pass(network, 1);
          check();
        }
        const name = `${one.source} ${one.holder}`;
        const before = stakes.get(name) ?? null;
        const done = await attempt(network, one);
        const { height, timestampMs: atMs } = network.head;
        if (done && one.kind === "deposit") {
          assert(before === null || before.height === null, "none that is being returned grows");
          const amount = (before?.amount ?? 0n) + one.amount;
          stakes.set(name, { amount, height: null, timeMs: 0 });
        } else if (done) {
          const amount = before?.amount ?? -1n;
          stakes.set(name, { amount, height: height + 5, timeMs: atMs + 8_000 });
        }
        check();
      };
      for (const one of tries) await step(one);
      for (const source of sources) {
        for (const holder of holders) {
          await step({ kind: "withdraw", source, holder, amount: 0n, after: 0 });
        }
      }
      await pass(network, 12);
      check();
      expect(stakes.size).toBe(0);
    }),
    { numRuns: 25 },
  );
}, 60_000);

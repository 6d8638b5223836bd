import { expect, test } from "vitest";
import { addressOf, LedgerNetwork, transferOf } from "../test/fakes/ledgerNetwork.ts";
import { misfitsMax } from "./execute.ts";
import { Mempool, mempoolLimits, strikesMax } from "./mempool.ts";
import type { AccountReader } from "./module.ts";

// A pool full of what was good when it came and is not any more: a mempool and an executor, block
// after block, as in a node, with senders whose coins are gone.

const senders = Array.from({ length: 2_500 }, (_, i) => `drained ${i}`);

/** Transactions of each of them. */
const each = 4;

const rich = { thetaWei: 0n, tfuelWei: 10n ** 9n };

function accountsOf({ state }: LedgerNetwork): AccountReader {
  return { get: (address) => state.account(address) };
}

test("N2: 10,000 of drained senders cost each block a bounded time, and go soon", async () => {
  const before = new LedgerNetwork({
    balances: [...senders, "honest"].map((name) => [name, rich] as const),
  });
  const after = new LedgerNetwork({ balances: [["honest", rich]] });
  const pool = new Mempool({ limits: mempoolLimits, height: 0 });
  const to = addressOf("anybody");
  const admission = before.executor.admission(before.state, before.next());
  const add = (name: string, nonce: bigint, maxFeePerGas: bigint): void => {
    const transfer = transferOf({ nonce, to, value: 1n, maxFeePerGas });
    const transaction = before.ethereum(name, transfer);
    const admitted = admission.check(transaction);
    if (!admitted.ok) throw new Error(admitted.refusal.code);
    const candidate = { ...admitted.value, transaction, origin: "remote" } as const;
    expect(pool.add(candidate, accountsOf(before)).ok).toBe(true);
  };
  for (const name of senders) for (let i = 0; i < each; i += 1) add(name, BigInt(i), 1_000n);
  add("honest", 0n, 10n);
  let tried = 0;
  let blocks = 0;
  let sentAt = 0;
  while (pool.size > 0) {
    blocks += 1;
    const context = after.next();
    const built = await after.executor.buildBlock({
      reader: after.state,
      block: context,
      candidates: pool.select({ baseFee: context.baseFee, uncommitted: [] }),
      transactionsMax: 10_000,
      evidence: [],
    });
    const misfits = built.dropped.filter(({ refusal }) => refusal.code !== "sequenceTooHigh");
    expect(misfits.length).toBeLessThanOrEqual(misfitsMax + 1);
    tried += misfits.length;
    pool.onDropped(built.dropped);
    if (built.included.length > 0) sentAt = blocks;
    expect((await after.execute(built.included)).ok).toBe(true);
    pool.onCommitted({ height: blocks, transactions: built.included }, accountsOf(after));
    // What is left of a sender waits for a sequence that will not come: it is only looked at.
    if (misfits.length === 0) break;
  }
  console.log(`${tried} tries in ${blocks} blocks; the honest one went with block ${sentAt}`);
  expect(tried).toBe(strikesMax * senders.length);
  expect(blocks).toBeLessThanOrEqual(Math.ceil(tried / misfitsMax) + 1);
  expect(sentAt).toBeGreaterThan(0);
});

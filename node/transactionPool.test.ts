import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bytesToHex } from "../base/bytes.ts";
import { RecoverPool } from "../crypto/recoverPool.node.ts";
import { addressOf as addressOfKey, signDigest } from "../crypto/secp256k1.ts";
import { emptyAccount } from "../ledger/accounts.ts";
import { encodedForm } from "../ledger/decode.ts";
import { Mempool, mempoolLimits } from "../ledger/mempool.ts";
import { signThetaTransaction } from "../ledger/sign.ts";
import type { Submission } from "../rpc/api.ts";
import { addressOf, LedgerNetwork } from "../test/fakes/ledgerNetwork.ts";
import { NodeMetrics } from "./metrics.ts";
import { TransactionJournal } from "./transactionJournal.ts";
import { TransactionPool } from "./transactionPool.ts";

/*
 * Goal: what was accepted over RPC is in the journal before it is answered, and comes back from
 * there whatever the fees and the order of the records are by then.
 */

const privateKey = new Uint8Array(32).fill(0x42);
const sender = addressOfKey(privateKey);
const network = new LedgerNetwork({ balances: [] });

/** A state in which `sender` has this much. */
function stateWith(coins: bigint): typeof network.state {
  return network.state.apply({
    accounts: new Map([[sender, { ...emptyAccount, balance: coins }]]),
    storage: new Map(),
    storageCleared: new Set(),
    code: new Map(),
    modules: new Map(),
  });
}

/** A send of one TFuelWei; the fee is for two units of gas. */
function sendOf(sequence: bigint, fee = 20n): Submission {
  const coins = { thetaWei: 0n, tfuelWei: 1n + fee };
  const signature = new Uint8Array(0);
  const raw = signThetaTransaction(
    {
      type: "send",
      fee: { thetaWei: 0n, tfuelWei: fee },
      inputs: [{ address: sender, coins, sequence, signature }],
      outputs: [{ address: addressOf("bob"), coins: { thetaWei: 0n, tfuelWei: 1n } }],
    },
    network.genesis.chain.name,
    [{ address: sender, sign: (digest) => signDigest(digest, privateKey) }],
  );
  return { envelope: "native", raw };
}

const recordOf = ({ envelope, raw }: Submission): Uint8Array => encodedForm(envelope, raw);

describe("transaction pool", () => {
  let folder = "";
  let journals: TransactionJournal[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ledger-pool-"));
    journals = [];
  });
  afterEach(async () => {
    for (const journal of journals) await journal.close();
    rmSync(folder, { recursive: true });
  });

  async function open(facts: { readonly baseFee: bigint; readonly coins?: bigint }) {
    const state = stateWith(facts.coins ?? 10n ** 12n);
    const block = { ...network.next(), baseFee: facts.baseFee };
    const { journal, payloads } = await TransactionJournal.open(
      join(folder, "journal"),
      (error) => {
        throw error;
      },
    );
    journals.push(journal);
    const pool = new TransactionPool({
      chain: network.genesis.chain,
      mempool: new Mempool({ limits: mempoolLimits, height: 0 }),
      recoverPool: new RecoverPool({ threads: 0 }),
      journal,
      view: {
        admission: () => network.executor.admission(state, block),
        accounts: () => ({ get: (address) => state.account(address) }),
        isCommitted: () => false,
      },
      metrics: new NodeMetrics(),
      onChange: () => {},
      onPending: () => undefined,
      onAbandoned: () => {},
    });
    return { pool, payloads };
  }

  it("restores what waits for a lower base fee", async () => {
    const before = await open({ baseFee: 1n });
    const [accepted] = await before.pool.submit([sendOf(1n)], "local");
    expect(accepted?.ok).toBe(true);
    const risen = await open({ baseFee: 1_000n });
    expect(await risen.pool.restore(risen.payloads)).toBe(1);
    const fallen = await open({ baseFee: 1n });
    expect(await fallen.pool.restore(fallen.payloads)).toBe(1);
  });

  it("restores sequences in whatever order the journal has them", async () => {
    const count = mempoolLimits.sequenceGapMax + 40;
    const sends = Array.from({ length: count }, (_, i) => sendOf(BigInt(i + 1)));
    const before = await open({ baseFee: 1n });
    for (const outcome of await before.pool.submit(sends, "local")) expect(outcome.ok).toBe(true);
    // Replaced, the first one is the last that came.
    const [replaced] = await before.pool.submit([sendOf(1n, 30n)], "local");
    expect(replaced?.ok).toBe(true);
    const second = await open({ baseFee: 1n });
    await second.pool.restore(second.payloads);
    expect(second.pool.size).toBe(count);
    const third = await open({ baseFee: 1n });
    expect(await third.pool.restore(third.payloads)).toBe(count);
  });

  it("keeps nothing of the list that it restored from", async () => {
    const before = await open({ baseFee: 1n });
    await before.pool.submit([sendOf(1n), sendOf(2n)], "local");
    const after = await open({ baseFee: 1n });
    expect(after.payloads).toHaveLength(2);
    expect(await after.pool.restore(after.payloads)).toBe(2);
    expect(after.payloads).toEqual([]);
  });

  it("says of a record that it cannot take up again why", async () => {
    const before = await open({ baseFee: 1n });
    const [accepted] = await before.pool.submit([sendOf(1n)], "local");
    const poor = await open({ baseFee: 1n, coins: 5n });
    expect(await poor.pool.restore(poor.payloads)).toBe(0);
    const hash = accepted?.ok === true ? accepted.value.hash : null;
    expect(hash === null ? null : poor.pool.abandonedReason(hash)).toBe("balanceTooLow");
  });

  it("answers a twin of a transaction no sooner than that is in the journal", async () => {
    const { pool } = await open({ baseFee: 1n });
    const send = sendOf(1n);
    const first = pool.submit([send], "local");
    const [twin] = await pool.submit([send], "local");
    expect(twin?.ok === true && twin.value.state).toBe("pending");
    const written = bytesToHex(new Uint8Array(readFileSync(join(folder, "journal"))));
    expect(written).toContain(bytesToHex(recordOf(send)).slice(2));
    await first;
  });

  it("promises what came from elsewhere first to whoever submits it here", async () => {
    const { pool } = await open({ baseFee: 1n });
    const send = sendOf(1n);
    await pool.submit([send], "remote");
    expect(readFileSync(join(folder, "journal")).length).toBe(0);
    const [twin] = await pool.submit([send], "local");
    expect(twin?.ok === true && twin.value.state).toBe("pending");
    const restarted = await open({ baseFee: 1n });
    expect(await restarted.pool.restore(restarted.payloads)).toBe(1);
  });
});

import { expect, test } from "vitest";
import { addressOf, inputOf, LedgerNetwork, smallFee } from "../../test/fakes/ledgerNetwork.ts";
import { checkTable } from "../../test/fakes/ledgerTable.ts";
import type { Coins, ThetaTransaction } from "../thetaTypes.ts";

test("a send moves both coins and burns its fee", async () => {
  await checkTable(`
    account alice theta 100 tfuel 50
    send  alice bob theta 30 tfuel 20   -> ok
    theta alice                         -> 70
    tfuel alice                         -> 28
    theta bob                           -> 30
    tfuel bob                           -> 20
    nonce alice                         -> 1
    nonce bob                           -> 0
    send  alice bob theta 71            -> failed balanceTooLow
    tfuel alice                         -> 26      # the fee of a failed one is charged
    nonce alice                         -> 2       # and so is its sequence
    send  alice bob theta 70            -> ok
    theta alice                         -> 0
    send  alice alice tfuel 1           -> failed accountRepeated
  `);
});

test("rows by precedence: each is refused for exactly one reason", async () => {
  await checkTable(`
    account alice theta 100 tfuel 50
    send alice bob tfuel 1 fee 1 feeTheta 1 sequence 7 -> invalid feeTooLow
    send alice bob tfuel 99 feeTheta 1 sequence 7      -> invalid sequenceTooHigh
    send alice bob tfuel 99 feeTheta 1 sequence 0      -> invalid sequenceTooLow
    send carol bob fee 2                               -> invalid balanceTooLow
    send alice bob tfuel 99 feeTheta 1                 -> invalid feeInTheta
    send alice bob tfuel 49                            -> failed balanceTooLow
    nonce alice                                        -> 1
    tfuel alice                                        -> 48
    send alice bob tfuel 46                            -> ok
    tfuel alice                                        -> 0
  `);
});

test("an Ethereum transfer burns the base fee and tips the proposer", async () => {
  await checkTable(`
    account alice tfuel 1000000
    eth   alice bob tfuel 5                   -> ok
    tfuel alice                               -> 978995
    tfuel bob                                 -> 5
    eth   alice bob price 3 tip 1             -> ok
    tfuel alice                               -> 936995
    tfuel proposer                            -> 21000
    eth   alice bob gas 30000                 -> ok      # what is not used comes back
    tfuel alice                               -> 915995
    eth   alice bob gas 20999                 -> invalid gasLimitTooLow
    eth   alice bob price 0                   -> invalid feeTooLow
    eth   alice bob price 1 tip 2             -> invalid tipAboveFee
    eth   alice bob tfuel 900000              -> invalid balanceTooLow
    eth   alice new                           -> invalid gasLimitTooLow
    eth   alice new gas 60000                 -> ok      # a contract without code
    eth   alice bob gas 16777217              -> invalid gasLimitTooHigh
    nonce alice                               -> 4
  `);
});

test("row X5: a send of several inputs is done whole or not at all", async () => {
  const network = new LedgerNetwork({
    balances: [
      ["alice", { thetaWei: 10n, tfuelWei: 10n }],
      ["bob", { thetaWei: 5n, tfuelWei: 100n }],
    ],
  });
  const send = (
    alice: Coins,
    bob: Coins,
    out: Coins,
    sequence: bigint,
  ): ReturnType<LedgerNetwork["theta"]> => {
    const body: ThetaTransaction = {
      type: "send",
      fee: { thetaWei: 0n, tfuelWei: 3n },
      inputs: [inputOf("alice", alice, sequence), inputOf("bob", bob, sequence)],
      outputs: [{ address: addressOf("carol"), coins: out }],
    };
    return network.theta(body, [
      { address: addressOf("alice"), sequence },
      { address: addressOf("bob"), sequence },
    ]);
  };
  const theta = (thetaWei: bigint): Coins => ({ thetaWei, tfuelWei: 0n });
  // Bob gives the fee; Alice, who is asked for it, gets it back.
  const done = await network.execute([
    send(theta(10n), { thetaWei: 5n, tfuelWei: 3n }, theta(15n), 1n),
  ]);
  expect(done.ok && done.value.receipts[0]?.status).toBe(1);
  expect(network.query("bank", "balance", { address: addressOf("alice") })).toEqual({
    thetawei: "0",
    tfuelwei: "10",
  });
  const failed = await network.execute([
    send({ thetaWei: 0n, tfuelWei: 3n }, theta(6n), theta(6n), 2n),
  ]);
  expect(failed.ok && failed.value.receipts[0]?.failure).toBe("balanceTooLow");
  // Both sequences are used, the fee is Alice's, and nothing moved.
  expect([network.nonceOf("alice"), network.nonceOf("bob")]).toEqual([2n, 2n]);
  expect(network.query("bank", "balance", { address: addressOf("alice") })).toEqual({
    thetawei: "0",
    tfuelwei: "7",
  });
});

test("what a send cannot be whatever the state is", async () => {
  const network = new LedgerNetwork({ balances: [["alice", { thetaWei: 0n, tfuelWei: 10_000n }]] });
  const outcomes: string[] = [];
  const bodies: Pick<Extract<ThetaTransaction, { type: "send" }>, "inputs" | "outputs">[] = [
    { inputs: [inputOf("alice", smallFee, 1n)], outputs: [] },
    {
      inputs: [inputOf("alice", smallFee, 2n)],
      outputs: [{ address: addressOf("bob"), coins: smallFee }],
    },
    {
      inputs: [inputOf("alice", smallFee, 3n)],
      outputs: Array.from({ length: 512 }, (_, i) => ({
        address: addressOf(`bob ${i}`),
        coins: { thetaWei: 0n, tfuelWei: 0n },
      })),
    },
  ];
  for (const [i, body] of bodies.entries()) {
    const fee = i === 2 ? { thetaWei: 0n, tfuelWei: 513n } : smallFee;
    const signers = [{ address: addressOf("alice"), sequence: BigInt(i + 1) }];
    const outcome = await network.execute([network.theta({ type: "send", fee, ...body }, signers)]);
    outcomes.push(outcome.ok ? (outcome.value.receipts[0]?.failure ?? "") : "invalid");
  }
  expect(outcomes).toEqual(["inputsMissing", "amountsUnequal", "accountsTooMany"]);
});

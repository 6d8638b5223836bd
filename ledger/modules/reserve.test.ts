import { describe, expect, test } from "vitest";
import { addressOf } from "../../test/fakes/ledgerNetwork.ts";
import { checkTable } from "../../test/fakes/ledgerTable.ts";

/*
 * Theta's behaviours of pools (theta.md 3.10 and 11.12), row by row. Where a row differs from
 * Theta's, the line says why. One unit is the minimum fee, 2.
 */

const people = `
  account alice tfuel 10000
  account bob   tfuel 3000
  account carol tfuel 3000
`;
const opened = `
  reserve alice fund 1000 collateral 1001 duration 300 for rid001  -> ok
`;

describe("the worked example (theta.md 3.10; 11.12 row 10)", () => {
  test("payments add up; amounts grow within a sequence, and start again in the next", async () => {
    await checkTable(`
      ${people} ${opened}
      tfuel alice                           -> 7997
      # 10 and 50 of sequence 1 were signed before; only 80 is settled.
      pay alice bob 80 seq 1 for rid001     -> ok
      pool alice 1                          -> 80 of 1000, 1001, open
      tfuel bob                             -> 3078
      pay alice bob 50 seq 2 for rid001     -> ok
      pool alice 1                          -> 130 of 1000, 1001, open
      tfuel bob                             -> 3126
      pay alice carol 120 seq 3 for rid001  -> ok
      pool alice 1                          -> 250 of 1000, 1001, open
      tfuel carol                           -> 3118
    `);
  });

  test("an overspend condemns the pool, and is paid in part", async () => {
    // In Theta nothing happens, as a success: the receiver pays a fee for nothing, again and
    // again, and the payer gets all back.
    await checkTable(`
      ${people} ${opened}
      pay alice bob 250 seq 1 for rid001    -> ok
      burned                                -> 4
      pay alice carol 2000 seq 4 for rid001 -> ok
      tfuel carol                           -> 3750     # what was left, and no fee
      burned                                -> 1005     # the collateral: the fee is part of it
      pool alice 1                          -> none
      tfuel alice                           -> 7997
      blocks 306                           -> ok
      tfuel alice                           -> 7997     # never seen again
    `);
  });

  test("a payment after the end is refused, and is in no block (Theta: 103001)", async () => {
    await checkTable(`
      ${people} ${opened}
      blocks 306                          -> ok
      pay alice bob 80 seq 1 for rid001     -> invalid poolUnknown
      tfuel alice                           -> 9998
    `);
  });

  test("with a split rule (11.12 row 11)", async () => {
    await checkTable(`
      ${people}
      account dora tfuel 10
      reserve alice fund 1000 collateral 1001 for rid001      -> ok
      rule dora for rid001 carol:30                           -> ok
      pay alice bob 1000 for rid001                           -> ok
      tfuel bob                                               -> 3698
      tfuel carol                                             -> 3300
    `);
  });

  test("shares of the payer, twice, and of nothing (11.12 rows 12 and 13)", async () => {
    await checkTable(`
      ${people}
      account dora tfuel 10
      reserve alice fund 1500 collateral 1501 for rid001        -> ok
      tfuel alice                                               -> 6997
      rule dora for rid001 alice:5 bob:5 bob:5 carol:0 zoe:0    -> ok
      pay alice carol 1000 for rid001                           -> ok
      tfuel alice                                               -> 7047
      tfuel bob                                                 -> 3100
      tfuel carol                                               -> 3848
      pay alice carol 1019 for rid001                           -> ok    # 19 more: floors
      tfuel alice                                               -> 7047
      tfuel bob                                                 -> 3100
      tfuel carol                                               -> 3865
    `);
  });
});

describe("behaviours of accounts and pools (theta.md 11.12)", () => {
  test("row 1: fund and collateral leave the balance", async () => {
    await checkTable(`
      account alice tfuel 20002
      reserve alice fund 100 collateral 101 for rid -> ok
      tfuel alice                                   -> 19799
    `);
  });

  test("rows 2 and 3: pools that end at 10, 20, 30, seen at 20 and at 25", async () => {
    await checkTable(`
      set reserve.durationBlocksMin 1
      account alice tfuel 20000
      reserve alice fund 100 collateral 101 duration 10 for rid -> ok
      reserve alice fund 200 collateral 201 duration 19 for rid -> ok
      reserve alice fund 300 collateral 301 duration 28 for rid -> ok
      pools alice                                               -> 3
      blocks 11                                                 -> ok    # height 14
      pools alice                                               -> 3
      blocks 6                                                  -> ok    # height 20
      pools alice                                               -> 2
      blocks 4                                                  -> ok    # height 24
      pools alice                                               -> 2
      blocks 1                                                  -> ok    # height 25
      pools alice                                               -> 1
      tfuel alice                                               -> 19393
    `);
  });

  test("row 4: a release too early, of no pool, and in time", async () => {
    // A job releases in time by itself; here it is kept busy so that the transaction comes first.
    await checkTable(`
      set reserve.durationBlocksMin 1
      account alice tfuel 20000
      reserve alice fund 100 collateral 101 duration 20 for rid -> ok
      release alice pool 1                                      -> failed releaseTooEarly
      release alice pool 2                                      -> failed releaseUnknown
      blocks 20                                                 -> ok    # height 23
      release alice pool 1                                      -> failed releaseTooEarly
      release alice pool 1                                      -> ok    # the block of the job
      pools alice                                               -> 0
      tfuel alice                                               -> 19990
      release alice pool 1                                      -> failed releaseUnknown
    `);
  });

  test("rows 5 and 6: a payment after the end, and one out of another pool", async () => {
    await checkTable(`
      ${people}
      set reserve.durationBlocksMin 1
      reserve alice fund 100 collateral 101 duration 5 for rid -> ok
      pay alice bob 10 pool 2 for rid                          -> invalid poolUnknown
      blocks 4                                                 -> ok
      pay alice bob 10 for rid                                 -> ok      # parent height 5
      pool alice 1                                             -> 10 of 100, 101, frozen
      pay alice bob 20 for rid                                 -> invalid poolEnded
      blocks 4                                                 -> ok
      pool alice 1                                             -> none
      tfuel alice                                              -> 9988
    `);
  });

  test("rows 7 and 8: what a fund of 1000 covers, and what it does not", async () => {
    await checkTable(`
      ${people} ${opened}
      pay alice bob 234 for rid001           -> ok
      pay alice carol 127 for rid001         -> ok
      pay alice dora 100 for rid001          -> ok
      pool alice 1                           -> 461 of 1000, 1001, open
      pay alice bob 5945 for rid001          -> ok       # Theta: nothing; here the proof
      pool alice 1                           -> none
      tfuel bob                              -> 3771
    `);
  });

  test("row 9: what a pool needs, in Theta's order of checks", async () => {
    await checkTable(`
      account alice theta 10 tfuel 6200
      reserve alice fund 0 collateral 1001 for rid             -> failed fundMissing
      reserve alice theta 1 fund 0 collateral 1001 for rid     -> failed fundInTheta
      reserve alice fund 50000 collateral 1001 for rid         -> failed balanceTooLow
      reserve alice fund 5000 collateral 1001 for rid          -> failed collateralTooLow
      reserve alice fund 1000 collateral 1001 duration 299     -> failed durationOutOfRange
      reserve alice fund 1000 collateral 1001                  -> failed resourcesMissing
      reserve alice fund 1000 collateral 1001 for rid          -> ok
    `);
  });

  test("row 15: shares above a whole (row 14, 512 shares, is the codec's)", async () => {
    await checkTable(`
      account dora tfuel 100
      rule dora for rid carol:50 bob:51   -> failed splitSumTooHigh
      rule dora for rid carol:101         -> failed splitPercentageInvalid
      rule dora for rid carol:50 bob:50   -> ok
    `);
  });
});

test("GetAccount's list has Theta's fields", async () => {
  const network = await checkTable(`
    account alice tfuel 10000
    reserve alice fund 1000 collateral 1001 for rid2,rid1,rid2  fee 5 -> ok
    pay alice bob 80 for rid1 -> ok
  `);
  expect(network.query("reserve", "reservedFunds", { owner: addressOf("alice") })).toEqual([
    {
      collateral: { thetawei: "0", tfuelwei: "1001" },
      initial_fund: { thetawei: "0", tfuelwei: "1000" },
      used_fund: { thetawei: "0", tfuelwei: "80" },
      resource_ids: ["rid2", "rid1"],
      end_block_height: "1000",
      reserve_sequence: "1",
      transfer_records: [],
    },
  ]);
});

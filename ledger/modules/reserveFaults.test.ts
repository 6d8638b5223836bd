import { describe, expect, test } from "vitest";
import { emptyBytes } from "../../base/bytes.ts";
import { addressOf, inputOf, LedgerNetwork } from "../../test/fakes/ledgerNetwork.ts";
import { checkTable } from "../../test/fakes/ledgerTable.ts";
import { batchOf, entryOf, paymentOf, slashOf, voucherOf } from "../../test/fakes/poolSteps.ts";

/*
 * Bad input and bad faith around pools: the rows of the fault matrix that concern the chain. What a
 * gas costs is one wei here, so a fee is 2.
 */

const u64Max = (1n << 64n) - 1n;
const people = `
  account alice tfuel 10000
  account bob   tfuel 10
  account carol tfuel 10
  account dora  tfuel 1000
  reserve alice fund 100 collateral 101 duration 300 for rid   -> ok
`;

describe("M1 payments to several receivers above the fund", () => {
  test("M1 first come are paid to the wei, and whoever proves pays no fee", async () => {
    await checkTable(`
      ${people}
      pay alice bob 60 for rid            -> ok
      tfuel bob                           -> 68
      pay alice emil 70 for rid fee 50    -> ok        # an empty account proves, and gets a part
      tfuel emil                          -> 40
      pool alice 1                        -> none      # nothing is left: it is over
      burned                              -> 105       # fees of 2 and 2, and the collateral
      tfuel alice                         -> 9797
      blocks 310                          -> ok
      tfuel alice                         -> 9797
    `);
  });

  test("M1 a condemned pool pays until the freeze is over; the rest is burned", async () => {
    await checkTable(`
      ${people}
      slash dora alice pool 1 for rid bob:60:1 carol:41:1 -> ok
      tfuel dora                          -> 1000
      burned                              -> 103
      pool alice 1                        -> 0 of 100, 0, condemned
      pay alice bob 60 for rid            -> ok
      blocks 301                          -> ok         # height 304
      pay alice carol 10 for rid          -> invalid poolEnded
      pool alice 1                        -> 60 of 100, 0, condemned
      blocks 1                            -> ok
      pool alice 1                        -> none
      burned                              -> 145
      tfuel alice                         -> 9797
    `);
  });

  test("M1 a fee above the collateral: the prover pays the rest", async () => {
    await checkTable(`
      ${people}
      pay alice emil 101 for rid fee 202  -> invalid balanceTooLow
      pay alice emil 101 for rid fee 201  -> ok
      tfuel emil                          -> 0
      burned                              -> 203
    `);
  });

  test("M1 the proving voucher is not paid in part below what its target accepts", async () => {
    await checkTable(`
      ${people}
      pay alice bob 101 for rid min 101   -> ok
      tfuel bob                           -> 10
      pool alice 1                        -> 0 of 100, 0, condemned
      pay alice bob 101 for rid min 101   -> invalid targetMinUnmet
      pay alice bob 101 for rid min 100   -> ok
      tfuel bob                           -> 108
    `);
  });
});

test("M2 an overspend sent again is refused, and never charged for", async () => {
  await checkTable(`
    ${people}
    pay alice bob 60 for rid              -> ok
    pay alice carol 60 for rid            -> ok
    tfuel carol                           -> 50
    pay alice carol 60 for rid            -> invalid poolUnknown
    tfuel carol                           -> 50
  `);
});

test("M3 a resource that is not listed is refused, and nothing is charged", async () => {
  await checkTable(`
    ${people}
    pay alice bob 60 for other            -> invalid resourceNotInPool
    pay alice bob 60 for rid2             -> invalid resourceNotInPool
    tfuel bob                             -> 10
    batch dora alice>bob:60:1:1:other     -> ok 0 resourceNotInPool
    slash dora alice pool 1 for other bob:60:1 carol:60:1 -> invalid overspendUnproven
  `);
});

describe("M4 proofs of an overspend", () => {
  test("M4 other pools, duplicates, superseded and settled ones prove nothing", async () => {
    await checkTable(`
      ${people}
      reserve alice fund 1000 collateral 1001 for rid                     -> ok
      slash dora alice pool 2 for rid bob:60:1 carol:60:1 -> invalid overspendUnproven
      slash dora alice pool 3 for rid bob:60:1 carol:60:1                 -> invalid poolUnknown
      slash dora alice pool 1 for rid bob:60:1 bob:60:1 -> invalid overspendUnproven
      slash dora alice pool 1 for rid bob:10:1 bob:50:1 bob:80:1 -> invalid overspendUnproven
      pay alice bob 80 for rid                                            -> ok
      slash dora alice pool 1 for rid bob:80:1 carol:20:1 -> invalid overspendUnproven
      slash dora alice pool 1 for rid bob:80:1 bob:20:2 -> invalid overspendUnproven
      pay alice bob 20 seq 2 for rid                                      -> ok
      slash dora alice pool 1 for rid bob:100:1 -> invalid overspendUnproven
      slash dora alice pool 1 for rid bob:21:2                            -> ok
    `);
  });

  test("M4 used twice: the second is refused", async () => {
    await checkTable(`
      ${people}
      slash dora alice pool 1 for rid bob:60:1 carol:60:1 -> ok
      slash dora alice pool 1 for rid bob:60:1 carol:60:1 -> invalid poolCondemned
    `);
  });

  test("M4 sequences in ascending order count as they would be paid", async () => {
    // 60 under sequence 1 and 41 under sequence 2 are worth 101 whatever order they come in.
    await checkTable(`
      ${people}
      slash dora alice pool 1 for rid bob:41:2 bob:60:1 -> ok
    `);
  });

  test("M4 a proof of one pool under another's name, or no proof at all", async () => {
    const network = new LedgerNetwork({ balances: [["dora", { thetaWei: 0n, tfuelWei: 100n }]] });
    const proof = { owner: "dora", reserveSequence: 1n, vouchers: [], fee: 2n };
    const slash = slashOf(network, "dora", proof);
    const body = slash.op.body as object; // A slash's body.
    const signers = [{ address: addressOf("dora"), sequence: null }];
    for (const change of [{ reserveSequence: 2n }, { slashProof: emptyBytes }]) {
      const proposer = inputOf("dora", { thetaWei: 0n, tfuelWei: 2n }, 0n);
      const other = { ...body, ...change, proposer, type: "slash" };
      const outcome = await network.execute([network.theta(other as never, signers)]);
      expect(outcome).toMatchObject({
        ok: false,
        refusal: { refusal: { code: "proofMalformed" } },
      });
    }
  });
});

describe("M5 payment sequences", () => {
  test("M5 0, equal, decreasing and the greatest", async () => {
    await checkTable(`
      ${people}
      pay alice bob 10 seq 0 for rid                      -> invalid paymentSequenceTooLow
      pay alice bob 10 seq 55296 for rid                  -> ok
      pay alice bob 10 seq 55296 for rid                  -> invalid voucherSettled
      pay alice bob 9 seq 55296 for rid                   -> invalid voucherSettled
      pay alice bob 12 seq 55296 for rid                  -> ok      # the difference
      pay alice bob 50 seq 55295 for rid                  -> invalid paymentSequenceTooLow
      pay alice bob 1 seq 1114112 for rid fee 2           -> ok
      pay alice bob 1 seq 9007199254740992 for rid        -> ok
      pay alice bob 1 seq 18446744073709551615 for rid    -> ok
      pool alice 1                                        -> 15 of 100, 101, open
    `);
  });

  test("M5 a proof holds for all of them", async () => {
    // In Theta the sequences from 0xd800 to 0xdfff and above 0x10ffff were taken for one.
    await checkTable(`
      ${people}
      slash dora alice pool 1 for rid bob:51:55296 bob:50:18446744073709551615 -> ok
    `);
  });
});

test("M6 a pool's sequence is never used again, so its vouchers are dead", async () => {
  await checkTable(`
    account alice tfuel 10000
    account bob   tfuel 10
    set reserve.durationBlocksMin 1
    reserve alice fund 100 collateral 101 duration 3 for rid -> ok
    blocks 8                                                 -> ok
    pools alice                                              -> 0
    reserve alice fund 100 collateral 101 duration 3 for rid -> ok
    pay alice bob 60 pool 1 for rid                          -> invalid poolUnknown
    pool alice 2                                             -> 0 of 100, 101, open
  `);
});

test("M7 a collateral at the fund, none, and beyond the balance by the fee", async () => {
  await checkTable(`
    account alice theta 5 tfuel 10000
    reserve alice fund 100 collateral 100 for rid      -> failed collateralTooLow
    reserve alice fund 100 collateral 0 for rid        -> failed collateralTooLow
    reserve alice fund 4995 collateral 5000 for rid    -> failed balanceTooLow   # 9994 are left
    reserve alice fund 4996 collateral 4997 for rid    -> failed balanceTooLow   # 9992
    reserve alice fund 4990 collateral 5000 for rid    -> ok                     # 9990
    tfuel alice                                        -> 0
  `);
});

test("M8 durations of 0, below the least, above the most, and beyond all heights", async () => {
  await checkTable(`
    account alice tfuel 10000
    account dora tfuel 100
    reserve alice fund 1 collateral 2 duration 0 for rid -> failed durationOutOfRange
    reserve alice fund 1 collateral 2 duration 299 for rid -> failed durationOutOfRange
    reserve alice fund 1 collateral 2 duration 43201 for rid -> failed durationOutOfRange
    reserve alice fund 1 collateral 2 duration ${u64Max} for rid -> failed durationOutOfRange
    reserve alice fund 1 collateral 2 duration 43200 for rid                -> ok
    rule dora for rid carol:1 duration 18446744073709551615 -> failed splitDurationTooLong
    rule dora for rid carol:1 duration 0                                    -> ok
  `);
});

describe("M9 the freeze", () => {
  test("M9 a slash after the end wins until the freeze is over, a release only then", async () => {
    await checkTable(`
      ${people}
      blocks 302                                          -> ok     # height 303, frozen
      pay alice bob 10 for rid                            -> invalid poolEnded
      release alice pool 1                                -> failed releaseTooEarly
      slash dora alice pool 1 for rid bob:60:1 carol:60:1 -> invalid poolUnknown   # height 305
      release alice pool 1                                -> ok
      pool alice 1                                        -> none
      tfuel alice                                         -> 9994
    `);
    await checkTable(`
      ${people}
      blocks 302                                          -> ok
      slash dora alice pool 1 for rid bob:60:1 carol:60:1 -> ok              # height 304
      pay alice bob 60 for rid                            -> invalid poolEnded     # height 305
      tfuel alice                                         -> 9797
    `);
  });

  test("M9 it lasts a time too, where blocks come fast", async () => {
    await checkTable(`
      set reserve.durationBlocksMin 1
      set reserve.freezeMs 10000
      account alice tfuel 1000
      account dora tfuel 100
      reserve alice fund 100 collateral 101 duration 1 for rid  -> ok    # ends with height 1
      blocks 9                                                  -> ok    # height 10
      pool alice 1                                              -> 0 of 100, 101, frozen
      slash dora alice pool 1 for rid bob:99:1                  -> invalid overspendUnproven
      blocks 1                                                  -> ok    # 10 s after height 2
      pool alice 1                                              -> 0 of 100, 101, releasable
      blocks 1                                                  -> ok
      pool alice 1                                              -> none
    `);
  });
});

describe("M10 whoever is who", () => {
  test("M10 a payer who proves his own overspend gets nothing back", async () => {
    await checkTable(`
      ${people}
      pay alice alice 10 for rid                                    -> invalid paymentToSelf
      slash alice alice pool 1 for rid bob:60:1 carol:60:1 fee 101  -> ok
      tfuel alice                                                   -> 9797
      blocks 310                                                    -> ok
      tfuel alice                                                   -> 9797
      burned                                                        -> 203
    `);
  });

  test("M10 a split rule that names source and target, one of them twice", async () => {
    await checkTable(`
      ${people}
      rule dora for rid alice:50 bob:30 alice:20      -> ok
      pay alice bob 100 for rid                       -> ok
      tfuel bob                                       -> 38
      tfuel alice                                     -> 9867
    `);
  });

  test("M10 no rule takes a payment below what its target signed for", async () => {
    await checkTable(`
      ${people}
      rule dora for rid alice:100                     -> ok
      pay alice bob 100 for rid min 1                 -> invalid targetMinUnmet
      pay alice bob 100 for rid min 0                 -> ok
      tfuel bob                                       -> 8
    `);
  });

  test("M10 a rule is announced first; vouchers settled before are not shared", async () => {
    await checkTable(`
      set split.noticeBlocks 3
      ${people}
      rule dora for rid alice:100                     -> ok        # height 2: from parent height 4
      pay alice bob 10 for rid                        -> ok
      tfuel bob                                       -> 18
      pay alice bob 20 for rid                        -> ok
      tfuel bob                                       -> 26
      pay alice bob 30 for rid min 1                  -> invalid targetMinUnmet
    `);
  });

  test("M10 a change of a rule leaves the old one in force until its notice is over", async () => {
    await checkTable(`
      set split.noticeBlocks 3
      ${people}
      rule dora for rid carol:10 duration 20    -> ok     # height 2: from parent height 4
      blocks 2                                  -> ok
      rule carol for rid carol:99               -> failed splitUnauthorized
      rule dora for rid carol:50 duration 5     -> ok     # height 6: from parent height 8
      pay alice bob 10 for rid                  -> ok     # parent height 6
      tfuel carol                               -> 9
      blocks 1                                  -> ok
      pay alice bob 30 for rid                  -> ok     # parent height 8
      tfuel carol                               -> 19
      blocks 5                                  -> ok     # height 14
      pay alice bob 40 for rid                  -> ok     # ended: the first rule does not come back
      tfuel carol                               -> 19
      rule carol for rid carol:99               -> ok     # and the name is free again
    `);
  });

  test("M10 more shares than a payment should have to write", async () => {
    await checkTable(`
      account dora tfuel 100
      set split.sharesMax 2
      rule dora for rid a:1 b:1 c:1    -> failed splitSharesTooMany
      rule dora for rid a:1 b:1 c:0    -> ok
    `);
  });
});

test("M11 an account has only so many pools", async () => {
  await checkTable(`
    set reserve.poolsPerAccountMax 2
    set reserve.durationBlocksMin 1
    account alice tfuel 10000
    reserve alice fund 1 collateral 2 duration 1 for rid   -> ok
    reserve alice fund 1 collateral 2 duration 9 for rid   -> ok
    reserve alice fund 1 collateral 2 duration 9 for rid   -> failed poolsTooMany
    blocks 3                                               -> ok
    pools alice                                            -> 1
    reserve alice fund 1 collateral 2 duration 9 for rid   -> ok
  `);
});

test("M11 a receiver's record does not grow, and a closed pool leaves none", async () => {
  const network = await checkTable(`
    set reserve.durationBlocksMin 1
    account alice tfuel 100000
    account dora tfuel 100000
    reserve alice fund 1000 collateral 1001 duration 100 for rid,rid2,rid3 fee 9 -> ok
  `);
  const names = { source: "alice", reserveSequence: 1n, resourceId: "rid" };
  // Each receiver twice: 1, then 2 under the same sequence.
  const entries = Array.from({ length: 80 }, (_, i) =>
    entryOf(
      voucherOf(network, {
        ...names,
        target: `r${i % 40}`,
        amount: BigInt(1 + Math.floor(i / 40)),
        paymentSequence: 1n,
      }),
    ),
  );
  const outcome = await network.execute([batchOf(network, "dora", entries)]);
  expect(outcome.ok).toBe(true);
  const owner = addressOf("alice");
  const receivers = network.query("reserve", "receivers", { owner, sequence: "1" });
  expect(receivers).toHaveLength(40);
  const records = (): number => {
    const range = { from: Uint8Array.of(0), to: Uint8Array.of(255) };
    return [...network.state.moduleRange("reserve", range)].length;
  };
  expect(records()).toBe(1 + 3 + 40 + 1);
  for (let i = 0; i < 103; i += 1) await network.execute([]);
  // The pool went with some of its records; the others follow in the next blocks.
  expect(records()).toBe(43 - 32);
  await network.execute([]);
  expect(records()).toBe(0);
});

test("M13 a receiver that comes after the last block has lost its claim", async () => {
  await checkTable(`
    ${people}
    blocks 299                     -> ok          # height 300
    pay alice bob 10 for rid       -> ok          # parent height 300, the last
    pay alice carol 10 for rid     -> invalid poolEnded
    batch dora alice>carol:10:1:1:rid -> ok 0 poolEnded
  `);
});

describe("payments that are not of TFuel above zero", () => {
  test("nothing at all", async () => {
    await checkTable(`
      ${people}
      pay alice bob 0 for rid -> invalid paymentZero
    `);
  });

  test("coins in Theta", async () => {
    const network = await checkTable(people);
    const names = { source: "alice", target: "bob", resourceId: "rid" };
    const numbers = { amount: 1n, paymentSequence: 1n, reserveSequence: 1n };
    const voucher = voucherOf(network, { ...names, ...numbers });
    const body = paymentOf(network, voucher, { fee: 2n, targetMin: 0n }).op.body as {
      source: object;
      target: object;
    }; // A service payment's.
    const coins = { thetaWei: 1n, tfuelWei: 1n };
    for (const change of [
      { source: { ...body.source, coins } },
      { target: { ...body.target, coins } },
    ]) {
      const signers = [{ address: addressOf("bob"), sequence: null }];
      const payment = network.theta({ ...body, ...change } as never, signers);
      const outcome = await network.execute([payment]);
      expect(outcome).toMatchObject({
        ok: false,
        refusal: { refusal: { code: "paymentInTheta" } },
      });
    }
  });
});

describe("pools with limits", () => {
  test("are covered by the collateral, and keep to them", async () => {
    await checkTable(`
      account alice tfuel 10000
      account bob tfuel 10
      account carol tfuel 10
      account dora tfuel 1000
      open alice fund 100 collateral 101 duration 300 for rid -> failed poolLimitsTooHigh
      open alice fund 100 collateral 101 for rid receivers 2 each 51 -> failed poolLimitsTooHigh
      open alice fund 100 collateral 101 for rid receivers 2 each 50  -> ok
      pay alice bob 51 pool 3 for rid                     -> invalid receiverMaxExceeded
      pay alice bob 50 pool 3 for rid                     -> ok
      pay alice bob 1 seq 2 pool 3 for rid                -> invalid receiverMaxExceeded
      pay alice carol 1 pool 3 for rid fee 2              -> ok
      pay alice dora 1 pool 3 for rid                     -> invalid receiversTooMany
      # What would not be paid counts nothing in a proof.
      slash dora alice pool 3 for rid dora:99:1 bob:50:1  -> invalid overspendUnproven
      pay alice carol 50 pool 3 for rid                   -> ok
    `);
  });
});

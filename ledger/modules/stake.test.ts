import { expect, test } from "vitest";
import { addressOf, LedgerNetwork, operationBody } from "../../test/fakes/ledgerNetwork.ts";
import { checkTable } from "../../test/fakes/ledgerTable.ts";

test("a deposit counts from the next epoch; a stake returns after height and time", async () => {
  await checkTable(`
    stakes  zoe zoe 1000
    account alice theta 5000 tfuel 100
    account hugo tfuel 100
    committee                              -> zoe:1000
    deposit  alice hugo theta 2000         -> ok       # block 1
    theta    alice                         -> 3000
    stake    alice hugo                    -> 2000
    register hugo key1                     -> ok       # block 2
    committee                              -> zoe:1000
    blocks   8                             -> ok       # block 10 ends the epoch
    committee                              -> hugo:2000 zoe:1000
    withdraw alice hugo                    -> ok       # block 11, returns at 16 if 8 s have passed
    stake    alice hugo                    -> 2000 returns 16
    deposit  alice hugo theta 100          -> failed stakeWithdrawn
    withdraw alice hugo                    -> failed stakeWithdrawn
    blocks   3                             -> ok       # block 16: height has come, time has not
    theta    alice                         -> 3000
    blocks   2                             -> ok
    theta    alice                         -> 3000
    blocks   1                             -> ok       # block 19, 8 s after block 11
    theta    alice                         -> 5000
    stake    alice hugo                    -> none
    blocks   1                             -> ok
    committee                              -> zoe:1000
    withdraw alice hugo                    -> failed stakeNotFound
  `);
});

test("a withdrawal waits for its height where blocks are slow", async () => {
  await checkTable(`
    account alice theta 500 tfuel 100
    wait 60000
    deposit  alice hugo theta 500          -> ok
    withdraw alice hugo                    -> ok
    blocks 4                               -> ok
    theta alice                            -> 0
    blocks 1                               -> ok
    theta alice                            -> 500
  `);
});

test("deposits by precedence: each row is refused for one reason", async () => {
  await checkTable(`
    set stake.sourcesMax 2
    account alice theta 500 tfuel 100
    account bob theta 500 tfuel 100
    account carol theta 500 tfuel 100
    deposit alice hugo theta 99 feeTheta 1 purpose 1   -> invalid feeInTheta
    deposit alice hugo theta 99 purpose 1              -> invalid stakePurposeUnavailable
    deposit alice hugo theta 99 purpose 2              -> invalid stakePurposeUnavailable
    deposit alice hugo theta 99 purpose 3              -> invalid stakePurposeInvalid
    depositV2 alice hugo withKey theta 99 tfuel 5      -> failed keyFieldsUnsigned
    depositV2 alice hugo theta 99 tfuel 5              -> failed stakeWrongCoin
    depositV2 alice hugo theta 99                      -> failed stakeTooLow
    depositV2 alice hugo theta 501                     -> failed stakeBalanceTooLow
    depositV2 alice hugo theta 100                     -> ok
    deposit alice hugo theta 100                       -> ok
    stake alice hugo                                   -> 200
    deposit bob hugo theta 100                         -> ok
    deposit carol hugo theta 100                       -> failed stakesTooMany
    theta carol                                        -> 500
    tfuel carol                                        -> 98
  `);
});

test("a key belongs to one holder for ever and needs its proof for holder and chain", async () => {
  await checkTable(`
    account hugo tfuel 100
    account ida tfuel 100
    register hugo key1 by ida         -> invalid signerMissing
    register hugo key1 gas 1          -> invalid gasLimitTooLow
    register hugo key1 proofFor ida   -> failed possessionInvalid
    register hugo key1                -> ok
    register ida key1                 -> failed keyTaken
    register hugo key2                -> ok
    register ida key1                 -> failed keyTaken
    register hugo key1                -> ok
  `);
});

test("the committee is the holders with the most stake who have a key", async () => {
  await checkTable(`
    stakes a a 400
    stakes b b 300
    stakes c c 200
    account alice theta 1000 tfuel 100
    account d tfuel 100
    account e tfuel 100
    committee                       -> a:400 b:300 c:200
    deposit alice d theta 250       -> ok
    deposit alice e theta 500       -> ok
    register d keyD                 -> ok
    blocks 7                        -> ok
    committee                       -> a:400 b:300 d:250
    register e keyE                 -> ok
    blocks 9                        -> ok
    committee                       -> a:400 b:300 e:500
  `);
});

test("a committee stays where nobody could follow it", async () => {
  await checkTable(`
    stakes  alice hugo 500
    account alice tfuel 100
    withdraw alice hugo   -> ok
    blocks 9              -> ok
    committee             -> hugo:500
    theta alice           -> 500
  `);
});

test("bytes that are no point are no key", async () => {
  const network = new LedgerNetwork({ balances: [["hugo", { thetaWei: 0n, tfuelWei: 100n }]] });
  const holder = addressOf("hugo");
  const op = { module: "stake", name: "registerKey" };
  const body = { holder, blsKey: new Uint8Array(48), proof: new Uint8Array(96) };
  const bytes = operationBody(network.registry, { ...op, body });
  const rest = { fee: 2n, gasLimit: 2n };
  const outcome = await network.execute([
    network.operation([{ address: holder, sequence: 1n }], { ...op, body: bytes }, rest),
  ]);
  expect(outcome.ok && outcome.value.receipts[0]?.failure).toBe("keyInvalid");
});

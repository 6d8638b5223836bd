import { describe, expect, test } from "vitest";
import { addressOf, LedgerNetwork } from "../../test/fakes/ledgerNetwork.ts";
import { checkTable } from "../../test/fakes/ledgerTable.ts";
import {
  batchOf,
  entryOf,
  poolTransaction,
  signerOf,
  voucherOf,
} from "../../test/fakes/poolSteps.ts";
import { encodeWith } from "../schema.ts";
import { decodeIncrement, encodeIncrement, IncrementChain } from "../voucherIncrements.ts";
import { batchSchema, type SignedVoucher } from "../voucher.ts";

/* Batches: each voucher is paid or refused by itself, and only what cannot hurt its target is. */

const people = `
  account alice tfuel 10000
  account bob   tfuel 10
  account carol tfuel 10
  account dora  tfuel 1000
  reserve alice fund 100 collateral 101 duration 300 for rid   -> ok
`;

describe("M12 whose signature counts", () => {
  test("M12 a forged voucher in a batch is refused, the others are paid", async () => {
    await checkTable(`
      ${people}
      batch dora alice>bob:10:1:1:rid+forged alice>carol:20:1:1:rid -> ok 0 voucherSignatureInvalid
      tfuel bob                                                     -> 10
      tfuel carol                                                   -> 30
    `);
  });

  test("M12 without its target's word nobody may close a lower sequence", async () => {
    // Else a payer settles one wei under sequence 2, and a voucher of 90 under sequence 1 is dead.
    await checkTable(`
      ${people}
      batch alice alice>bob:1:2:1:rid              -> ok 0 consentMissing
      batch dora alice>bob:1:2:1:rid               -> ok 0 consentMissing
      batch dora alice>bob:50:1:1:rid              -> ok      # no harm: the rest is paid later
      batch bob  alice>bob:90:1:1:rid              -> ok
      batch bob  alice>bob:1:2:1:rid               -> ok      # the target itself
      batch dora alice>bob:2:2:1:rid               -> ok      # and now nobody can harm it
      batch dora alice>bob:1:3:1:rid+consent       -> ok      # the target's word
      pool alice 1                                 -> 93 of 100, 101, open
    `);
  });

  test("M12 without its target's word a voucher is settled only whole", async () => {
    await checkTable(`
      ${people}
      rule dora for rid alice:100                                  -> ok
      batch alice alice>bob:90:1:1:rid                             -> ok 0 consentMissing
      batch alice alice>bob:90:1:1:rid+consent+min80               -> ok 0 targetMinUnmet
      batch alice alice>bob:90:1:1:rid+min80                       -> ok 0 consentMissing
      batch bob   alice>bob:90:1:1:rid+min80                       -> ok 0 targetMinUnmet
      batch dora  alice>bob:90:1:1:rid+consent                     -> ok
    `);
  });

  test("M12 a voucher of another network, pool or resource", async () => {
    const network = await checkTable(people);
    const other = new LedgerNetwork({ balances: [["alice", { thetaWei: 1n, tfuelWei: 1n }]] });
    const terms = { source: "alice", target: "bob", amount: 10n, paymentSequence: 1n };
    const pool = { reserveSequence: 1n, resourceId: "rid" };
    const foreign = voucherOf(other, { ...terms, ...pool }, { typed: true });
    const good = voucherOf(network, { ...terms, ...pool }, { typed: true });
    const entries = [foreign, { ...good, amount: 11n }, { ...good, resourceId: "x" }, good];
    const outcome = await network.execute([batchOf(network, "dora", entries.map(entryOf))]);
    const receipt = outcome.ok ? outcome.value.receipts[0] : undefined;
    const events = receipt?.logs.map((log) => network.registry.describeLog(log)?.value);
    expect(events).toMatchObject([
      { index: 0, code: "voucherSignatureInvalid" },
      { index: 1, code: "voucherSignatureInvalid" },
      { index: 2, code: "resourceNotInPool" },
      { paid: "10", net: "10" },
    ]);
  });
});

describe("M12 steps along a hash chain", () => {
  const steps = { step: 3n, length: 8, secret: new Uint8Array(32).fill(9) };

  async function chainOf(
    taken: number,
  ): Promise<{ network: LedgerNetwork; voucher: SignedVoucher; chain: IncrementChain }> {
    const network = await checkTable(people);
    const terms = { source: "alice", target: "bob", amount: 10n, paymentSequence: 1n };
    const start = voucherOf(network, { ...terms, reserveSequence: 1n, resourceId: "rid" });
    const by = { chain: network.genesis.chain, signer: signerOf("alice") };
    const chain = new IncrementChain(start, steps, by);
    for (let i = 0; i < taken; i += 1) chain.advance();
    const amount = start.amount + steps.step * BigInt(taken);
    return { network, voucher: { ...start, amount, signature: chain.proof }, chain };
  }

  async function settled(network: LedgerNetwork, voucher: SignedVoucher): Promise<unknown> {
    const outcome = await network.execute([batchOf(network, "dora", [entryOf(voucher)])]);
    const receipt = outcome.ok ? outcome.value.receipts[0] : undefined;
    return receipt?.logs.map((log) => network.registry.describeLog(log)?.value)[0];
  }

  test("M12 the newest preimage settles the steps up to it, and not one more", async () => {
    const { network, voucher } = await chainOf(5);
    const refused = { code: "voucherSignatureInvalid" };
    const flipped = voucher.signature.slice();
    flipped[70] = (flipped[70] ?? 0) ^ 1;
    const dearer = decodeIncrement(voucher.signature);
    if (dearer === null) throw new Error("it is an increment");
    const raised = encodeIncrement({ ...dearer, step: 4n });
    const ahead = encodeIncrement({ ...dearer, count: 6 });
    expect(await settled(network, { ...voucher, amount: 28n })).toMatchObject(refused);
    expect(await settled(network, { ...voucher, signature: flipped })).toMatchObject(refused);
    const four = { ...voucher, amount: 30n, signature: raised };
    expect(await settled(network, four)).toMatchObject(refused);
    const six = { ...voucher, amount: 28n, signature: ahead };
    expect(await settled(network, six)).toMatchObject(refused);
    expect(await settled(network, voucher)).toMatchObject({ paid: "25", net: "25" });
  });

  test("M12 later steps settle the difference, an older one nothing", async () => {
    const { network, voucher, chain } = await chainOf(2);
    expect(await settled(network, voucher)).toMatchObject({ paid: "16" });
    chain.advance();
    const next = { ...voucher, amount: 19n, signature: chain.proof };
    expect(await settled(network, next)).toMatchObject({ paid: "3" });
    expect(await settled(network, voucher)).toMatchObject({ code: "voucherSettled" });
  });

  test("M12 there are at most 1,024, and a step of nothing is none", async () => {
    const { voucher } = await chainOf(8);
    expect(decodeIncrement(voucher.signature)?.count).toBe(8);
    const free = voucher.signature.slice();
    expect(decodeIncrement(free.fill(0, 97, 129))).toBeNull();
    const long = voucher.signature.slice();
    long[129] = 255;
    expect(decodeIncrement(long)).toBeNull();
  });
});

test("the best vouchers of 100 payers for 10 receivers settle in ten batches", async () => {
  const payers = Array.from({ length: 100 }, (_, i) => `payer${i}`);
  const coins = { thetaWei: 0n, tfuelWei: 10_000n };
  const network = new LedgerNetwork({ balances: ["dora", ...payers].map((each) => [each, coins]) });
  const openings = payers.map((payer) =>
    poolTransaction(network, `reserve ${payer} fund 100 collateral 101 for rid`.split(" ")),
  );
  await network.execute(openings.filter((each) => each !== null));
  let bytes = 0;
  for (let receiver = 0; receiver < 10; receiver += 1) {
    const entries = payers.map((source) => {
      const terms = { source, target: `receiver${receiver}`, resourceId: "rid" };
      const numbers = { amount: 10n, paymentSequence: 1n, reserveSequence: 1n };
      return entryOf(voucherOf(network, { ...terms, ...numbers }));
    });
    bytes += encodeWith(batchSchema, { entries }).length;
    await network.execute([batchOf(network, "dora", entries)]);
    const address = addressOf(`receiver${receiver}`);
    expect(network.state.account(address)?.balance).toBe(1_000n);
  }
  // 131,072 bytes and 16,777,216 gas of one transaction hold far more than 100 of them.
  expect(bytes / 1_000).toBeLessThan(125);
});

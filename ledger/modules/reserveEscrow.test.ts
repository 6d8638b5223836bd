import { expect, test } from "vitest";
import { addressOf, LedgerNetwork, operationBody } from "../../test/fakes/ledgerNetwork.ts";
import { poolTransaction, voucherOf } from "../../test/fakes/poolSteps.ts";
import { createModuleKey } from "../definitions.ts";
import { applied, notApplied, type Module, type OperationDefinition } from "../module.ts";
import type { PoolId } from "../pool.ts";
import { Registry } from "../registry.ts";
import { coreRegistry } from "../runtime.ts";
import { listField, recordField } from "../schema.ts";
import { signedVoucherSchema, voucherPayer, type SignedVoucher } from "../voucher.ts";
import { condemn, assess, poolIdOf, settle } from "./reservePool.ts";
import { overspentPool } from "./reserveProof.ts";
import { readPool } from "./reserveRecords.ts";

/*
 * Goal: pools are an escrow for modules that know nothing of the operations of `reserve` (DESIGN
 * 6): such a module verifies a voucher, is paid by it, and proves an overspend. Method: a module of
 * this test, put beside the core's own.
 */

const key = createModuleKey("meter");
const state = Uint8Array.of(1);

type Bill = { readonly vouchers: readonly SignedVoucher[] };
const schema = recordField({ vouchers: listField(signedVoucherSchema, 8) });
const parts = { schema, gas: () => 2n, signers: () => [], check: () => null };

/** Takes what each voucher is worth and counts them in its own state; all or nothing. */
const take: OperationDefinition<Bill> = {
  ...parts,
  description: "is paid by vouchers",
  apply: (context, { body }) => {
    for (const voucher of body.vouchers) {
      if (voucherPayer(voucher, context.chain) === null)
        return notApplied({ code: "voucherSignatureInvalid", got: "another", expected: "its own" });
      const assessed = assess(context, { voucher, targetMin: 0n, consent: false });
      if (!assessed.ok) return notApplied(assessed.refusal);
      settle(context, { voucher, prover: null }, assessed.value);
      const count = context.state(key).get(state)?.[0] ?? 0;
      context.state(key).set(state, Uint8Array.of(count + 1));
    }
    return applied;
  },
};

/** Condemns a pool that the vouchers overspend. */
const accuse: OperationDefinition<Bill> = {
  ...parts,
  description: "proves an overspend",
  apply: (context, { body }) => {
    const [first] = body.vouchers;
    const isSigned = body.vouchers.every((each) => voucherPayer(each, context.chain) !== null);
    if (first === undefined || !isSigned)
      return notApplied({ code: "overspendUnproven", got: "unsigned", expected: "vouchers" });
    const proven = overspentPool(context, poolIdOf(first), body.vouchers);
    if (!proven.ok) return notApplied(proven.refusal);
    condemn(context, poolIdOf(first), null);
    return applied;
  },
};

const meter: Module = {
  key,
  name: "meter",
  version: 1,
  parameters: {},
  operations: { take, accuse },
  queries: {},
  events: [],
  jobs: [],
  genesis: { init: () => {} },
  invariants: [],
};

const pool: PoolId = { owner: addressOf("alice"), sequence: 1n };

function networkWithPool(): LedgerNetwork {
  return new LedgerNetwork({
    registry: new Registry([...coreRegistry.modules, meter]),
    balances: ["alice", "bob", "carol"].map((name) => [name, { thetaWei: 0n, tfuelWei: 10_000n }]),
  });
}

/** The failure of the operation; empty if it succeeded. */
async function run(
  network: LedgerNetwork,
  name: "take" | "accuse",
  vouchers: readonly SignedVoucher[],
): Promise<string> {
  const op = { module: "meter", name };
  const body = operationBody(network.registry, { ...op, body: { vouchers } });
  const signers = [{ address: addressOf("carol"), sequence: network.nonceOf("carol") + 1n }];
  const transaction = network.operation(signers, { ...op, body }, { fee: 2n, gasLimit: 2n });
  const outcome = await network.execute([transaction]);
  if (!outcome.ok) throw new Error("the block is valid");
  return outcome.value.receipts[0]?.failure ?? "no receipt";
}

function voucher(network: LedgerNetwork, target: string, amount: bigint): SignedVoucher {
  const terms = { paymentSequence: 1n, reserveSequence: 1n, resourceId: "rid" };
  return voucherOf(network, { source: "alice", target, amount, ...terms });
}

test("another module is paid out of a pool, and has it condemned", async () => {
  const network = networkWithPool();
  const line = "reserve alice fund 100 collateral 101 duration 1000 for rid";
  const reserve = poolTransaction(network, line.split(" "));
  const opened = await network.execute(reserve === null ? [] : [reserve]);
  expect(opened.ok && opened.value.receipts[0]?.status).toBe(1);

  const good = voucher(network, "bob", 60n);
  expect(await run(network, "take", [good])).toBe("");
  expect(network.state.account(addressOf("bob"))?.balance).toBe(10_060n);
  expect(network.state.moduleValue("meter", state)).toEqual(Uint8Array.of(1));

  // A forged one undoes all that came before it in the operation, the module's own state too.
  const forged = { ...voucher(network, "bob", 70n), amount: 71n };
  expect(await run(network, "take", [voucher(network, "bob", 65n), forged])).not.toBe("");
  expect(network.state.account(addressOf("bob"))?.balance).toBe(10_060n);
  expect(network.state.moduleValue("meter", state)).toEqual(Uint8Array.of(1));

  const burned = (): boolean => {
    const context = network.executor.open(network.state, network.next());
    return readPool(context, pool)?.condemned ?? false;
  };
  const fits = [voucher(network, "bob", 70n), voucher(network, "carol", 30n)];
  expect(await run(network, "accuse", fits)).not.toBe("");
  expect(burned()).toBe(false);
  const beyond = [voucher(network, "bob", 70n), voucher(network, "carol", 31n)];
  expect(await run(network, "accuse", beyond)).toBe("");
  expect(burned()).toBe(true);
  expect(await run(network, "take", beyond)).toBe("");
  expect(network.state.account(addressOf("bob"))?.balance).toBe(10_070n);
});

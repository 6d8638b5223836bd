import { expect, test } from "vitest";
import type { Verified } from "../base/brand.ts";
import { bytesToHex, textToBytes } from "../base/bytes.ts";
import { moduleAddress } from "../base/moduleAddress.ts";
import {
  addressOf,
  inputOf,
  LedgerNetwork,
  smallFee,
  transferOf,
} from "../test/fakes/ledgerNetwork.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import { checkTable } from "../test/fakes/ledgerTable.ts";
import { nonceMax } from "./accounts.ts";
import { blockContextOf } from "./execute.ts";
import { nextBaseFee } from "./fees.ts";
import { Journal } from "./journal.ts";
import { stakeKey } from "./modules/stakeRecords.ts";
import { Parameters } from "./parameters.ts";
import { refusalMeanings, refusalSentence } from "./refusal.ts";
import { Workspace } from "./workspace.ts";
import { createModuleKey } from "./definitions.ts";
import type { Transaction } from "./transaction.ts";

const rich = { thetaWei: 0n, tfuelWei: 10n ** 12n };

function send(
  network: LedgerNetwork,
  from: string,
  to: string,
  sequence: bigint,
  tfuel = 1n,
): Verified<Transaction> {
  const coins = { thetaWei: 0n, tfuelWei: tfuel };
  const given = { thetaWei: 0n, tfuelWei: tfuel + smallFee.tfuelWei };
  const body = {
    type: "send",
    fee: smallFee,
    inputs: [inputOf(from, given, sequence)],
    outputs: [{ address: addressOf(to), coins }],
  } as const;
  return network.theta(body, [{ address: addressOf(from), sequence }]);
}

test("a block with an invalid transaction is refused whole; a proposer leaves it out", async () => {
  const network = new LedgerNetwork({ balances: [["alice", rich]] });
  const block = network.next();
  const transactions = [1n, 3n, 2n].map((sequence) => send(network, "alice", "bob", sequence));
  const root = network.state.root;
  const refused = await network.execute(transactions);
  expect(refused.ok ? null : [refused.refusal.index, refused.refusal.refusal.code]).toEqual([
    1,
    "sequenceTooHigh",
  ]);
  expect(network.state.root).toBe(root);
  const built = await network.executor.buildBlock({
    reader: network.state,
    block,
    candidates: transactions,
    transactionsMax: 10,
    evidence: [],
  });
  expect(built.included).toEqual([transactions[0], transactions[2]]);
  expect(built.dropped.map(({ refusal }) => refusal.code)).toEqual(["sequenceTooHigh"]);
  const executed = await network.execute(built.included);
  expect(executed.ok && executed.value.changes).toEqual(built.result.changes);
  expect(executed.ok && executed.value.receipts).toEqual(built.result.receipts);
});

test("limits of a block: count, gas, bytes", async () => {
  const parameters = new Map([
    ["chain.blockGasLimit", 1_000_000n],
    ["chain.blockBytesMax", 65_536n],
  ]);
  const network = new LedgerNetwork({ balances: [["alice", rich]], parameters });
  const build = async (
    candidates: readonly Verified<Transaction>[],
    transactionsMax: number,
  ): Promise<number> => {
    const offered = { candidates, transactionsMax, evidence: [] };
    const place = { reader: network.state, block: network.next() };
    return (await network.executor.buildBlock({ ...place, ...offered })).included.length;
  };
  const sends = Array.from({ length: 700 }, (_, i) => send(network, "alice", "bob", BigInt(i + 1)));
  expect(await build(sends, 5)).toBe(5);
  expect(await build(sends, 10_000)).toBe(Math.floor(65_536 / 110));
  const transfers = Array.from({ length: 60 }, (_, i) =>
    network.ethereum("alice", transferOf({ nonce: BigInt(i), to: addressOf("bob"), value: 1n })),
  );
  expect(await build(transfers, 10_000)).toBe(Math.floor(1_000_000 / 21_000));
  for (const [tooMany, code] of [
    [sends, "blockBytesFull"],
    [transfers, "blockGasFull"],
  ] as const) {
    const refused = await network.execute(tooMany);
    expect(refused.ok ? null : refused.refusal.refusal.code).toBe(code);
  }
});

test("a block beyond its epoch's last carries no transactions", async () => {
  const network = new LedgerNetwork({ balances: [["alice", rich]] });
  for (let i = 0; i < 10; i += 1) await network.execute([]);
  const header = { ...network.nextHeader(), epoch: 0 };
  const block = blockContextOf(header, network.head);
  const transactions = [send(network, "alice", "bob", 1n)];
  const refused = await network.executor.executeBlock({
    reader: network.state,
    block,
    transactions,
    evidence: [],
  });
  expect(refused.ok ? null : refused.refusal.refusal.code).toBe("epochEnded");
  const built = await network.executor.buildBlock({
    reader: network.state,
    block,
    candidates: transactions,
    transactionsMax: 10,
    evidence: [],
  });
  expect([built.included.length, built.result.nextCommittee]).toEqual([0, null]);
});

test("row K18: a timestamp must be above the parent's and at most 2^52, for all alike", () => {
  const network = new LedgerNetwork({ balances: [] });
  const parent = network.head;
  const verdict = (timestampMs: number): string | null => {
    const header = { ...network.nextHeader(), timestampMs };
    return network.executor.checkHeader(network.state, parent, header)?.code ?? null;
  };
  const at = parent.timestampMs;
  const times = [at - 1, at, at + 1, 2 ** 52, 2 ** 52 + 1, 2 ** 53 - 1, Number.NaN, at + 1.5];
  expect(times.map(verdict)).toEqual([
    "timestampTooLow",
    "timestampTooLow",
    null,
    null,
    "timestampTooHigh",
    "timestampTooHigh",
    "timestampTooLow",
    "timestampTooHigh",
  ]);
  const others = [
    { height: 2 },
    { gasLimit: 1n },
    { baseFee: 2n },
    { runtimeHash: parent.stateRoot },
  ].map((wrong) => {
    const header = { ...network.nextHeader(), ...wrong };
    return network.executor.checkHeader(network.state, parent, header)?.code;
  });
  expect(others).toEqual(["heightWrong", "gasLimitWrong", "baseFeeWrong", "runtimeWrong"]);
});

test("the highest timestamp that a header may have still executes", async () => {
  const stakes = [["genesis", "genesis", 1_000n] as const];
  const network = new LedgerNetwork({ balances: [["genesis", rich]], stakes });
  network.blockMs = 2 ** 52 - network.head.timestampMs;
  const body = {
    type: "withdrawStake",
    fee: smallFee,
    source: inputOf("genesis", { thetaWei: 0n, tfuelWei: 0n }, 1n),
    holder: inputOf("genesis", { thetaWei: 0n, tfuelWei: 0n }, 0n),
    purpose: 0,
  } as const;
  const signers = [{ address: addressOf("genesis"), sequence: 1n }];
  const outcome = await network.execute([network.theta(body, signers)]);
  expect(outcome.ok && outcome.value.receipts.map(({ status }) => status)).toEqual([1]);
});

test("row E6: an operation of another envelope is none of this one", async () => {
  const network = new LedgerNetwork({ balances: [["alice", rich]] });
  const signers = [{ address: addressOf("alice"), sequence: 1n }];
  const code = async (module: string, name: string): Promise<string> => {
    const op = { module, name, body: Uint8Array.of(0xc0) };
    const tx = network.operation(signers, op, { fee: 10n, gasLimit: 10n });
    const outcome = await network.execute([tx]);
    return outcome.ok ? "executed" : outcome.refusal.refusal.code;
  };
  // A send has signatures of its own per input; as a module operation it would need none of them.
  expect(await code("bank", "send")).toBe("operationUnknown");
  expect(await code("evm", "transact")).toBe("operationUnknown");
  expect(await code("stake", "__proto__")).toBe("operationUnknown");
  expect(await code("constructor", "x")).toBe("moduleUnknown");
  expect(await code("stake", "registerKey")).toBe("bodyInvalid");
});

test("row E7: a nonce never starts again, emptied account or not", async () => {
  const network = new LedgerNetwork({ balances: [["alice", { thetaWei: 0n, tfuelWei: 3n }]] });
  const first = send(network, "alice", "bob", 1n, 1n);
  expect((await network.execute([first])).ok).toBe(true);
  expect(network.state.account(addressOf("alice"))).toMatchObject({ nonce: 1n, balance: 0n });
  const account = network.state.account(addressOf("alice"));
  const journal = new Journal(network.state);
  if (account !== null) journal.setAccount(addressOf("alice"), { ...account, balance: 3n });
  network.state = network.state.apply(journal.changes());
  const again = await network.execute([first]);
  expect(again.ok ? "executed" : again.refusal.refusal.code).toBe("sequenceTooLow");
});

test("row E8: the last sequence is never used, so none can follow it", async () => {
  const network = new LedgerNetwork({ balances: [["alice", rich]] });
  const account = network.state.account(addressOf("alice"));
  expect(account).not.toBeNull();
  for (const [nonce, code] of [
    [nonceMax - 2n, null],
    [nonceMax - 1n, "sequenceTooHigh"],
  ] as const) {
    const journal = new Journal(network.state);
    if (account !== null) journal.setAccount(addressOf("alice"), { ...account, nonce });
    network.state = network.state.apply(journal.changes());
    const outcome = await network.execute([send(network, "alice", "bob", nonce + 1n)]);
    expect(outcome.ok ? null : outcome.refusal.refusal.code).toBe(code);
  }
});

test("row E9: amounts at the top of 256 bits are refused, and nothing wraps", async () => {
  const top = (1n << 256n) - 1n;
  const network = new LedgerNetwork({ balances: [["alice", rich]] });
  const outcomes: string[] = [];
  const run = async (transaction: Verified<Transaction>): Promise<void> => {
    const outcome = await network.execute([transaction]);
    if (!outcome.ok) outcomes.push(outcome.refusal.refusal.code);
    else outcomes.push(outcome.value.receipts[0]?.failure ?? "");
  };
  const transfer = { nonce: 0n, to: addressOf("bob") };
  await run(network.ethereum("alice", transferOf({ ...transfer, value: top })));
  await run(network.ethereum("alice", transferOf({ ...transfer, value: 0n, maxFeePerGas: top })));
  await run(network.ethereum("alice", transferOf({ ...transfer, value: 0n, gasLimit: top })));
  await run(send(network, "alice", "bob", 1n, top));
  await run(send(network, "alice", "bob", 2n, 0n));
  expect(outcomes).toEqual([
    "balanceTooLow",
    "feeOverflow",
    "gasLimitTooHigh",
    "balanceTooLow",
    "",
  ]);
});

test("row E11: neither transactions nor the state below are changed", async () => {
  const network = new LedgerNetwork({ balances: [["alice", rich]] });
  const before = network.state;
  const dump = JSON.stringify(before.dump());
  const transaction = send(network, "alice", "bob", 1n);
  const encoded = bytesToHex(transaction.encoded);
  const freeze = (value: unknown): void => {
    if (typeof value !== "object" || value === null || value instanceof Uint8Array) return;
    Object.values(Object.freeze(value)).forEach(freeze);
  };
  freeze(transaction);
  expect((await network.execute([transaction])).ok).toBe(true);
  expect(JSON.stringify(before.dump())).toBe(dump);
  expect(bytesToHex(transaction.encoded)).toBe(encoded);
});

test("row E13: no clock, dice or environment inside a block", async () => {
  const run = async (): Promise<string> => {
    const network = await checkTable(`
      stakes  hugo hugo 500
      account alice theta 1000 tfuel 1000
      set reward.tfuelWeiPerBlock 3
      send alice bob theta 1      -> ok
      deposit alice hugo theta 100 -> ok
      withdraw alice hugo         -> ok
      blocks 20                   -> ok
    `);
    return network.state.root;
  };
  const expected = await run();
  const { now } = Date;
  const { random } = Math;
  const env = process.env;
  const forbidden = (): never => {
    throw new Error("a state transition looked outside");
  };
  try {
    Date.now = forbidden;
    Math.random = forbidden;
    process.env = new Proxy({}, { get: forbidden });
    expect(await run()).toBe(expected);
  } finally {
    Date.now = now;
    Math.random = random;
    process.env = env;
  }
});

test("a module's state and the accounts are only for who holds the right", () => {
  const network = new LedgerNetwork({ balances: [] });
  const facts = {
    chain: network.genesis.chain,
    block: network.next(),
    parameters: network.executor.parameters(network.state),
  };
  const workspace = new Workspace(new Journal(network.state), network.registry, facts);
  expect(() => workspace.state(createModuleKey("bank"))).toThrow("a foreign key claims");
  expect(() => workspace.accounts(stakeKey)).toThrow("does not own accounts");
});

test("logs of modules are typed: address, signature, value", async () => {
  const network = new LedgerNetwork({
    balances: [["alice", { thetaWei: 100n, tfuelWei: 100n }]],
  });
  const body = {
    type: "send",
    fee: smallFee,
    inputs: [inputOf("alice", { thetaWei: 7n, tfuelWei: 2n }, 1n)],
    outputs: [{ address: addressOf("bob"), coins: { thetaWei: 7n, tfuelWei: 0n } }],
  } as const;
  const outcome = await network.execute([
    network.theta(body, [{ address: addressOf("alice"), sequence: 1n }]),
  ]);
  const log = outcome.ok ? outcome.value.receipts[0]?.logs[0] : undefined;
  expect(log?.address).toBe(moduleAddress("bank"));
  expect(log === undefined ? null : network.registry.describeLog(log)).toEqual({
    module: "bank",
    event: "ThetaReceived",
    value: { to: addressOf("bob"), thetaWei: "7" },
  });
  expect(outcome.ok && outcome.value.logsBloom).toEqual(
    outcome.ok ? outcome.value.receipts[0]?.logsBloom : null,
  );
});

test("the base fee rises and falls by an eighth at most and keeps its floor [EIP-1559]", () => {
  const parameters = new Parameters(
    new Map([
      ["chain.baseFeeFloor", 80n],
      ["chain.baseFeeChangeDenominator", 8n],
      ["chain.elasticityMultiplier", 2n],
    ]),
  );
  const next = (gasUsed: bigint, baseFee: bigint): bigint =>
    nextBaseFee({ gasUsed, gasLimit: 200n, baseFee }, parameters);
  expect([next(200n, 800n), next(100n, 800n), next(0n, 800n), next(150n, 800n)]).toEqual([
    900n,
    800n,
    700n,
    850n,
  ]);
  expect([next(0n, 85n), next(0n, 80n), next(101n, 80n)]).toEqual([80n, 80n, 81n]);
});

test("admission says what a transaction may use and cost, or why it would not do", () => {
  const network = new LedgerNetwork({ balances: [["alice", rich]] });
  const admission = network.executor.admission(network.state, network.next());
  expect(admission.check(send(network, "alice", "bob", 9n, 5n))).toEqual({
    ok: true,
    value: { gas: 2n, cost: 7n, subject: null },
  });
  const transfer = transferOf({ nonce: 4n, to: addressOf("bob"), value: 5n, maxFeePerGas: 3n });
  expect(admission.check(network.ethereum("alice", transfer))).toEqual({
    ok: true,
    value: { gas: 21_000n, cost: 63_005n, subject: null },
  });
  const poor = admission.check(send(network, "carol", "bob", 1n));
  expect(poor.ok ? null : poor.refusal.code).toBe("balanceTooLow");
  const much = admission.check(send(network, "alice", "bob", 1n, 10n ** 12n - 1n));
  expect(much.ok ? null : much.refusal.code).toBe("balanceTooLow");
  expect(admission.account(addressOf("alice"))).toEqual({
    address: addressOf("alice"),
    nonce: 0n,
    thetaWei: 0n,
    tfuelWei: 10n ** 12n,
  });
});

test("an operation that expires, repeats or is too large is refused", async () => {
  const network = new LedgerNetwork({ balances: [["alice", rich]] });
  const signers = [{ address: addressOf("alice"), sequence: 1n }];
  const op = { module: "stake", name: "registerKey", body: new Uint8Array(0) };
  const rest = { fee: 10n, gasLimit: 10n, expiryHeight: 0 };
  const expired = await network.execute([network.operation(signers, op, rest)]);
  expect(expired.ok ? null : expired.refusal.refusal.code).toBe("expired");
  const whole = send(network, "alice", "bob", 1n);
  const large = { ...whole, encoded: textToBytes(".".repeat(131_073)) };
  const refused = await network.execute([large]);
  expect(refused.ok ? null : refused.refusal.refusal.code).toBe("transactionTooLarge");
  const twice = await network.execute([whole, whole]);
  expect(twice.ok ? null : twice.refusal.refusal.code).toBe("sequenceTooLow");
});

test("contracts neither send nor take part in a send; nobody signs twice", async () => {
  const network = new LedgerNetwork({
    balances: [
      ["alice", rich],
      ["code", rich],
    ],
  });
  const journal = new Journal(network.state);
  const contract = journal.account(addressOf("code"));
  expect(contract).not.toBeNull();
  const stop = Uint8Array.of(0);
  const codeHash = keccakDigest(stop);
  if (contract !== null) journal.setAccount(addressOf("code"), { ...contract, codeHash });
  journal.setCode(codeHash, stop);
  network.state = network.state.apply(journal.changes());
  const codes: (string | undefined)[] = [];
  const run = async (transaction: Verified<Transaction>): Promise<void> => {
    const outcome = await network.execute([transaction]);
    codes.push(outcome.ok ? outcome.value.receipts[0]?.failure : outcome.refusal.refusal.code);
  };
  await run(send(network, "code", "bob", 1n));
  await run(send(network, "alice", "code", 1n));
  const to = addressOf("code");
  const gasLimit = 50_000n;
  await run(network.ethereum("alice", transferOf({ nonce: 1n, to, value: 1n, gasLimit })));
  const first = addressOf("alice");
  const signers = [3n, 3n].map((sequence) => ({ address: first, sequence }));
  const body = {
    type: "send",
    fee: { thetaWei: 0n, tfuelWei: 3n },
    inputs: [3n, 3n].map((sequence) => inputOf("alice", smallFee, sequence)),
    outputs: [{ address: addressOf("bob"), coins: { thetaWei: 0n, tfuelWei: 1n } }],
  } as const;
  await run(network.theta(body, signers));
  expect(codes).toEqual(["senderHasCode", "accountIsContract", "", "signerRepeated"]);
});

test("a transaction without sequences is in a block once", async () => {
  const network = new LedgerNetwork({ balances: [["alice", rich]] });
  const whole = send(network, "alice", "bob", 1n);
  const free = {
    ...whole,
    signers: [{ address: addressOf("alice"), sequence: null }],
  };
  const twice = await network.execute([free, free]);
  expect(twice.ok ? null : twice.refusal.refusal.code).toBe("transactionRepeated");
});

test("every refusal has a sentence with both values, and a number of Theta's", () => {
  const sentence = refusalSentence({
    code: "sequenceTooLow",
    got: 3n,
    expected: 4n,
    address: addressOf("alice"),
  });
  expect(sentence).toBe(
    `the sequence was used already: got 3, expected 4 (account ${addressOf("alice")})`,
  );
  for (const { thetaCode, sentence: text } of Object.values(refusalMeanings)) {
    expect(thetaCode).toBeGreaterThanOrEqual(100_000);
    expect(text).not.toMatch(/[.:]$/);
  }
});

import { expect, test } from "vitest";
import { addressOf, LedgerNetwork } from "../test/fakes/ledgerNetwork.ts";
import { createModuleKey, createQuery } from "../ledger/definitions.ts";
import type { Module, ReadContext } from "../ledger/module.ts";
import { coreRegistry } from "../ledger/runtime.ts";
import { Registry } from "../ledger/registry.ts";
import { amountField, bytesField, recordField } from "../ledger/schema.ts";
import { bytesToHex } from "../base/bytes.ts";
import { accept } from "../base/outcome.ts";
import { answerQuery } from "./api.ts";

/* A query's parameters are decoded once: a decoded number or byte string is no JSON any more. */

const key = createModuleKey("echo");

const echo: Module = {
  key,
  name: key.name,
  version: 1,
  parameters: {},
  operations: {},
  queries: {
    both: createQuery(
      "what it was asked",
      recordField({ amount: amountField, bytes: bytesField(3) }),
      (_context, { amount, bytes }) =>
        accept({ next: `${amount + 1n}`, bytes: bytesToHex(bytes), size: bytes.length }),
    ),
  },
  events: [],
  jobs: [],
  genesis: { init: () => {} },
  invariants: [],
};

const network = new LedgerNetwork({ balances: [["alice", { thetaWei: 1n, tfuelWei: 2n }]] });
const open = (): ReadContext => network.executor.open(network.state, network.next());

test("integers beyond doubles and bytes reach a query as they were sent", () => {
  const registry = new Registry([...coreRegistry.modules, echo]);
  const parameters = { amount: "340282366920938463463374607431768211455", bytes: "0x00ff10" };
  const answer = answerQuery(registry, { module: "echo", query: "both", parameters }, open);
  const next = "340282366920938463463374607431768211456";
  expect(answer).toEqual(accept({ next, bytes: "0x00ff10", size: 3 }));
});

test("a pool's sequence is a number of any size, and an address any letter case", () => {
  const owner = `0x${addressOf("alice").slice(2).toUpperCase()}`;
  const parameters = { owner, sequence: "9223372036854775809" };
  const pool = { module: "reserve", query: "pool", parameters };
  expect(answerQuery(coreRegistry, pool, open)).toEqual(accept(null));
});

test.each([
  ["unknownModule", { module: "none", query: "pool", parameters: {} }],
  ["unknownQuery", { module: "bank", query: "pool", parameters: {} }],
  ["parametersInvalid", { module: "reserve", query: "pool", parameters: { owner: 1 } }],
  ["parametersInvalid", { module: "bank", query: "balance", parameters: null }],
])("is refused: %s", (code, request) => {
  expect(answerQuery(coreRegistry, request, open)).toMatchObject({ refusal: { code } });
});

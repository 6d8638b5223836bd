import { expect, test } from "vitest";

import { bytesToHex, textToAddressOrNull, zeroAddress, zeroDigest } from "../base/bytes.ts";
import { createFakeServer, ethereumTransfer } from "../test/fakes/fakeServer.ts";
import { Filters, type Filter } from "./filters.ts";
import { rpcLimitsDefault, type RpcLimits } from "./limits.ts";

const receiver = textToAddressOrNull("0x9F1233798E905E173560071255140b4A8aBd3Ec6") ?? zeroAddress;

function client(limits: Partial<RpcLimits> = {}) {
  const { server, node } = createFakeServer({ limits });
  const call = async (method: string, ...params: readonly unknown[]) => {
    const payload = { jsonrpc: "2.0", id: 1, method, params };
    const answer = await server.app.inject({ method: "POST", url: "/rpc", payload });
    const { result, error } = answer.json();
    return error === undefined ? result : { error };
  };
  return { node, call };
}

const blocks = (): Filter => ({ type: "blocks", next: 1 });

test("filters tell what is new once: blocks, pending transactions, logs", async () => {
  const { node, call } = client();
  const heads = await call("eth_newBlockFilter");
  const pending = await call("eth_newPendingTransactionFilter");
  const logs = await call("eth_newFilter", { address: receiver });
  const hash = await call("eth_sendRawTransaction", bytesToHex(ethereumTransfer(0n, receiver, 7n)));
  expect(await call("eth_getFilterChanges", pending)).toEqual([hash]);
  expect(await call("eth_getFilterChanges", pending)).toEqual([]);
  expect(await call("eth_getFilterChanges", heads)).toEqual([]);
  const block = node.commit();
  const log = { address: receiver, topics: [], data: new Uint8Array(0) };
  node.foundLogs = [{ log, block, index: 0, transactionHash: zeroDigest, transactionIndex: 0 }];
  expect(await call("eth_getFilterChanges", heads)).toEqual([block.hash]);
  expect(await call("eth_getFilterChanges", heads)).toEqual([]);
  expect(await call("eth_getFilterChanges", logs)).toMatchObject([{ blockNumber: "0x1" }]);
  expect(await call("eth_getFilterChanges", logs)).toEqual([]);
  expect(await call("eth_getFilterLogs", logs)).toMatchObject([{ blockNumber: "0x1" }]);
  expect(await call("eth_uninstallFilter", heads)).toBe(true);
  expect(await call("eth_uninstallFilter", heads)).toBe(false);
  expect(await call("eth_getFilterChanges", heads)).toMatchObject({
    error: { code: -32_000, message: "filter not found" },
  });
});

test("A2: 10,000 filters that nobody polls end at a named limit, and are forgotten", () => {
  let nowMs = 0;
  const filters = new Filters(rpcLimitsDefault, () => nowMs);
  const added = Array.from({ length: 10_000 }, () => filters.add(blocks()));
  expect(added.filter((one) => "full" in one)).toHaveLength(10_000 - 4_096);
  expect(filters.count).toBe(4_096);
  nowMs = rpcLimitsDefault.filterIdleMs / 2;
  const first = added[0];
  const name = first !== undefined && "name" in first ? first.name : "";
  expect(filters.get(name)).not.toBeNull();
  nowMs = rpcLimitsDefault.filterIdleMs + 1;
  expect(filters.get(name)).not.toBeNull();
  expect(filters.count).toBe(1);
});

test("A2: terms of all filters together are bounded", () => {
  const filters = new Filters({ ...rpcLimitsDefault, filterTermsMax: 10 }, () => 0);
  const addresses = Array.from({ length: 8 }, () => zeroAddress);
  const filter: Filter = {
    type: "logs",
    terms: { addresses, topics: [] },
    from: 0,
    to: null,
    next: 0,
  };
  const first = filters.add(filter);
  expect("name" in first).toBe(true);
  expect(filters.add(filter)).toEqual({ full: "filterTermsMax" });
  if ("name" in first) filters.remove(first.name);
  expect("name" in filters.add(filter)).toBe(true);
});

test("a filter's range and terms are read strictly", async () => {
  const { call } = client();
  for (const [filter, words] of [
    [{ fromBlock: "0x2" }, "beyond current head"],
    [{ address: "0x1" }, "address"],
    [{ topics: [[[]]] }, "topics"],
    [{ topics: [null, null, null, null, null] }, "more than 4 places"],
    [{ blockHash: zeroDigest, fromBlock: "0x0" }, "both blockHash"],
    [{ address: Array.from({ length: 1_001 }, () => receiver) }, "1001 items"],
  ] as const) {
    expect(await call("eth_getLogs", filter)).toMatchObject({
      error: { code: -32_602, message: expect.stringContaining(words) },
    });
  }
  expect(await call("eth_getLogs", { blockHash: zeroDigest })).toMatchObject({
    error: { code: -32_000, message: "unknown block" },
  });
});

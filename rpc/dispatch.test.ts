import { Registry } from "prom-client";
import { expect, test } from "vitest";

import { NodeError } from "../base/nodeError.ts";
import { accept, refuse } from "../base/outcome.ts";
import { Dispatcher, method, type Method } from "./dispatch.ts";
import { serverError } from "./errors.ts";
import { JsonText } from "./json.ts";
import { rpcLimitsDefault, type RpcLimits } from "./limits.ts";
import { createRpcMetrics } from "./metrics.ts";
import { flag, optional, safeNumber } from "./parameters.ts";

const context = { signal: new AbortController().signal, subscriber: null };
const plain = { style: "array", parameters: {}, heavy: false, summary: "" } as const;

const methods: readonly Method[] = [
  { ...plain, name: "one", invoke: () => accept(1) },
  { ...plain, name: "text", invoke: () => accept(new JsonText('{"a":[1]}')) },
  { ...plain, name: "later", invoke: () => Promise.resolve(accept("x")) },
  { ...plain, name: "refuse", invoke: () => refuse(serverError("no", { got: "1" })) },
  {
    ...plain,
    name: "throw",
    invoke: () => {
      throw new Error("poison");
    },
  },
  { ...plain, name: "throwLater", invoke: () => Promise.reject(new Error("poison")) },
  { ...plain, name: "large", invoke: () => accept("a".repeat(2_000)) },
  method({
    name: "theta.Named",
    summary: "",
    style: "object",
    parameters: { height: safeNumber, preview: optional(flag, false) },
    call: ({ height, preview }) => accept([height, preview]),
  }),
  method({
    name: "eth_position",
    summary: "",
    style: "array",
    parameters: { height: safeNumber, preview: optional(flag, false) },
    call: ({ height, preview }) => accept([height, preview]),
  }),
];

function dispatcher(limits: Partial<RpcLimits> = {}) {
  const registry = new Registry();
  const logged: unknown[] = [];
  const log = {
    error: (message: string, values?: Record<string, unknown>): void =>
      void logged.push([message, values]),
    warn: (): void => undefined,
  };
  const metrics = createRpcMetrics(registry);
  const options = { limits: { ...rpcLimitsDefault, ...limits }, metrics, log };
  return { registry, logged, answering: new Dispatcher(methods, options) };
}

async function ask(body: unknown, limits: Partial<RpcLimits> = {}): Promise<unknown> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const answer = await dispatcher(limits).answering.answer(text, context);
  return answer === null ? null : JSON.parse(answer);
}

function call(name: string, params?: unknown, id: unknown = 1): Record<string, unknown> {
  return { jsonrpc: "2.0", id, method: name, ...(params === undefined ? {} : { params }) };
}

const failed = (code: number, id: unknown = null): unknown => ({
  jsonrpc: "2.0",
  id,
  error: expect.objectContaining({ code, message: expect.any(String) }),
});

test("values, ready text and later values are answered with the call's id", async () => {
  expect(await ask(call("one"))).toEqual({ jsonrpc: "2.0", id: 1, result: 1 });
  expect(await ask(call("text"))).toEqual({ jsonrpc: "2.0", id: 1, result: { a: [1] } });
  expect(await ask(call("later", [], "i"))).toEqual({ jsonrpc: "2.0", id: "i", result: "x" });
  expect(await ask(call("refuse"))).toEqual(failed(-32_000, 1));
});

test("A1: ids of every kind are echoed or refused, never changed", async () => {
  for (const id of [0, -1, 2 ** 53 - 1, "", "\0", "é", "a".repeat(300), null])
    expect(await ask(call("one", [], id))).toEqual({ jsonrpc: "2.0", id, result: 1 });
  for (const id of ["1e400", "123456789012345678901234567890", "1.5", "{}", "[]", "true"])
    expect(await ask(`{"jsonrpc":"2.0","id":${id},"method":"one"}`)).toEqual(failed(-32_600));
});

test("A1: what is not a request is refused by the specification's numbers", async () => {
  for (const body of ["", " ", "[[", "nope", '{"a":01}', '{"a":NaN}'])
    expect(await ask(body)).toEqual(failed(-32_700));
  for (const body of ["1", '"x"', "true", "null", "[]", "{}"])
    expect(await ask(body)).toEqual(failed(-32_600));
  expect(await ask({ id: 1, method: "one" })).toEqual(failed(-32_600, 1));
  expect(await ask({ ...call("one"), jsonrpc: "1.0" })).toEqual(failed(-32_600, 1));
  for (const params of ["foo", 1, null, true])
    expect(await ask(call("one", params))).toEqual(failed(-32_600, 1));
  expect(await ask({ jsonrpc: "2.0", id: 1, method: ["one"] })).toEqual(failed(-32_600, 1));
});

test("notifications are carried out and not answered", async () => {
  expect(await ask({ jsonrpc: "2.0", method: "one" })).toBeNull();
  expect(await ask({ jsonrpc: "2.0", method: "nothing" })).toBeNull();
  expect(await ask([{ jsonrpc: "2.0", method: "one" }, call("one")])).toEqual([
    { jsonrpc: "2.0", id: 1, result: 1 },
  ]);
  expect(await ask([{ jsonrpc: "2.0", method: "one" }])).toBeNull();
});

test("a batch keeps its order and mixes results with errors", async () => {
  expect(
    await ask([call("later"), { foo: 1 }, call("nope", [], 2), 3, call("one", [], 4)]),
  ).toEqual([
    { jsonrpc: "2.0", id: 1, result: "x" },
    failed(-32_600),
    failed(-32_601, 2),
    failed(-32_600),
    { jsonrpc: "2.0", id: 4, result: 1 },
  ]);
});

test("A1: a batch of 10,000 and a body nested too deep name their limit", async () => {
  const batch = Array.from({ length: 10_000 }, () => call("one"));
  const limit = { limit: "batchCallsMax", max: 1_000, got: 10_000 };
  expect(await ask(batch)).toMatchObject({ id: null, error: { code: -32_005, data: limit } });
  const deep = `{"jsonrpc":"2.0","id":1,"method":"one","params":${"[".repeat(100_000)}`;
  expect(await ask(deep)).toMatchObject({ error: { data: { limit: "nestingMax" } } });
});

test("an answer beyond the limit is replaced by an error, alone or in a batch", async () => {
  const limits = { responseSizeMax: 1_000 };
  expect(await ask(call("large"), limits)).toMatchObject({
    error: { code: -32_005, data: { limit: "responseSizeMax" } },
  });
  const batch = Array.from({ length: 30 }, () => call("one"));
  expect(await ask(batch, limits)).toMatchObject({ error: { code: -32_005 } });
});

test("A15: a poison call is answered, counted and logged; the next one is served", async () => {
  const { answering, registry, logged } = dispatcher();
  for (const name of ["throw", "throwLater"]) {
    const answer = await answering.answer(JSON.stringify(call(name)), context);
    expect(JSON.parse(answer ?? "")).toEqual(failed(-32_603, 1));
    expect(answer).not.toContain("poison");
  }
  expect(logged).toHaveLength(2);
  expect(await registry.metrics()).toContain('ledger_rpc_throws_total{method="throw"} 1');
  expect(await answering.answer(JSON.stringify(call("one")), context)).toContain('"result":1');
});

test("an unknown method gets the nearest name, and no prototype is a method", async () => {
  expect(await ask(call("eth_positon"))).toMatchObject({
    error: { code: -32_601, data: { nearest: "eth_position" } },
  });
  for (const name of ["hasOwnProperty", "constructor", "__proto__", "", " one", "a".repeat(1e6)]) {
    const answer = await ask(call(name));
    expect(answer).toEqual(failed(-32_601, 1));
    expect(JSON.stringify(answer).length).toBeLessThan(400);
  }
});

test("E10: a duplicate key counts once, and __proto__ is a name like any other", async () => {
  const twice = '{"jsonrpc":"2.0","id":1,"method":"throw","method":"one"}';
  expect(await ask(twice)).toEqual({ jsonrpc: "2.0", id: 1, result: 1 });
  const polluted =
    '{"jsonrpc":"2.0","id":1,"method":"theta.Named","params":{"__proto__":{"height":1}}}';
  expect(await ask(polluted)).toEqual(failed(-32_602, 1));
  expect("height" in {}).toBe(false);
  const inherited = '{"__proto__":{"jsonrpc":"2.0","id":1,"method":"one"}}';
  expect(await ask(inherited)).toEqual(failed(-32_600));
});

test("parameters come as [{}], {} or by position", async () => {
  for (const params of [[{ height: 3 }], { height: "3" }, ["0x3"]])
    expect(await ask(call("theta.Named", params))).toMatchObject({ result: [3, false] });
  expect(await ask(call("eth_position", ["0x3", true]))).toMatchObject({ result: [3, true] });
  expect(await ask(call("eth_position", { height: 3 }))).toMatchObject({ result: [3, false] });
  for (const params of [[], {}, ["x"], [1, true, 2], [1, "yes"], [[1]]])
    expect(await ask(call("eth_position", params))).toEqual(failed(-32_602, 1));
});

test("heavy calls wait in line, and the line is bounded", async () => {
  const releases: (() => void)[] = [];
  const heavy: Method = {
    ...plain,
    name: "heavy",
    heavy: true,
    invoke: () => new Promise((resolve) => releases.push(() => resolve(accept(1)))),
  };
  const limits = { ...rpcLimitsDefault, heavyCallsMax: 1, heavyQueueMax: 1 };
  const metrics = createRpcMetrics(new Registry());
  const log = { error: (): void => undefined, warn: (): void => undefined };
  const answering = new Dispatcher([heavy], { limits, metrics, log });
  const ask3 = [1, 2, 3].map((id) =>
    answering.answer(JSON.stringify(call("heavy", [], id)), context),
  );
  expect(await ask3[2]).toContain("heavyQueueMax");
  expect(releases).toHaveLength(1);
  releases[0]?.();
  expect(await ask3[0]).toContain('"result":1');
  releases[1]?.();
  expect(await ask3[1]).toContain('"result":1');
});

test("D5: a damaged disk is told to the node; the client learns the code and no path", async () => {
  const damage = new NodeError("E_DATA_CORRUPT", "a stored value is damaged (/data/store)");
  const damaged: Method = {
    ...plain,
    name: "damaged",
    invoke: () => {
      throw damage;
    },
  };
  const thrown: unknown[] = [];
  const answering = new Dispatcher([damaged], {
    limits: rpcLimitsDefault,
    metrics: createRpcMetrics(new Registry()),
    log: { error: (): void => undefined, warn: (): void => undefined },
    onThrow: (error) => thrown.push(error),
  });
  const answer = await answering.answer(JSON.stringify(call("damaged")), context);
  expect(JSON.parse(answer ?? "")).toEqual(failed(-32_603, 1));
  expect(answer).toContain("E_DATA_CORRUPT");
  expect(answer).not.toContain("/data");
  expect(thrown).toEqual([damage]);
});

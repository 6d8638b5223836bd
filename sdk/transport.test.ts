import { expect, test } from "vitest";
import { ProtocolError, RpcError, TimeoutError, UnreachableError } from "./errors.ts";
import { answerBytesMax, batchCallsMax, Transport } from "./transport.ts";

type Request = { readonly id: number; readonly method: string; readonly params: unknown };

/** A transport whose server is a function from the parsed body to the text of its answer. */
function transportTo(answer: (body: unknown) => string): Transport {
  return new Transport({
    url: "http://node.test/rpc",
    fetch: async (_url, init) => new Response(answer(await new Response(init?.body).json())),
  });
}

function single(answer: (request: Request) => object): Transport {
  return transportTo((body) => {
    const request = body as Request;
    return JSON.stringify({ jsonrpc: "2.0", id: request.id, ...answer(request) });
  });
}

test("a call sends method and params and gives back the result", async () => {
  const transport = single(({ method, params }) => ({ result: { method, params } }));
  expect(await transport.call("theta.GetBlock", { hash: "0x1" })).toEqual({
    method: "theta.GetBlock",
    params: { hash: "0x1" },
  });
});

test.each([
  [{ code: -32_601, message: "no method" }, "E_METHOD_NOT_FOUND"],
  [{ code: -32_602, message: "bad" }, "E_BAD_PARAMETERS"],
  [{ code: -32_005, message: "limit" }, "E_LIMIT"],
  [{ code: -32_000, message: "no", data: { code: "E_SEQ_GAP" } }, "E_SEQ_GAP"],
  [{ code: -32_000, message: "no", data: { resultCode: 100_003 } }, "E_INSUFFICIENT_FUNDS"],
  [{ code: -32_000, message: "no", data: { code: "__proto__" } }, "E_REFUSED"],
  [{ code: -32_000, message: "no" }, "E_REFUSED"],
])("the error %o has the code %s", async (error, code) => {
  const failure = await single(() => ({ error }))
    .call("theta.GetBlock")
    .catch((thrown: unknown) => thrown);
  expect(failure).toBeInstanceOf(RpcError);
  expect(failure).toMatchObject({ code, rpcCode: error.code, message: error.message });
});

test("a node's message cannot steer a terminal", async () => {
  const transport = single(() => ({ error: { code: 1, message: "a\u001b[2Jb\nc" } }));
  await expect(transport.call("x")).rejects.toThrow("a [2Jb c");
});

test.each([["<html>"], [""], ["[]"], ["null"], ['{"id":1}']])(
  "the answer %s is no JSON-RPC",
  async (text) => {
    await expect(transportTo(() => text).call("x")).rejects.toBeInstanceOf(ProtocolError);
  },
);

test("an answer to another call is refused", async () => {
  const transport = transportTo(() => '{"jsonrpc":"2.0","id":99,"result":1}');
  await expect(transport.call("x")).rejects.toBeInstanceOf(ProtocolError);
});

test("an answer beyond the limit is refused before it is whole", async () => {
  const chunk = new Uint8Array(1_048_576).fill(0x20);
  let sent = 0;
  const transport = new Transport({
    url: "http://node.test/rpc",
    fetch: async () =>
      new Response(
        new ReadableStream({
          pull: (controller) => {
            sent += chunk.length;
            controller.enqueue(chunk);
          },
        }),
      ),
  });
  await expect(transport.call("x")).rejects.toThrow(/larger/);
  expect(sent).toBeLessThan(answerBytesMax + 4 * chunk.length);
});

test("no connection is an unreachable node, with the system's code", async () => {
  const transport = new Transport({
    url: "http://node.test/rpc",
    fetch: () => {
      const cause = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
      return Promise.reject(new TypeError("fetch failed", { cause }));
    },
  });
  const failure = await transport.call("x").catch((thrown: unknown) => thrown);
  expect(failure).toBeInstanceOf(UnreachableError);
  expect(String(failure)).toContain("ECONNREFUSED");
});

/** A server that never answers, and honours the signal. */
const silent: typeof fetch = (_url, init) =>
  new Promise((_resolve, reject) => {
    init?.signal?.addEventListener("abort", () => reject(init.signal?.reason as Error));
  });

test("a deadline that passes is a timeout", async () => {
  const transport = new Transport({ url: "http://node.test/rpc", fetch: silent, timeoutMs: 1 });
  await expect(transport.call("x")).rejects.toBeInstanceOf(TimeoutError);
});

test("an aborted call rejects with the caller's own reason", async () => {
  const reason = new Error("stop");
  const transport = new Transport({ url: "http://node.test/rpc", fetch: silent });
  const abort = new AbortController();
  const call = transport.call("x", {}, { signal: abort.signal });
  abort.abort(reason);
  await expect(call).rejects.toBe(reason);
});

test("a batch gives outcomes in the order of its calls, not of the answers", async () => {
  const transport = transportTo((body) => {
    const requests = body as readonly Request[];
    const answers = requests.map(({ id, method }) =>
      method === "bad" ? { id, error: { code: -32_601, message: "no" } } : { id, result: method },
    );
    return JSON.stringify(answers.toReversed());
  });
  const outcomes = await transport.batch([{ method: "a" }, { method: "bad" }, { method: "c" }]);
  expect(outcomes.map((one) => (one.ok ? one.value : one.refusal.code))).toEqual([
    "a",
    "E_METHOD_NOT_FOUND",
    "c",
  ]);
});

test("a batch has a limit, and one that lacks an answer is refused", async () => {
  const transport = transportTo(() => "[]");
  const many = Array.from({ length: batchCallsMax + 1 }, () => ({ method: "a" }));
  await expect(transport.batch(many)).rejects.toThrow(RangeError);
  await expect(transport.batch([{ method: "a" }])).rejects.toBeInstanceOf(ProtocolError);
  expect(await transport.batch([])).toEqual([]);
});

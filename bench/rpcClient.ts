/** A JSON-RPC call to the measured server. */
export type Call = { readonly method: string; readonly params: unknown };

/** Longest wait for one answer. */
const callMsMax = 30_000;

async function post(url: string, body: unknown): Promise<unknown> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(callMsMax),
  });
  return response.json();
}

function resultOf(answer: unknown, call: Call): unknown {
  if (typeof answer === "object" && answer !== null && "result" in answer) return answer.result;
  throw new Error(`${call.method}: ${JSON.stringify(answer)}`);
}

/** One call; throws on an error answer. */
export async function callRpc(url: string, call: Call): Promise<unknown> {
  return resultOf(await post(url, { jsonrpc: "2.0", id: 1, ...call }), call);
}

/** Calls in one batch; results in the order of the calls; throws on the first error answer. */
export async function callBatch(url: string, calls: readonly Call[]): Promise<readonly unknown[]> {
  const answers = await post(
    url,
    calls.map((call, id) => ({ jsonrpc: "2.0", id, ...call })),
  );
  if (!Array.isArray(answers)) throw new Error(`batch: ${JSON.stringify(answers)}`);
  const byId = new Map<unknown, unknown>();
  for (const answer of answers as readonly unknown[]) {
    if (typeof answer === "object" && answer !== null && "id" in answer)
      byId.set(answer.id, answer);
  }
  return calls.map((call, id) => resultOf(byId.get(id), call));
}

/** A quantity of an Ethereum answer. */
export function quantity(value: unknown): bigint {
  if (typeof value !== "string") throw new Error(`not a quantity: ${JSON.stringify(value)}`);
  return BigInt(value);
}

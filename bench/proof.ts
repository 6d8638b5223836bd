import type { Signer } from "../sdk/wallet.ts";
import { callBatch, callRpc, quantity } from "./rpcClient.ts";
import { senderTfuelWei } from "./senders.ts";
import type { Server } from "./server.ts";
import { nativeFeeTfuelWei, type TransferKind } from "./transactionFile.ts";

/** Calls in one batch. */
const batchCalls = 200;

async function each(
  server: Server,
  method: string,
  params: readonly (readonly unknown[])[],
): Promise<readonly unknown[]> {
  const results: unknown[] = [];
  for (let at = 0; at < params.length; at += batchCalls) {
    const slice = params.slice(at, at + batchCalls).map((values) => ({ method, params: values }));
    results.push(...(await callBatch(server.url, slice)));
  }
  return results;
}

/** TFuelWei burned by the base fees of all blocks. */
async function burnedByGas(server: Server): Promise<bigint> {
  const head = Number(
    quantity(await callRpc(server.url, { method: "eth_blockNumber", params: [] })),
  );
  const tags = Array.from({ length: head }, (_, i) => [`0x${(i + 1).toString(16)}`, false]);
  let burned = 0n;
  for (const block of await each(server, "eth_getBlockByNumber", tags)) {
    const { gasUsed, baseFeePerGas } = block as Readonly<Record<string, unknown>>;
    burned += quantity(gasUsed) * quantity(baseFeePerGas);
  }
  return burned;
}

/**
 * Checks by RPC that the work was done: the senders' nonces add up to the committed transactions,
 * and their balances to what they had less the fees. Answers one sentence; throws if it does not
 * hold.
 */
export async function proveWork(
  server: Server,
  senders: readonly Signer[],
  done: { readonly kind: TransferKind; readonly accepted: number; readonly committed: number },
): Promise<string> {
  const params = senders.map(({ address }) => [address, "latest"]);
  const sum = (values: readonly unknown[]): bigint =>
    values.reduce<bigint>((total, value) => total + quantity(value), 0n);
  const nonces = sum(await each(server, "eth_getTransactionCount", params));
  const balances = sum(await each(server, "eth_getBalance", params));
  const fees =
    done.kind === "native" ? BigInt(done.committed) * nativeFeeTfuelWei : await burnedByGas(server);
  const expected = BigInt(senders.length) * senderTfuelWei - fees;
  if (nonces !== BigInt(done.committed) || done.accepted !== done.committed) {
    throw new Error(
      `accepted ${done.accepted}, committed ${done.committed}, nonces advanced by ${nonces}`,
    );
  }
  if (balances !== expected) {
    throw new Error(`balances sum to ${balances}, expected ${expected}`);
  }
  return `${nonces} nonces advanced, balances conserved`;
}

import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { privateKeyToAccount } from "viem/accounts";
import { installTool } from "../integration/tools.ts";
import type { SignedVoucher } from "../ledger/voucher.ts";
import { Payer } from "../sdk/pay/payer.ts";
import { FakePayChain } from "../test/fakes/payChain.ts";
import { MemoryStore, testAddress, testSigner } from "../test/fakes/payWorld.ts";
import { openBenchReceiver } from "./payServer.ts";
import { alternate, inParallel, measured, printRates, rounds, type Rate } from "./rates.ts";

/*
 * The server's side alone, against stock `@x402/evm` batch settlement: vouchers that were signed
 * before, verified and stored. The peer's hooks are called as its server calls them, with a channel
 * whose deposit is known, so that it asks no chain; its files are renamed into place and not
 * synced, ours are synced.
 */

const resourceId = "bench";
const target = testAddress(2);
const network = "eip155:8453";
const price = "1";

/** Rounds, and one to warm up. */
const turns = rounds + 1;

/** Our vouchers that are in flight at a time: as many share one sync. */
const inFlight = 256;

type Hooks = Readonly<
  Record<
    "onBeforeVerify" | "onAfterVerify" | "onBeforeSettle",
    (context: object) => Promise<{ skip?: boolean; abort?: boolean; result?: object } | undefined>
  >
>;

type Storage = { updateChannel(id: string, update: () => object): Promise<unknown> };

/** What is used of the stock packages. */
type Peer = {
  readonly BatchSettlementEvmScheme: new (
    receiver: string,
    config: { readonly storage: Storage; readonly onchainStateTtlMs: number },
  ) => { readonly schemeHooks: Hooks };
  readonly InMemoryChannelStorage: new () => Storage;
  readonly FileChannelStorage: new (options: { readonly directory: string }) => Storage;
  readonly computeChannelId: (config: object, network: string) => string;
  readonly signVoucher: (
    signer: object,
    channelId: string,
    amount: string,
    network: string,
  ) => Promise<object>;
};

async function loadPeer(): Promise<Peer> {
  const folder = join(await installTool("x402Evm"), "node_modules/@x402/evm/dist/esm");
  const load = async (path: string): Promise<object> =>
    (await import(pathToFileURL(join(folder, "batch-settlement", path)).href)) as object;
  const files = ["client/index.mjs", "server/file-storage.mjs", "server/index.mjs"];
  const [client, storage, server] = await Promise.all(files.map(load));
  // Their shapes are pinned with their version, in `integration/x402Evm/package.json`.
  return { ...client, ...storage, ...server } as Peer;
}

/** `count` vouchers of ours, `peerCount` of the peer's in each round. */
export async function benchPeer(folder: string, count: number, peerCount: number): Promise<void> {
  console.log(`\nthe server's side alone: ${count} vouchers of ours, ${peerCount} of @x402/evm`);
  const peer = await loadPeer();
  const sub = mkdtempSync(join(folder, "peer-"));
  const rates = await alternate([
    ["@x402/evm, files", await peerWay(peer, peerCount, sub)],
    ["@x402/evm, memory", await peerWay(peer, peerCount, null)],
    ["ours, synced", await ourWay(sub, count)],
  ]);
  printRates(rates, "vouchers", "@x402/evm, files");
}

async function ourWay(folder: string, count: number): Promise<() => Promise<Rate>> {
  const payer = new Payer({
    signer: testSigner(1),
    chain: new FakePayChain().names,
    store: new MemoryStore(),
  });
  const fund = 10n ** 30n;
  const pool = { sequence: 1n, fund, collateral: 2n * fund, resourceIds: [resourceId] };
  await payer.addPool({ ...pool, endHeight: 1_000_000 });
  const signed: SignedVoucher[] = [];
  for (let i = 0; i < count * turns; i += 1) {
    const paid = await payer.pay({ target, resourceId, cost: 1n, range: null });
    if (!paid.ok) throw new Error(paid.refusal.code);
    signed.push(paid.value.voucher);
  }
  const receiver = await openBenchReceiver(folder);
  let next = 0;
  return () =>
    measured(count, () =>
      inParallel(count, inFlight, async () => {
        const voucher = signed[next++];
        if (voucher === undefined) throw new Error("too few vouchers were signed");
        const charged = await receiver.charge({ voucher, resourceId, cost: 1n, range: null });
        if (!charged.ok) throw new Error(charged.refusal.code);
      }),
    );
}

async function peerWay(
  peer: Peer,
  count: number,
  folder: string | null,
): Promise<() => Promise<Rate>> {
  const account = privateKeyToAccount(`0x${"11".repeat(32)}`);
  const token = `0x${"22".repeat(20)}`;
  const receiver = testAddress(2);
  const config = {
    payer: account.address,
    payerAuthorizer: account.address,
    receiver,
    receiverAuthorizer: receiver,
    token,
    withdrawDelay: 86_400,
    salt: `0x${"00".repeat(32)}`,
  };
  const channelId = peer.computeChannelId(config, network);
  const storage =
    folder === null
      ? new peer.InMemoryChannelStorage()
      : new peer.FileChannelStorage({ directory: folder });
  await storage.updateChannel(channelId, () => ({
    channelId,
    channelConfig: config,
    chargedCumulativeAmount: "0",
    signedMaxClaimable: "0",
    signature: "0x",
    balance: `${10n ** 18n}`,
    totalClaimed: "0",
    withdrawRequestedAt: 0,
    refundNonce: 0,
    onchainSyncedAt: Date.now(),
    lastRequestTimestamp: Date.now(),
  }));
  const scheme = new peer.BatchSettlementEvmScheme(receiver, {
    storage,
    onchainStateTtlMs: 86_400_000,
  });
  const requirements = {
    scheme: "batch-settlement",
    network,
    asset: token,
    amount: price,
    payTo: receiver,
    maxTimeoutSeconds: 60,
    extra: { receiverAuthorizer: receiver, withdrawDelay: 86_400 },
  };
  const payloads: object[] = [];
  for (let i = 1; i <= count * turns; i += 1) {
    const voucher = await peer.signVoucher(account, channelId, `${i}`, network);
    const payload = { type: "voucher", channelConfig: config, voucher };
    payloads.push({ x402Version: 2, accepted: requirements, payload });
  }
  let next = 0;
  return () =>
    measured(count, async () => {
      for (let i = 0; i < count; i += 1) {
        const paymentPayload = payloads[next++];
        const context = { paymentPayload, requirements };
        const hooks = scheme.schemeHooks;
        const before = await hooks.onBeforeVerify(context);
        if (before?.skip !== true) throw new Error(`not verified: ${JSON.stringify(before)}`);
        const after = await hooks.onAfterVerify({ ...context, result: before.result });
        if (after?.abort === true) throw new Error(`not reserved: ${JSON.stringify(after)}`);
        const settled = await hooks.onBeforeSettle(context);
        if (settled?.skip !== true) throw new Error(`not settled: ${JSON.stringify(settled)}`);
      }
    });
}

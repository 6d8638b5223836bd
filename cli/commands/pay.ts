import type { Address } from "../../base/brand.ts";
import { textToDigestOrNull } from "../../base/bytes.ts";
import { NodeError } from "../../base/nodeError.ts";
import { LedgerClient } from "../../sdk/client.ts";
import { findKey } from "../../sdk/keystoreFolder.node.ts";
import type { Anchor } from "../../sdk/light/client.ts";
import { connectChain, type NodeChain } from "../../sdk/pay/nodeChain.ts";
import { openPayer, type Opened } from "../../sdk/pay/stores.node.ts";
import type { Payer } from "../../sdk/pay/payer.ts";
import { voucherToJson } from "../../sdk/pay/voucherJson.ts";
import { openTrustFile } from "../../sdk/pay/trustFile.node.ts";
import { formatCoins } from "../../sdk/units.ts";
import { nativeGasMax, signReleaseFund, type Signer } from "../../sdk/wallet.ts";
import type { Action, Flags } from "../commandTree.ts";
import { printDocument, type Context } from "../context.ts";
import { UsageError } from "../failure.ts";
import { addressFlag, amountFlag, integerFlag, requiredFlag, sequenceMax } from "../flags.ts";
import { draftTransaction, openSigner, submitTransaction } from "../submit.ts";

/** Most resource ids of one pool. */
const resourceIdsMax = 256;

/** An account that pays or is paid, its key opened, and the chain. */
export type PaySession = { readonly chain: NodeChain; readonly signer: Signer };

/** Opens the key of an account and connects to the chain. */
export async function paySession(
  context: Context,
  flags: Flags,
  address: Address,
): Promise<PaySession> {
  const key = findKey(context.settings.folder, address);
  const client = new LedgerClient({ url: context.settings.rpcUrl });
  await client.status({ signal: context.signal });
  const { signer } = await openSigner(context, flags, key);
  return { chain: await connect(context, flags, { client, signer }), signer };
}

/** The chain behind a node, with what this wallet folder has seen of its committees. */
function connect(
  context: Context,
  flags: Flags,
  { client, signer }: { readonly client: LedgerClient; readonly signer: Signer },
): Promise<NodeChain> {
  const anchor = trustedEpochFlag(flags);
  const trust = {
    store: openTrustFile(context.settings.folder),
    ...(anchor === null ? {} : { anchor }),
    onFirstContact: ({ epoch, root }: Anchor) =>
      context.warn(
        `first contact: the node's word is taken for epoch ${epoch}; ` +
          `compare with another node, or name it: --trusted-epoch=${epoch}:${root}`,
      ),
  };
  return connectChain({ client, signer, trust });
}

function trustedEpochFlag(flags: Flags): Anchor | null {
  const text = flags.text("trustedEpoch");
  if (text === undefined) return null;
  const [, digits = "", hash = ""] = /^([0-9]{1,15}):(0x[0-9a-f]{64})$/i.exec(text) ?? [];
  const root = textToDigestOrNull(hash);
  if (root === null)
    throw new UsageError("--trusted-epoch is not a number, a colon and the hash of its root", {
      hint: "a node tells it: ledgercli rpc ledger.getEpochs '{\"from\":12}'",
    });
  return { epoch: Number(digits), root };
}

/** The payer of a session; its height is known. */
export async function payerOf(
  context: Context,
  { chain, signer }: PaySession,
  budget: { readonly total: bigint | null } = { total: null },
): Promise<Opened<Payer>> {
  const opened = await openPayer(context.settings.folder, { signer, chain: chain.names, budget });
  opened.value.setHeight(await chain.height());
  return opened;
}

/** `pay open`: locks fund and collateral, and makes the pool known to this wallet. */
export const openCommand: Action = async (context, flags) => {
  const from = addressFlag("--from", requiredFlag("--from", flags.text("from")));
  const fund = amountFlag("--fund", requiredFlag("--fund", flags.text("fund")), "tfuel");
  const given = flags.text("collateral");
  const collateral = given === undefined ? fund + 1n : amountFlag("--collateral", given, "tfuel");
  if (collateral <= fund) throw new UsageError("--collateral must be above --fund");
  const blocks = integerFlag("--duration", flags.text("duration") ?? "1000", {
    min: 1n,
    max: BigInt(Number.MAX_SAFE_INTEGER),
  });
  const resourceIds = requiredFlag("--resource-ids", flags.text("resourceIds"))
    .split(",")
    .filter((id) => id !== "");
  if (resourceIds.length > resourceIdsMax)
    throw new UsageError(`--resource-ids has more than ${resourceIdsMax} ids`);
  const session = await paySession(context, flags, from);
  const payer = await payerOf(context, session);
  try {
    const terms = { fund, collateral, resourceIds, durationBlocks: Number(blocks) };
    const pool = await session.chain.open(terms, (made) => payer.value.addPool(made));
    await payer.value.addPool(pool);
    printDocument(context, {
      reserve_sequence: `${pool.sequence}`,
      end_height: pool.endHeight,
      fund: `${fund}`,
      collateral: `${collateral}`,
      resource_ids: resourceIds,
    });
  } finally {
    await payer.close();
  }
};

/** `pay list`: this wallet's pools, what was signed on them and what the chain has paid. */
export const listCommand: Action = async (context, flags) => {
  const from = addressFlag("--from", requiredFlag("--from", flags.text("from")));
  const session = await paySession(context, flags, from);
  const payer = await payerOf(context, session);
  try {
    const pools: object[] = [];
    for (const pool of payer.value.pools()) {
      const id = { owner: from, sequence: pool.sequence };
      const view = await session.chain.pool(id, from, pool.resourceIds[0] ?? "");
      if (view === null && pool.endHeight > 0) await payer.value.endPool(pool.sequence);
      pools.push({
        reserve_sequence: `${pool.sequence}`,
        state: view === null ? "released" : view.isCondemned ? "condemned" : "open",
        end_height: view?.endHeight ?? pool.endHeight,
        fund: `${pool.fund}`,
        settled: view === null ? null : `${view.used}`,
        signed: `${pool.signed}`,
        receivers: pool.lanes.map(({ target, before, amount }) => {
          return { address: target, signed: `${before + amount}` };
        }),
        resource_ids: pool.resourceIds,
      });
    }
    printDocument(context, { pools });
  } finally {
    await payer.close();
  }
};

/**
 * `pay close`: takes back a pool whose freeze is over. A job of the chain does so by itself in the
 * first block that may, so mostly there is nothing left to do.
 */
export const closeCommand: Action = async (context, flags) => {
  const from = addressFlag("--from", requiredFlag("--from", flags.text("from")));
  const text = requiredFlag("--reserve-seq", flags.text("reserveSeq"));
  const reserveSequence = integerFlag("--reserve-seq", text, { min: 1n, max: sequenceMax });
  const draft = await draftTransaction(context, flags, from, nativeGasMax.pool);
  const { chain, sequence, fee, signer } = draft;
  const session = { chain: await connect(context, flags, draft), signer };
  if ((await session.chain.pool({ owner: from, sequence: reserveSequence }, from, "")) === null) {
    const payer = await payerOf(context, session);
    const isKnown = payer.value.pools().some((pool) => {
      return pool.sequence === reserveSequence && pool.endHeight > 0;
    });
    if (isKnown) await payer.value.endPool(reserveSequence);
    await payer.close();
    if (!isKnown)
      throw new NodeError("E_POOL_UNKNOWN", `${from} has no pool ${reserveSequence}`, {
        hint: `ledgercli pay list --from=${from}`,
      });
    printDocument(context, { reserve_sequence: `${reserveSequence}`, state: "released" });
    return;
  }
  const signed = signReleaseFund(signer, { chain, sequence, fee, reserveSequence });
  await submitTransaction(context, flags, draft, signed);
};

/** `pay send --offchain`: signs a voucher and prints it, for the receiver to settle. */
export const offchainCommand: Action = async (context, flags) => {
  if (!flags.has("offchain"))
    throw new UsageError("pay send sends off chain only", {
      hint: "pay send --offchain …   or on chain: ledgercli tx send",
    });
  const from = addressFlag("--from", requiredFlag("--from", flags.text("from")));
  const target = addressFlag("--to", requiredFlag("--to", flags.text("to")));
  const cost = amountFlag("--tfuel", requiredFlag("--tfuel", flags.text("tfuel")), "tfuel");
  if (cost === 0n) throw new UsageError("--tfuel is zero");
  const resourceId = requiredFlag("--resource", flags.text("resource"));
  const payer = await payerOf(context, await paySession(context, flags, from));
  try {
    const paid = await payer.value.pay({ target, resourceId, cost, range: null });
    if (!paid.ok)
      throw new NodeError("E_NOT_PAID", `nothing was signed: ${paid.refusal.code}`, {
        hint: `ledgercli pay list --from=${from}`,
      });
    const { voucher } = paid.value;
    context.warn(`owed in all: ${formatCoins(voucher.amount)} TFUEL`);
    printDocument(context, voucherToJson(voucher));
  } finally {
    await payer.close();
  }
};

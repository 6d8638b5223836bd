import { checksumAddress } from "../../crypto/address.ts";
import { LedgerClient } from "../../sdk/client.ts";
import type { Action, Flags } from "../commandTree.ts";
import { printDocument, type Context } from "../context.ts";
import { UsageError } from "../failure.ts";
import { addressFlag, digestFlag, heightMax, integerFlag, requiredFlag } from "../flags.ts";

async function ask(context: Context, method: string, params: unknown): Promise<void> {
  const client = new LedgerClient({ url: context.settings.rpcUrl });
  printDocument(context, await client.call(method, params, { signal: context.signal }));
}

/** A height as the decimal string that Theta's methods take; `0` means the newest. */
function heightText(flags: Flags, name: string): string {
  const text = flags.text(name);
  return text === undefined
    ? "0"
    : integerFlag(`--${name}`, text, { min: 0n, max: heightMax }).toString();
}

/** `query account`: Theta's account JSON. */
export const accountQuery: Action = async (context, flags, [positional]) => {
  const text = requiredFlag("--address", flags.text("address") ?? positional);
  const address = checksumAddress(addressFlag("--address", text));
  const height = heightText(flags, "height");
  await ask(context, "theta.GetAccount", { address, height, preview: flags.has("preview") });
};

/** `query block`: by hash, height or range; the newest without any of them. */
export const blockQuery: Action = async (context, flags, [positional]) => {
  const options = {
    include_eth_tx_hashes: flags.has("includeEthTxHashes"),
    include_unfinalized_blocks: flags.has("includeUnfinalizedBlocks"),
  };
  const hash = flags.text("hash");
  if (hash !== undefined) {
    const digest = digestFlag("--hash", hash);
    return ask(context, "theta.GetBlock", { hash: digest, ...options });
  }
  if (flags.text("start") !== undefined || flags.text("end") !== undefined) {
    requiredFlag("--start", flags.text("start"));
    requiredFlag("--end", flags.text("end"));
    const range = { start: heightText(flags, "start"), end: heightText(flags, "end") };
    return ask(context, "theta.GetBlocksByRange", { ...range, ...options });
  }
  const given = flags.text("height") ?? (positional === "latest" ? undefined : positional);
  const height =
    given === undefined
      ? await newestHeight(context)
      : integerFlag("--height", given, { min: 0n, max: heightMax }).toString();
  return ask(context, "theta.GetBlockByHeight", { height, ...options });
};

async function newestHeight(context: Context): Promise<string> {
  const client = new LedgerClient({ url: context.settings.rpcUrl });
  return (await client.status({ signal: context.signal })).height.toString();
}

/** `query tx`. */
export const transactionQuery: Action = async (context, flags, [positional]) => {
  const text = requiredFlag("--hash", flags.text("hash") ?? positional);
  await ask(context, "theta.GetTransaction", { hash: digestFlag("--hash", text) });
};

/** `query split_rule`. */
export const splitRuleQuery: Action = async (context, flags, [positional]) => {
  const text = requiredFlag("--resource_id", flags.text("resourceId") ?? positional);
  await ask(context, "theta.GetSplitRule", { resource_id: text });
};

const plainMethods = {
  status: "theta.GetStatus",
  version: "theta.GetVersion",
  guardian: "theta.GetGuardianInfo",
  pending: "theta.GetPendingTransactions",
  validators: "ledger.validators",
} as const;

/** `query status` and the other queries without parameters. */
export function plainQuery(name: keyof typeof plainMethods): Action {
  return (context) => ask(context, plainMethods[name], {});
}

const stakerMethods = {
  vcp: "theta.GetVcpByHeight",
  gcp: "theta.GetGcpByHeight",
  eenp: "theta.GetEenpByHeight",
} as const;

/** `query vcp`, `gcp` and `eenp`; without `--height` at the newest committed height. */
export function stakersQuery(name: keyof typeof stakerMethods): Action {
  return async (context, flags) => {
    const asked = heightText(flags, "height");
    const height = asked === "0" ? await newestHeight(context) : asked;
    await ask(context, stakerMethods[name], { height });
  };
}

/** `query srdrs`. */
export const rewardRulesQuery: Action = async (context, flags) => {
  const asked = heightText(flags, "height");
  const height = asked === "0" ? await newestHeight(context) : asked;
  const text = flags.text("address");
  const address = text === undefined ? {} : { address: addressFlag("--address", text) };
  await ask(context, "theta.GetStakeRewardDistributionByHeight", { height, ...address });
};

/** `peers`: a line for each connected node. */
export const listPeers: Action = async (context) => {
  const client = new LedgerClient({ url: context.settings.rpcUrl });
  const answer = await client.call("ledger.peers", {}, { signal: context.signal });
  if (context.json) return printDocument(context, answer);
  const rows = Array.isArray(answer) ? answer.map((row: unknown) => peerLine(row)) : [];
  for (const row of rows) context.print(row);
  if (rows.length === 0) context.warn("no node is connected");
};

function peerLine(row: unknown): string {
  if (typeof row !== "object" || row === null) return "";
  const { id, direction, address } = row as Readonly<Record<string, unknown>>;
  return `${String(id)}  ${String(direction).padEnd(8)}  ${String(address)}`;
}

/** `query peers`. */
export const peersQuery: Action = async (context, flags) => {
  await ask(context, "theta.GetPeers", { skip_edge_node: flags.has("skipEdgeNode") });
};

/** `rpc`: any method, its result printed. */
export const rawCall: Action = async (context, _flags, [method, parameters]) => {
  let params: unknown = {};
  if (parameters !== undefined) {
    try {
      params = JSON.parse(parameters);
    } catch (error) {
      const reason = error instanceof Error ? error.message : "";
      throw new UsageError(`the parameters are not JSON: ${reason.slice(0, 100)}`);
    }
  }
  await ask(context, requiredFlag("method", method), params);
};

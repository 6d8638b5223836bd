import { textToAddressOrNull } from "../../base/bytes.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import { checksumAddress } from "../../crypto/address.ts";
import type { NodeApi } from "../api.ts";
import type { Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import type { RpcError } from "../errors.ts";
import { serverError } from "../errors.ts";
import { isJsonObject, type JsonValue } from "../json.ts";
import type { MethodHost } from "../methodHost.ts";
import { optional, safeNumber, thetaAddress } from "../parameters.ts";
import { queryError } from "../refusals.ts";

/** Asks a module at a height; a module that the runtime lacks is named. */
async function pairAt(
  node: NodeApi,
  height: number,
  query: { readonly module: string; readonly name: string; readonly parameters: JsonValue },
): Promise<Outcome<{ readonly blockHash: string; readonly value: JsonValue }, RpcError>> {
  const { module, name, parameters } = query;
  const head = await node.headAtHeight(height);
  if (head === null) return refuse(serverError(`there is no block of height ${height}`));
  const answer = node.queryModule({ module, query: name, parameters, height });
  if (answer.ok) return accept({ blockHash: head.hash, value: withChecksums(answer.value) });
  if (answer.refusal.code !== "unknownModule" && answer.refusal.code !== "unknownQuery")
    return refuse(queryError(answer.refusal));
  const data = { code: "E_MODULE_ABSENT", module };
  return refuse(
    serverError(`this needs the module ${module}, which this runtime does not have`, data),
  );
}

/** The same with every address in the spelling that carries its checksum, as Theta shows them. */
export function withChecksums(value: JsonValue): JsonValue {
  if (typeof value === "string") {
    const address = /^0x[0-9a-f]{40}$/.test(value) ? textToAddressOrNull(value) : null;
    return address === null ? value : checksumAddress(address);
  }
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((entry: JsonValue) => withChecksums(entry));
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [name, withChecksums(entry)]),
  );
}

/** Stakes at a height, in Theta's PascalCase. */
export function thetaStakeMethods({ node }: MethodHost): readonly Method[] {
  const style = "object";
  return [
    method({
      name: "theta.GetVcpByHeight",
      summary: "Validator candidates and their stakes after a block.",
      style,
      heavy: true,
      parameters: { height: safeNumber },
      call: async ({ height }) => {
        const query = { module: "stake", name: "candidates", parameters: {} };
        const pair = await pairAt(node, height, query);
        if (!pair.ok) return pair;
        const { blockHash: BlockHash, value: Vcp } = pair.value;
        const HeightList = { Heights: [`${height}`] };
        return accept({ BlockHashVcpPairs: [{ BlockHash, Vcp, HeightList }] });
      },
    }),
    method({
      name: "theta.GetStakeRewardDistributionByHeight",
      summary: "Rules by which holders share their rewards, after a block.",
      style,
      heavy: true,
      parameters: { height: safeNumber, address: optional(thetaAddress, null) },
      call: async ({ height, address }) => {
        const query = { module: "reward", name: "distributions", parameters: {} };
        const pair = await pairAt(node, height, query);
        if (!pair.ok) return pair;
        const { blockHash: BlockHash, value } = pair.value;
        const rules: readonly JsonValue[] = Array.isArray(value) ? value : [];
        const StakeRewardDistributionRuleSet = rules.filter(
          (rule) => address === null || holderOf(rule) === address,
        );
        const set = [{ BlockHash, StakeRewardDistributionRuleSet }];
        return accept({ BlockHashStakeRewardDistributionRuleSetPairs: set });
      },
    }),
  ];
}

function holderOf(rule: JsonValue): string | null {
  if (!isJsonObject(rule)) return null;
  const holder = rule["StakeHolder"];
  return typeof holder === "string" ? holder.toLowerCase() : null;
}

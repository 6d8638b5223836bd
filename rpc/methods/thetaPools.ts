import type { Address } from "../../base/brand.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import type { NodeApi } from "../api.ts";
import type { Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import type { RpcError } from "../errors.ts";
import { serverError } from "../errors.ts";
import type { JsonValue } from "../json.ts";
import type { MethodHost } from "../methodHost.ts";
import { optional, safeNumber, shortText } from "../parameters.ts";
import { queryError } from "../refusals.ts";
import { withChecksums } from "./thetaStakes.ts";

/** The pools of an account as Theta shows them; none where no module knows pools. */
export function reservedFunds(
  node: NodeApi,
  owner: Address,
  height: number | null,
): Outcome<JsonValue, RpcError> {
  const question = { module: "reserve", query: "reservedFunds", parameters: { owner }, height };
  const answer = node.queryModule(question);
  if (answer.ok) return answer;
  const absent = answer.refusal.code === "unknownModule";
  return absent ? accept([]) : refuse(queryError(answer.refusal));
}

/** Who shares in the payments for a resource. */
export function thetaPoolMethods({ node }: MethodHost): readonly Method[] {
  return [
    method({
      name: "theta.GetSplitRule",
      summary: "Who shares in the payments for a resource; null if nobody does.",
      style: "object",
      parameters: {
        resource_id: shortText,
        height: optional(safeNumber, 0),
      },
      call: ({ resource_id: resourceId, height }) => {
        const answer = node.queryModule({
          module: "split",
          query: "rule",
          parameters: { resourceId },
          height: height === 0 ? null : height,
        });
        if (answer.ok) return accept(withChecksums(answer.value));
        if (answer.refusal.code !== "unknownModule") return refuse(queryError(answer.refusal));
        const data = { code: "E_MODULE_ABSENT", module: "split" };
        return refuse(
          serverError("this needs the module split, which this runtime does not have", data),
        );
      },
    }),
  ];
}

import type { BuildInfo } from "./api.ts";
import type { Method } from "./dispatch.ts";
import type { JsonValue } from "./json.ts";

/** The OpenRPC document of the method table: what /openrpc.json and rpc.discover answer. */
export function openRpcOf(methods: readonly Method[], build: BuildInfo): JsonValue {
  return {
    openrpc: "1.3.2",
    info: { title: "Ledger", version: build.version },
    methods: methods
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((entry) => ({
        name: entry.name,
        summary: entry.summary,
        paramStructure: entry.style === "array" ? "by-position" : "either",
        params: Object.entries(entry.parameters).map(([name, parameter]) => ({
          name,
          required: !parameter.optional,
          schema: parameter.schema,
        })),
        result: { name: "result", schema: {} },
      })),
  };
}

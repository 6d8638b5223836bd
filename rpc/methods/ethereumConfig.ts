import { crc32 } from "node:zlib";
import { hexToBytes } from "../../base/bytes.ts";
import { accept } from "../../base/outcome.ts";
import { forkContracts } from "../../ledger/modules/evmForks.ts";
import type { Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import type { JsonValue } from "../json.ts";
import type { MethodHost } from "../methodHost.ts";
import { toQuantity } from "../numbers.ts";

/** Blobs are off. */
const noBlobs = { baseFeeUpdateFraction: 0, max: 0, target: 0 };

/** EIP-6122: of the genesis alone, whose fork is the chain's. */
function forkIdOf(genesisHash: string): string {
  return `0x${crc32(hexToBytes(genesisHash)).toString(16).padStart(8, "0")}`;
}

/** What the chain's fork is and has. */
export function ethereumConfigMethods({ node }: MethodHost): readonly Method[] {
  return [
    method({
      name: "eth_config",
      summary: "Fork, precompiles and system contracts in force [EIP-7910].",
      style: "array",
      parameters: {},
      call: async () => {
        const { id, genesisHash } = node.chain;
        const genesis = await node.headAtHeight(0);
        const { precompiles, systemContracts } = forkContracts(
          String(node.parameters()["evm.fork"]),
        );
        const own = node
          .modules()
          .flatMap(({ name, precompiles: addresses }) =>
            addresses.map((address) => [`${name.toUpperCase()}_${Number(address)}`, address]),
          );
        const current: JsonValue = {
          activationTime: Math.floor((genesis?.header.timestampMs ?? 0) / 1_000),
          blobSchedule: noBlobs,
          chainId: toQuantity(id),
          forkId: forkIdOf(genesisHash),
          precompiles: Object.fromEntries([...precompiles, ...own]),
          systemContracts: Object.fromEntries(systemContracts),
        };
        return accept({ current, next: null, last: null });
      },
    }),
  ];
}

import { accept } from "../../base/outcome.ts";
import { bytesToHex } from "../../base/bytes.ts";
import type { Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import type { MethodHost } from "../methodHost.ts";

/** `ledger.*` on the network around the node, and what a new node needs to join it. */
export function networkMethods({ node, limits }: MethodHost): readonly Method[] {
  const style = "object";
  return [
    method({
      name: "ledger.peers",
      summary: "Connected nodes: name, address, and who dialled.",
      style,
      parameters: {},
      call: () =>
        accept(
          node
            .peers()
            .slice(0, limits.peersMax)
            .map(({ id, address, direction }) => ({ id, address, direction })),
        ),
    }),
    method({
      name: "ledger.validators",
      summary: "The committee of the running epoch, and which of its nodes are connected here.",
      style,
      parameters: {},
      call: () => {
        const { epoch, lastHeight, validators } = node.committee();
        return accept({
          epoch,
          lastHeight,
          validators: validators.map(({ address, blsKey, stake, connected }) => ({
            address,
            blsKey: bytesToHex(blsKey),
            stake: `${stake}`,
            connected,
          })),
        });
      },
    }),
    method({
      name: "ledger.network",
      summary: "What a new node needs to join: genesis hash and addresses to dial.",
      style,
      parameters: {},
      call: () => {
        const { genesisHash, name } = node.chain;
        return accept({ chain: name, genesisHash, addresses: [...node.addresses()] });
      },
    }),
    method({
      name: "ledger.genesis",
      summary: "The network's genesis file, as text.",
      style,
      heavy: true,
      parameters: {},
      call: async () => accept({ genesis: await node.genesisFile() }),
    }),
  ];
}

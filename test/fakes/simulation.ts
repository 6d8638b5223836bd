import { emptyBytes } from "../../base/bytes.ts";
import type { SimulatedMessage, TaskScene } from "../../ledger/simulate.ts";
import { addressOf, type LedgerNetwork } from "./ledgerNetwork.ts";

/** What a task runs on: the state after a network's head, in the block that comes next. */
export function sceneOf(network: LedgerNetwork): TaskScene {
  const { registry, genesis, executor, state } = network;
  return {
    registry,
    chain: genesis.chain,
    parameters: executor.parameters(state),
    reader: state,
    block: network.next(),
    rootAfter: (changes) => state.apply(changes).root,
  };
}

/** A message of alice's that offers nothing for its gas. */
export function messageOf(parts: Partial<SimulatedMessage>): SimulatedMessage {
  return {
    caller: addressOf("alice"),
    to: null,
    value: 0n,
    data: emptyBytes,
    gasLimit: null,
    maxFeePerGas: 0n,
    maxPriorityFeePerGas: 0n,
    accessList: [],
    authorizations: [],
    ...parts,
  };
}

import type { Address, Digest } from "../base/brand.ts";
import { bytesToDigest, hexToBytes } from "../base/bytes.ts";
import { accept, type Outcome } from "../base/outcome.ts";
import type { EvmResult } from "../vm/evm.ts";
import { mayBePrecompile } from "./modules/evmRun.ts";
import type { Refusal } from "./refusal.ts";
import {
  blockFor,
  openSimulation,
  overrideState,
  runSimulated,
  type SimulationRequest,
  type TaskScene,
} from "./simulate.ts";

/** Accounts and slots that a message touches, and how it ends when it lists them. */
export type AccessListAnswer = {
  readonly accessList: readonly {
    readonly address: Address;
    readonly storageKeys: readonly Digest[];
  }[];
  readonly result: EvmResult;
};

/** Runs at most: a list changes gas, gas may change what is touched. */
const roundsMax = 8;

type Touched = ReadonlyMap<Address, ReadonlySet<Digest>>;

/** Runs a message with what it touched the time before, until both are the same. */
export async function createAccessList(
  scene: TaskScene,
  { message, state, block, gasMax }: SimulationRequest,
): Promise<Outcome<AccessListAnswer, Refusal>> {
  const simulation = openSimulation(scene, blockFor(message, block));
  overrideState(simulation.journal, state);
  const { journal, context } = simulation;
  let listed: Touched = new Map(
    message.accessList.map(({ address, storageKeys }) => [
      address,
      new Set(storageKeys.map((key) => bytesToDigest(key))),
    ]),
  );
  for (let round = 1; ; round += 1) {
    const mark = journal.checkpoint();
    let touched: Touched = new Map();
    const outcome = await runSimulated(
      simulation,
      { ...message, accessList: toBytes(listed) },
      gasMax,
      { onTouched: (found) => (touched = found) },
    );
    journal.revert(mark);
    if (!outcome.ok) return outcome;
    const next = new Map(
      [...touched].filter(([address, slots]) => {
        if (slots.size > 0) return true;
        // These are warm without being listed.
        return (
          address !== message.caller && address !== message.to && !mayBePrecompile(context, address)
        );
      }),
    );
    if (round === roundsMax || isSame(listed, next)) {
      return accept({ accessList: toList(next), result: outcome.value });
    }
    listed = next;
  }
}

function isSame(a: Touched, b: Touched): boolean {
  if (a.size !== b.size) return false;
  for (const [address, slots] of a) {
    const other = b.get(address);
    if (other?.size !== slots.size || ![...slots].every((slot) => other.has(slot))) return false;
  }
  return true;
}

function toBytes(touched: Touched): SimulationRequest["message"]["accessList"] {
  return [...touched].map(([address, slots]) => ({
    address,
    storageKeys: [...slots].map(hexToBytes),
  }));
}

function toList(touched: Touched): AccessListAnswer["accessList"] {
  return [...touched]
    .map(([address, slots]) => ({
      address,
      storageKeys: [...slots].toSorted((a, b) => (a < b ? -1 : 1)),
    }))
    .toSorted((a, b) => (a.address < b.address ? -1 : 1));
}

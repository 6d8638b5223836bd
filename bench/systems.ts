import { join } from "node:path";
import type { Signer } from "../sdk/wallet.ts";
import { anvilSettings, makeNode, startAnvil, startNode } from "./network.ts";
import { removeFolder, temporaryFolder, type Server } from "./server.ts";
import {
  writeTransactionFile,
  type TransactionFile,
  type TransferKind,
} from "./transactionFile.ts";

/** A system and envelope that is measured. */
export type Contestant = {
  readonly name: string;
  readonly kind: TransferKind;
  /** Durability, verification, topology (performance.md 10, rule 1). */
  readonly classes: string;
  /** Starts it on an empty folder. */
  readonly start: (senders: readonly Signer[]) => Promise<Server>;
};

/** A fresh network of our node, whose folder goes when it stops. */
async function startFreshNode(senders: readonly Signer[]): Promise<Server> {
  const folder = await makeNode(senders.map(({ address }) => address));
  const server = await startNode(folder);
  return {
    ...server,
    stop: async (signal) => {
      await server.stop(signal);
      removeFolder(folder);
    },
  };
}

/** Our node with Theta's transactions. */
export const oursNative: Contestant = {
  name: "ours, native",
  kind: "native",
  classes: "D2·V1·C1",
  start: startFreshNode,
};

/** Our node with Ethereum's transactions. */
export const oursEthereum: Contestant = {
  name: "ours, Ethereum",
  kind: "ethereum",
  classes: "D2·V1·C1",
  start: startFreshNode,
};

/** Anvil with one of its settings. */
export function anvil(setting: string): Contestant {
  const flags = anvilSettings[setting];
  if (flags === undefined) throw new Error(`no setting of anvil is named ${setting}`);
  return {
    name: "anvil",
    kind: "ethereum",
    classes: "D0·V1·C1",
    start: (senders) =>
      startAnvil(
        senders.map(({ address }) => address),
        flags,
      ),
  };
}

/** Signed transfers of both kinds, made once and used in every run. */
export function signTransfers(
  senders: readonly Signer[],
  count: number,
  kinds: readonly TransferKind[] = ["native", "ethereum"],
): ReadonlyMap<TransferKind, TransactionFile> {
  const folder = temporaryFolder();
  const startMs = performance.now();
  const files = kinds.map((kind) => {
    const file = writeTransactionFile(join(folder, `${kind}.txt`), kind, { senders, count });
    return [kind, file] as const;
  });
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  console.log(`signed ${count} transfers of each kind (${kinds.join(", ")}) in ${seconds} s`);
  return new Map(files);
}

/** The file of a kind. */
export function fileOf(
  files: ReadonlyMap<TransferKind, TransactionFile>,
  kind: TransferKind,
): TransactionFile {
  const file = files.get(kind);
  if (file === undefined) throw new Error(`no transfers of kind ${kind} were signed`);
  return file;
}

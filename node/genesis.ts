import { hash } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Digest } from "../base/brand.ts";
import { textToDigestOrNull } from "../base/bytes.ts";
import { NodeError } from "../base/nodeError.ts";
import { readGenesis, type Genesis } from "../ledger/genesis.ts";
import type { Chain } from "../ledger/module.ts";
import { coreRegistry } from "../ledger/runtime.ts";
import { toStorageError } from "../store/failures.ts";
import type { Config } from "./config.ts";

/*
 * A genesis file of a million accounts takes longer to read and check than a node may take to be
 * back. So what a start needs of a file that was checked before stands in a small file of the data
 * folder, under the digest of the genesis file's bytes; any other bytes are read and checked anew.
 */

/** What a running node needs of its genesis. */
export type GenesisNames = { readonly hash: Digest; readonly chain: Chain };

/**
 * An opened genesis file: names at once, the content to fill an empty store. Held at the start
 * only.
 */
export type GenesisSource = {
  readonly names: GenesisNames;
  /** The whole content, read and checked when first asked for. */
  readonly whole: () => Genesis;
  /** Spares later starts the reading and checking; the data folder exists. */
  readonly remember: () => void;
};

/** SHA-256 of the genesis file, and what was found in it. */
type Checked = {
  readonly file: string;
  readonly name: string;
  readonly id: number;
  readonly genesisHash: Digest;
};

/** Name of the small file; the number is of its layout. */
const checkedName = "genesis.checked.1.json";

/** Opens the genesis file that the configuration names; a fault in it ends the start. */
export function openGenesis(config: Config): GenesisSource {
  const bytes = readBytes(config);
  const checked = readChecked(config.dataFolder);
  const file = hash("sha256", bytes);
  const known = checked !== null && checked.file === file ? checked : null;
  let read: Genesis | null = null;
  const whole = (): Genesis => (read ??= readWhole(config, bytes));
  const chain =
    known === null
      ? whole().chain
      : { name: known.name, id: known.id, genesisHash: known.genesisHash };
  const expected = config.genesis.hash.toLowerCase();
  if (expected !== "" && expected !== chain.genesisHash) {
    throw new NodeError(
      "E_GENESIS_MISMATCH",
      `${config.genesisPath} has hash ${chain.genesisHash}, and genesis.hash says ${expected}`,
      { hint: "take the network's own genesis file, or correct genesis.hash in config.yaml" },
    );
  }
  const remember = (): void => {
    if (known === null) writeChecked(config.dataFolder, { file, ...chain });
  };
  return { names: { hash: chain.genesisHash, chain }, whole, remember };
}

function readBytes(config: Config): Uint8Array {
  try {
    return readFileSync(config.genesisPath);
  } catch (error) {
    throw new NodeError("E_GENESIS", `cannot read the genesis file ${config.genesisPath}`, {
      cause: error,
      hint: `ledger init --config=${config.folder}`,
    });
  }
}

function readWhole(config: Config, bytes: Uint8Array): Genesis {
  const read = readGenesis(new TextDecoder().decode(bytes), coreRegistry);
  if (read.ok) return read.value;
  const { place, detail } = read.refusal;
  throw new NodeError("E_GENESIS", `${config.genesisPath}: ${place}: ${detail}`);
}

/** `null` unless the file is there and whole: then the genesis is read and checked as ever. */
function readChecked(dataFolder: string): Checked | null {
  const path = join(dataFolder, checkedName);
  if (!existsSync(path)) return null;
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return null; // Cut off by a crash.
  }
  if (typeof value !== "object" || value === null) return null;
  if (!("file" in value && "name" in value && "id" in value && "genesisHash" in value)) return null;
  const { file, name, id } = value;
  const genesisHash =
    typeof value.genesisHash === "string" ? textToDigestOrNull(value.genesisHash) : null;
  if (typeof file !== "string" || typeof name !== "string" || genesisHash === null) return null;
  const checked = { file, name, id: Number(id), genesisHash };
  return "checksum" in value && value.checksum === checksumOf(checked) ? checked : null;
}

function writeChecked(dataFolder: string, checked: Checked): void {
  const path = join(dataFolder, checkedName);
  const text = JSON.stringify({ ...checked, checksum: checksumOf(checked) });
  try {
    writeFileSync(`${path}.new`, `${text}\n`, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw toStorageError(path, error);
  }
}

/** A flipped bit in the names would make another chain of it. */
function checksumOf({ file, name, id, genesisHash }: Checked): string {
  return hash("sha256", JSON.stringify([file, name, id, genesisHash]));
}

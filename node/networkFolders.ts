import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { bytesToHexDigits } from "../base/bytes.ts";
import { randomBytes, type ScryptCost } from "../crypto/kdf.ts";
import type { Genesis } from "../ledger/genesis.ts";
import { seedToPeerId } from "../p2p/nodeKey.ts";
import { validatorsGenesis, writeNodeFolder, type NewNetwork } from "./init.ts";
import { createValidatorKeys, writeSecret } from "./keys.ts";
import { nodeKeyName } from "./nodeKey.ts";

/** Most validators of a network that is made in one go: what a committee holds by default. */
export const networkSizeMax = 31;

/** Where one node of a new network listens. */
export type NodePlace = {
  /** Multiaddress at which the others dial it, without its name. */
  readonly dialled: string;
  /** Multiaddress to listen at. */
  readonly listen: string;
  readonly rpcPort: number;
};

/** Bytes of a node's network seed. */
const seedBytes = 32;

/** Name of a node's folder, from 1. */
export function nodeName(index: number): string {
  return `node${index + 1}`;
}

/**
 * Writes the folders of a whole network: the same genesis, a validator's new keys in each with
 * their first safety record, and the addresses of all others.
 */
export async function writeNetwork(
  folder: string,
  options: NewNetwork & {
    readonly places: readonly NodePlace[];
    readonly password: string;
    readonly cost?: ScryptCost;
    /** Keep the password beside the keys: they guard nothing. */
    readonly keepPassword: boolean;
    /** The folders may be carried to other machines. */
    readonly isPortable: boolean;
  },
): Promise<Genesis> {
  const { places, password } = options;
  const validators = places.map(() => createValidatorKeys());
  const seeds = places.map(() => randomBytes(seedBytes));
  const genesis = validatorsGenesis({ ...options, validators });
  const addresses: string[] = [];
  for (const [i, { dialled }] of places.entries()) {
    addresses.push(`${dialled}/p2p/${await seedToPeerId(seeds[i] ?? new Uint8Array(seedBytes))}`);
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const [i, keys] of validators.entries()) {
    const own = join(folder, nodeName(i));
    const place = places[i];
    const seed = seeds[i];
    if (place === undefined || seed === undefined) continue;
    const others = addresses.filter((_, other) => other !== i);
    await writeNodeFolder(own, {
      genesis,
      keys,
      password,
      ...(options.cost === undefined ? {} : { cost: options.cost }),
      isPortable: options.isPortable,
      config: [
        "rpc:",
        `  port: ${place.rpcPort}`,
        "p2p:",
        `  listen: ["${place.listen}"]`,
        `  peers: [${others.map((address) => `"${address}"`).join(", ")}]`,
      ],
    });
    writeSecret(join(own, "data"), nodeKeyName, bytesToHexDigits(seed));
    if (options.keepPassword) writeSecret(join(own, "key"), "password", password);
  }
  return genesis;
}

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bytesToHexDigits, hexToBytesOrNull } from "../base/bytes.ts";
import { NodeError } from "../base/nodeError.ts";
import { randomBytes } from "../crypto/kdf.ts";
import { writeSecret } from "./keys.ts";

/** Name of the file in the data folder: the seed of the node's network identity, 32 bytes in hex. */
export const nodeKeyName = "node.key";

/** Bytes of that seed. */
const seedBytes = 32;

/**
 * The seed of the node's network identity, made where there is none. It is no validator's key:
 * without it the node comes back as a stranger, and nothing else is lost.
 */
export function openNodeKey(dataFolder: string): Uint8Array {
  const path = join(dataFolder, nodeKeyName);
  if (!existsSync(path)) {
    const seed = randomBytes(seedBytes);
    writeSecret(dataFolder, nodeKeyName, bytesToHexDigits(seed));
    return seed;
  }
  const seed = hexToBytesOrNull(`0x${readFileSync(path, "utf8").trim()}`);
  if (seed?.length !== seedBytes) {
    throw new NodeError("E_NODE_KEY", `${path} does not hold ${seedBytes} bytes in hex`, {
      hint: "remove the file to get a new network identity; validator keys are not concerned",
    });
  }
  return seed;
}

import type { Digest } from "../base/brand.ts";
import { bytesToHex, bytesToTextOrNull, hexToBytes, textToBytes } from "../base/bytes.ts";
import { FormatError } from "./failures.ts";
import type { KeyValue } from "./keyValue.ts";

const formatKey = Uint8Array.of(0x00, 0x01);
const chainKey = Uint8Array.of(0x00, 0x02);
const program = "ledger";

/** Version of the key and value layouts under `store/`. A reader of one refuses every other. */
export const formatVersion = 4;

/**
 * Checks that a store is of this format and chain, or claims an empty one for both. Runs before
 * anything else is read, so that a foreign store is neither misread nor written to.
 */
export async function checkFormat(keyValue: KeyValue, genesisHash: Digest): Promise<void> {
  const found = keyValue.get(formatKey);
  if (found === null) {
    if (!(await isEmpty(keyValue))) {
      throw new FormatError("E_DATA_FORMAT", "The data folder was written by another program.", {
        hint: "Choose another data folder.",
      });
    }
    const batch = [
      { type: "put", key: formatKey, value: textToBytes(`${program} ${formatVersion}`) },
      { type: "put", key: chainKey, value: hexToBytes(genesisHash) },
    ] as const;
    await keyValue.write(batch, { sync: true });
    return;
  }
  checkVersion(bytesToTextOrNull(found) ?? "");
  const chain = keyValue.get(chainKey);
  const chainText = chain === null ? "no chain" : bytesToHex(chain);
  if (chainText !== genesisHash) {
    throw new FormatError(
      "E_DATA_CHAIN",
      `The data folder belongs to another chain: genesis ${chainText}, not ${genesisHash}.`,
      { hint: "Choose another data folder, or the genesis file that this one was made with." },
    );
  }
}

function checkVersion(text: string): void {
  const [name, digits] = text.split(" ");
  if (name === program && digits === String(formatVersion)) return;
  const newer = name === program && Number(digits) > formatVersion;
  throw new FormatError(
    "E_DATA_FORMAT",
    `The data folder has format "${text.slice(0, 40)}"; this program reads "${program} ${formatVersion}".`,
    { hint: newer ? "Start a newer version of the program." : "Choose another data folder." },
  );
}

async function isEmpty(keyValue: KeyValue): Promise<boolean> {
  const everything = { from: new Uint8Array(0), to: new Uint8Array(64).fill(0xff), limit: 1 };
  for await (const _ of keyValue.range(everything)) return false;
  return true;
}

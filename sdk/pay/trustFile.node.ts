import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Digest } from "../../base/brand.ts";
import {
  bytesToHex,
  bytesToTextOrNull,
  hexToBytesOrNull,
  textToBytes,
  textToDigestOrNull,
} from "../../base/bytes.ts";
import { decodeCommittee, encodeCommittee } from "../../consensus/codec.ts";
import { fieldsOf } from "../jsonFields.ts";
import type { TrustStore } from "../light/client.ts";
import type { TrustedEpoch } from "../light/committees.ts";
import { nodePayDisk, type PayDisk } from "./disk.node.ts";
import { PayStateError } from "./errors.ts";
import { otherChain } from "./journal.node.ts";

/** Version of the file. A reader of one refuses every other. */
const version = 1;

/** The newest committee that a wallet's payments have seen, in `pay/trust.json` of its folder. */
export function openTrustFile(folder: string, disk: PayDisk = nodePayDisk): TrustStore {
  const path = join(folder, "pay", "trust.json");
  mkdirSync(join(folder, "pay"), { recursive: true, mode: 0o700 });
  return {
    async load(genesisHash) {
      const bytes = await disk.read(path);
      return bytes === null ? null : readTrust(path, bytes, genesisHash);
    },
    async keep(genesisHash, { committee, root, rootHeight }) {
      const text = JSON.stringify({
        version,
        genesisHash,
        root,
        rootHeight,
        committee: bytesToHex(encodeCommittee(committee)),
      });
      // Processes that write at once write the same, or one epoch more.
      const fresh = `${path}.${process.pid}`;
      await disk.remove(fresh);
      const file = await disk.create(fresh);
      await file.append(textToBytes(`${text}\n`));
      await file.sync();
      await file.close();
      await disk.rename(fresh, path);
      await disk.syncFolderOf(path);
    },
  };
}

function readTrust(path: string, bytes: Uint8Array, genesisHash: Digest): TrustedEpoch {
  const fields = fieldsOf(parsed(bytesToTextOrNull(bytes) ?? ""));
  const { root, rootHeight, genesisHash: chain, committee: hex } = fields;
  if (typeof fields["version"] === "number" && fields["version"] !== version) {
    const message = `${path} has format ${fields["version"]}; this program reads format ${version}`;
    throw new PayStateError("E_PAY_STATE_FORMAT", message, { hint });
  }
  const rootHash = typeof root === "string" ? textToDigestOrNull(root) : null;
  const chainHash = typeof chain === "string" ? textToDigestOrNull(chain) : null;
  const encoded = typeof hex === "string" ? hexToBytesOrNull(hex) : null;
  const committee = encoded === null ? null : decodeCommittee(encoded);
  if (chainHash !== null && chainHash !== genesisHash)
    throw otherChain(path, chainHash, genesisHash);
  if (rootHash === null || typeof rootHeight !== "number" || committee?.ok !== true)
    throw new PayStateError("E_PAY_STATE_CORRUPT", `${path} is damaged`, { hint });
  return { committee: committee.value, root: rootHash, rootHeight };
}

const hint = "remove it, and name an epoch of the chain that you know: --trusted-epoch";

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // Told as damage.
  }
}

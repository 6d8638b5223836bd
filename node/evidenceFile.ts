import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { concatBytes, equalBytes } from "../base/bytes.ts";
import { decodeRlp, encodeRlp, readBytes, readList } from "../base/rlp.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { toStorageError } from "../store/failures.ts";
import { nodeBlockingDisk, replaceFile, type BlockingDisk } from "../store/replaceFile.ts";
import type { Log } from "./log.ts";

/*
 * Evidence that waits for a block, over restarts: whoever finds a liar out may be the only one who
 * ever sees both statements. A keccak of the rest, then the RLP list of reports; a few hundred
 * kilobytes at most, written anew at each change, which are rare. A damaged file is dropped: what
 * is in it can be found again, and is judged again in any case.
 */

/** Name of the file in the data folder. */
export const evidenceFileName = "evidence";

const checksumSize = 32;

/** Encoded reports of pending evidence on disk. */
export class EvidenceFile {
  readonly #path: string;
  readonly #log: Pick<Log, "warn">;
  readonly #disk: BlockingDisk;

  constructor(dataFolder: string, log: Pick<Log, "warn">, disk: BlockingDisk = nodeBlockingDisk) {
    this.#path = join(dataFolder, evidenceFileName);
    this.#log = log;
    this.#disk = disk;
  }

  /** The reports that were written last; none if there is no file that can be read. */
  read(): readonly Uint8Array[] {
    if (!existsSync(this.#path)) return [];
    const bytes = new Uint8Array(readFileSync(this.#path));
    const body = bytes.subarray(checksumSize);
    const isWhole = equalBytes(bytes.subarray(0, checksumSize), keccak256(body));
    const items = isWhole ? decodeRlp(body) : null;
    const list = items?.ok === true ? readList(items.value) : null;
    if (list === null) {
      this.#log.warn("the file of pending evidence is damaged, and dropped", { file: this.#path });
      return [];
    }
    return list.flatMap((item) => readBytes(item, body.length) ?? []);
  }

  /** Replaces what is on disk; a stop leaves the old reports or the new ones. */
  write(reports: readonly Uint8Array[]): void {
    const body = encodeRlp(reports);
    try {
      replaceFile(this.#path, concatBytes(keccak256(body), body), this.#disk);
    } catch (error) {
      throw toStorageError(this.#path, error);
    }
  }
}

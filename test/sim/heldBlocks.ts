import { assert } from "../../base/assert.ts";
import type { Digest } from "../../base/brand.ts";
import type { CommitGrounds, CommitProofSummary } from "../../consensus/types.ts";
import type { Disk } from "./disk.ts";
import { linkOf, type SimBlock } from "./fakeLedger.ts";

/** Blocks in memory that are not on disk; the oldest go first. */
const looseBlocksMax = 512;

/** The blocks of a process: those on its disk, and those that only its memory has. */
export class HeldBlocks {
  readonly #disk: Disk;
  #loose = new Map<Digest, SimBlock>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  get(hash: Digest): SimBlock | null {
    return this.#loose.get(hash) ?? this.#disk.blocks.get(hash) ?? null;
  }

  /** One that must be here, since something held builds on it. */
  held(hash: Digest): SimBlock {
    const block = this.get(hash);
    assert(block !== null, "what a held block builds on is held");
    return block;
  }

  /** Keeps a block in memory. */
  keep(block: SimBlock): void {
    this.#loose.set(block.summary.hash, block);
    for (const hash of this.#loose.keys()) {
      if (this.#loose.size <= looseBlocksMax) break;
      this.#loose.delete(hash);
    }
  }

  /** The process has died: what is not on disk is gone. */
  forget(): void {
    this.#loose = new Map();
  }

  proofOf({ chain, certificate }: CommitGrounds): CommitProofSummary {
    return { links: chain.map((hash) => linkOf(this.held(hash))), certificate };
  }
}

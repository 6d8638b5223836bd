import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../harness.ts";

/*
 * A disk in memory under one folder of a host, small enough to be filled in a moment. Needs root
 * (`integration/requires.ts`).
 */

/** Longest run of `mount` and `umount`, in milliseconds. */
const commandMsMax = 10_000;

function sh(command: string, ...argv: readonly string[]): void {
  const { status, stderr } = spawnSync(command, argv, { encoding: "utf8", timeout: commandMsMax });
  if (status !== 0) throw new Error(`${command} ${argv.join(" ")}: ${stderr.trim()}`);
}

/** The disk; what the folder held is on it, and hidden below the mount. */
export class SmallDisk {
  readonly #disk = temporaryFolder();
  readonly #folder: string;

  constructor(folder: string, sizeBytes: number) {
    this.#folder = folder;
    sh("mount", "-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs", this.#disk);
    const held = join(this.#disk, "held");
    mkdirSync(held);
    cpSync(folder, held, { recursive: true });
    // Bound, so that what fills the disk lies beside the folder and not in it.
    sh("mount", "--bind", held, folder);
  }

  /** Fills the disk but for so many bytes. */
  fill(freeBytes: number): void {
    const { bavail, bsize } = statfsSync(this.#disk);
    writeFileSync(join(this.#disk, "ballast"), new Uint8Array(bavail * bsize - freeBytes));
  }

  /** Takes back what `fill` has put there. */
  free(): void {
    rmSync(join(this.#disk, "ballast"));
  }

  remove(): void {
    sh("umount", this.#folder);
    sh("umount", this.#disk);
  }
}

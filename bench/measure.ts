import {
  fdatasyncSync,
  mkdtempSync,
  openSync,
  closeSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { keccak256 } from "../crypto/keccak.ts";
import { recoverAddress, signDigest } from "../crypto/secp256k1.ts";

/** Processor time and memory that one process has used so far, all of its threads together. */
export type ProcessUsage = {
  readonly cpuMs: number;
  readonly residentBytes: number;
  readonly residentBytesPeak: number;
};

/** Kernel clock ticks per second behind /proc/PID/stat (sysconf _SC_CLK_TCK on Linux). */
const ticksPerSecond = 100;

/** Reads /proc: Linux only. */
export function processUsage(pid: number): ProcessUsage {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kib = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  return {
    cpuMs: (ticks * 1_000) / ticksPerSecond,
    residentBytes: kib("VmRSS") * 1_024,
    residentBytesPeak: kib("VmHWM") * 1_024,
  };
}

/** Value at `fraction` of the sorted list (nearest rank); 0 for an empty list. */
export function percentile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(fraction * sorted.length) - 1)] ?? 0;
}

/** Middle value. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** Microseconds each for a few operations that every figure depends on, to tell a noisy machine. */
export type Calibration = Readonly<Record<"recoverUs" | "keccakUs" | "syncUs", number>>;

function timeUs(count: number, work: (i: number) => void): number {
  const startNs = process.hrtime.bigint();
  for (let i = 0; i < count; i += 1) work(i);
  return Number(process.hrtime.bigint() - startNs) / 1_000 / count;
}

/** About two seconds of signature recovery, hashing and synced writes. */
export function calibrate(): Calibration {
  const digest = keccak256(new Uint8Array(32));
  const signature = signDigest(digest, new Uint8Array(32).fill(1));
  const data = new Uint8Array(576);
  const folder = mkdtempSync(join(tmpdir(), "ledger-bench-"));
  const file = openSync(join(folder, "sync"), "w");
  const block = new Uint8Array(4_096);
  const result = {
    recoverUs: timeUs(5_000, () => recoverAddress(digest, signature)),
    keccakUs: timeUs(50_000, () => keccak256(data)),
    syncUs: timeUs(200, () => {
      writeSync(file, block);
      fdatasyncSync(file);
    }),
  };
  closeSync(file);
  rmSync(folder, { recursive: true });
  return result;
}

/** Prints a calibration with the load, and whether it moved more than a tenth since `before`. */
export function printCalibration(name: string, now: Calibration, before?: Calibration): void {
  const noisy =
    before !== undefined &&
    (["recoverUs", "keccakUs"] as const).some((key) => Math.abs(now[key] / before[key] - 1) > 0.1);
  const figures = [
    `recover ${now.recoverUs.toFixed(1)} µs`,
    `keccak(576 B) ${now.keccakUs.toFixed(2)} µs`,
    `synced write ${now.syncUs.toFixed(0)} µs`,
  ].join(", ");
  console.log(
    `${name}: ${figures}; ${cpus().length} cores, load ${(loadavg()[0] ?? 0).toFixed(2)}${noisy ? " (noisy: repeat)" : ""}`,
  );
}

/** A table with right-aligned figures, for terminals. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => (row[i] ?? "").length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join("  ");
  console.log(line(head));
  for (const row of rows) console.log(line(row));
}

import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import {
  bigIntToFixedBytes,
  bytesToBigInt,
  bytesToHexDigits,
  concatBytes,
  equalBytes,
} from "../base/bytes.ts";
import { toStorageError } from "../store/failures.ts";

/*
 * What this machine remembers of a safety file, outside its data folder and only while it runs: a
 * folder that is put back from a copy shows by it, and so does a machine that is, for it has
 * forgotten. Written after each record without a sync: the end of a process does not undo it.
 */

/** Memory that a machine loses when it ends; where there is none, a folder that it may keep. */
const memoryFolder = "/dev/shm";

/** Most safety files that are remembered; the one written to longest ago is forgotten. */
export const witnessesMax = 256;

/** Bytes of a name that a run of records has until its file is doubted. */
export const sessionSize = 16;

/** A session and the number of the newest record, 8 bytes. */
const witnessSize = sessionSize + 8;

/** Where witnesses lie by default: a folder of this user's. */
export function witnessFolder(): string {
  const base = existsSync(memoryFolder) ? memoryFolder : tmpdir();
  return join(base, `ledger-${userInfo().uid}`);
}

/** What the machine remembers of one safety file. */
export class SafetyWitness {
  /** `null` where nothing can be remembered. */
  readonly #path: string | null;
  #session: Uint8Array;
  /** Of the newest record; `null` if nothing is remembered. */
  #number: number | null = null;
  #file: number | null = null;

  /** Of the file with this binding; a folder that is not this user's alone is not believed. */
  constructor(binding: Uint8Array, folder: string) {
    this.#session = newSession();
    this.#path = isOwnFolder(folder) ? join(folder, bytesToHexDigits(binding)) : null;
    if (this.#path === null) return;
    if (!existsSync(this.#path)) {
      forgetOldest(folder);
      return;
    }
    const held = new Uint8Array(readFileSync(this.#path));
    if (held.length !== witnessSize) return;
    this.#session = held.slice(0, sessionSize);
    this.#number = Number(bytesToBigInt(held.subarray(sessionSize)));
  }

  /** Names the records that were written since the file was last doubted. */
  get session(): Uint8Array {
    return this.#session;
  }

  /** What the machine knows of a file that ends with this record. */
  judge(session: Uint8Array, number: number): "newest" | "older" | "unknown" {
    if (this.#number === null) return "unknown";
    return equalBytes(session, this.#session) && number >= this.#number ? "newest" : "older";
  }

  /** Gives the records that follow a new name. */
  renew(): void {
    this.#session = newSession();
  }

  /** Remembers that the record of this number, counted from 0, is on disk. */
  note(number: number): void {
    this.#number = number;
    if (this.#path === null) return;
    const bytes = concatBytes(this.#session, bigIntToFixedBytes(BigInt(number), 8));
    try {
      this.#file ??= openSync(this.#path, constants.O_RDWR | constants.O_CREAT, 0o600);
      writeSync(this.#file, bytes, 0, witnessSize, 0);
    } catch (error) {
      throw toStorageError(this.#path, error);
    }
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }
}

function newSession(): Uint8Array {
  return new Uint8Array(randomBytes(sessionSize));
}

/** Makes the folder if there is none; whether it is this user's and nobody else writes to it. */
function isOwnFolder(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const found = lstatSync(folder);
    return found.isDirectory() && found.uid === userInfo().uid && (found.mode & 0o077) === 0;
  } catch {
    return false; // Nothing is remembered then, which is safe.
  }
}

function forgetOldest(folder: string): void {
  const names = readdirSync(folder);
  if (names.length < witnessesMax) return;
  const paths = names.map((name) => join(folder, name));
  const aged = paths.flatMap((path) => {
    const found = statSync(path, { throwIfNoEntry: false });
    return found === undefined ? [] : [{ path, atMs: found.mtimeMs }];
  });
  const oldest = aged.sort((a, b) => a.atMs - b.atMs).slice(0, aged.length - witnessesMax + 1);
  for (const { path } of oldest) rmSync(path, { force: true });
}

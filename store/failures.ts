import { NodeError } from "../base/nodeError.ts";

/** Stored bytes are not what was written: a flipped bit, a torn or lost write, a missing node. */
export class CorruptionError extends NodeError {
  override readonly name = "CorruptionError";
  /** What was damaged: a key in hex digits, or a file and an offset. */
  readonly key: string;

  constructor(key: string, message: string, options: { readonly cause?: unknown } = {}) {
    super("E_DATA_CORRUPT", `${message} (${key})`, {
      ...options,
      hint: "Restore the data folder from a backup or a snapshot, or let the node sync anew.",
    });
    this.key = key;
  }
}

/** The state asked for was pruned, or is being pruned: never half an answer. */
export class PrunedError extends NodeError {
  override readonly name = "PrunedError";
  /** The state root that is gone. */
  readonly root: string;

  constructor(root: string) {
    super("E_STATE_PRUNED", `The state ${root} is pruned.`, {
      hint: "Ask for a newer height, or ask an archive node.",
    });
    this.root = root;
  }
}

/** A disk that is full, read-only or failing. The caller ends the process and never tries again. */
export class StorageError extends NodeError {
  override readonly name = "StorageError";
}

/** Another process holds the data folder or the file. */
export class InUseError extends NodeError {
  override readonly name = "InUseError";

  constructor(path: string, cause: unknown) {
    super("E_DATA_FOLDER_IN_USE", `The data folder ${path} is in use by another process.`, {
      hint: "Stop the other node, or start this one with another data folder.",
      cause,
    });
  }
}

/** The data folder was written by another program, a newer format, or for another chain. */
export class FormatError extends NodeError {
  override readonly name = "FormatError";
}

/** One sentence for an error of the operating system, by its `code`; `null` if there is none. */
function describeSystemCode(code: string): string | null {
  switch (code) {
    case "ENOSPC":
      return "The disk is full.";
    case "EDQUOT":
      return "The disk quota is used up.";
    case "EROFS":
      return "The file system is read-only.";
    case "EACCES":
    case "EPERM":
      return "The data folder may not be written.";
    case "EIO":
      return "The disk reports an input/output error.";
    case "EMFILE":
    case "ENFILE":
      return "Too many files are open.";
    default:
      return null;
  }
}

const phrases: readonly (readonly [phrase: string, code: string])[] = [
  ["No space left on device", "ENOSPC"],
  ["Disk quota exceeded", "EDQUOT"],
  ["Read-only file system", "EROFS"],
  ["Permission denied", "EACCES"],
  ["Input/output error", "EIO"],
  ["Too many open files", "EMFILE"],
];

/** Gives a failed disk operation its sentence; engines report some codes only in their text. */
export function toStorageError(subject: string, cause: unknown): StorageError {
  const text = causeText(cause);
  const own = cause instanceof Error && "code" in cause ? cause.code : undefined;
  const found = phrases.find(([phrase]) => text.includes(phrase))?.[1];
  const code = found ?? (typeof own === "string" ? own : "");
  const sentence = describeSystemCode(code) ?? `The disk operation failed: ${text.slice(0, 300)}`;
  return new StorageError("E_STORAGE", `${subject}: ${sentence}`, {
    hint: "Free space or mend the disk, then start the node again; nothing committed is lost.",
    cause,
  });
}

/** An error's messages down its chain of causes. */
function causeText(cause: unknown): string {
  const texts: string[] = [];
  let error = cause;
  for (let depth = 0; depth < 8 && error instanceof Error; depth += 1) {
    texts.push(error.message);
    error = error.cause;
  }
  return texts.length === 0 ? String(cause) : texts.join(": ");
}

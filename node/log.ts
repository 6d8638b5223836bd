import { pino, type Logger } from "pino";
import { printValue } from "../base/print.ts";

/** What the program logs with: a sentence, and an object of named values. */
export type Log = {
  error(message: string, values?: Record<string, unknown>): void;
  warn(message: string, values?: Record<string, unknown>): void;
  info(message: string, values?: Record<string, unknown>): void;
  debug(message: string, values?: Record<string, unknown>): void;
  child(part: string): Log;
  /**
   * Shows a sentence below the log until another or `null` replaces it, and says whether it did:
   * only a terminal can.
   */
  status(sentence: string | null): boolean;
  flush(): void;
};

/** Where lines go, and a status below them. */
type Lines = {
  readonly write: (line: string) => void;
  readonly status: (sentence: string | null) => boolean;
};

/** Back to the beginning of the line, which is then empty. */
const eraseLine = "\r\u001b[2K";

/** The status is written again after each line; `columns` cuts it, so that it stays one line. */
export function terminalLines(write: (text: string) => void, columns: () => number): Lines {
  let shown = "";
  return {
    write: (line) => write(`${shown === "" ? "" : eraseLine}${line}\n${shown}`),
    status: (sentence) => {
      const before = shown;
      shown = (sentence ?? "").slice(0, columns() - 1);
      if (shown !== before) write(`${eraseLine}${shown}`);
      return true;
    },
  };
}

/** Levels in falling severity; `silent` logs nothing. */
export type LogLevel = "error" | "warn" | "info" | "debug" | "trace" | "silent";

const textWidth = 44;

/** One line for people: time, level, part, sentence, values. */
function textLine(line: string): string {
  const record = JSON.parse(line) as Record<string, unknown>;
  const { level, time, msg, part, ...values } = record;
  const clock = new Date(Number(time)).toISOString().slice(11, 23);
  const word = Number(level) >= 50 ? "ERROR" : Number(level) >= 40 ? "WARN " : "     ";
  const sentence = `${typeof part === "string" ? `${part}: ` : ""}${String(msg)}`;
  const pairs = Object.entries(values).map(([name, value]) => {
    return `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`;
  });
  return `${clock} ${word} ${sentence.padEnd(textWidth)} ${pairs.join(" ")}`.trimEnd();
}

function wrap(logger: Logger, status: Lines["status"]): Log {
  const plain = (values: Record<string, unknown> = {}): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(values).map(([name, value]) => [
        name,
        typeof value === "number" || typeof value === "boolean" || typeof value === "string"
          ? value
          : value instanceof Error
            ? value.message
            : printValue(value),
      ]),
    );
  return {
    error: (message, values) => logger.error(plain(values), message),
    warn: (message, values) => logger.warn(plain(values), message),
    info: (message, values) => logger.info(plain(values), message),
    debug: (message, values) => logger.debug(plain(values), message),
    child: (part) => wrap(logger.child({ part }), status),
    status,
    flush: () => logger.flush(),
  };
}

/**
 * A log on standard error: `text` for people, `json` for machines. Written at once: nothing is lost
 * at exit.
 */
export function createLog(options: {
  readonly level: LogLevel;
  readonly format: "text" | "json";
  /** Standard error is a terminal that can erase a line. */
  readonly isTerminal: boolean;
}): Log {
  const { stderr } = process;
  const write = (text: string): void => void stderr.write(text);
  const lines = options.isTerminal
    ? terminalLines(write, () => stderr.columns)
    : { write: (line: string) => write(`${line}\n`), status: () => false };
  const destination =
    options.format === "json"
      ? { write }
      : { write: (line: string) => lines.write(textLine(line)) };
  return wrap(pino({ level: options.level, base: null }, destination), lines.status);
}

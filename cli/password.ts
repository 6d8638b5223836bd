import { existsSync, readFileSync, statSync } from "node:fs";
import { UsageError, InterruptedError } from "./failure.ts";
import { NodeError } from "../base/nodeError.ts";

/** Where a password may come from; the first that is present wins. */
export type PasswordSources = {
  /** `--password-file`: the file's first line. */
  readonly file?: string | undefined;
  /** `--password`: works, with a warning, because other users of the machine can read it. */
  readonly flag?: string | undefined;
  /** Name of the environment variable. */
  readonly variable: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly warn: (line: string) => void;
  /** What the prompt says, such as `Password of 0x2E83…`. */
  readonly prompt: string;
  /** Ask twice, because a slip would lock the key for ever. */
  readonly confirm?: true;
};

/** Longest password that is read, in bytes. */
const passwordBytesMax = 4_096;

/**
 * Finds the password: file, flag, environment, then a prompt on a terminal or a line of standard
 * input.
 */
export async function readPassword(sources: PasswordSources): Promise<string> {
  if (sources.file !== undefined) return checked(readPasswordFile(sources.file), sources);
  if (sources.flag !== undefined) {
    sources.warn(
      "warning: --password stays in the process list and the shell history; use --password-file",
    );
    return checked(sources.flag, sources);
  }
  const variable = sources.environment[sources.variable];
  if (variable !== undefined) return checked(variable, sources);
  if (process.stdin.isTTY) return checked(await promptPassword(sources), sources);
  const line = await inputLine();
  if (line === null) throw noPassword(sources);
  return checked(line, sources);
}

/** The first line of a file, which must be a small regular file. */
export function readPasswordFile(path: string): string {
  if (!existsSync(path)) throw new UsageError(`there is no password file ${path}`);
  const status = statSync(path);
  if (status.isDirectory()) throw new UsageError(`the password file ${path} is a folder`);
  if (status.size > passwordBytesMax)
    throw new UsageError(`the password file ${path} is larger than ${passwordBytesMax} bytes`);
  return firstLine(readFileSync(path, "utf8"));
}

function firstLine(text: string): string {
  return (text.split("\n")[0] ?? "").replace(/\r$/, "");
}

function checked(password: string, sources: PasswordSources): string {
  if (password === "") throw noPassword(sources);
  return password;
}

function noPassword(sources: PasswordSources): NodeError {
  return new NodeError("E_NO_PASSWORD", "no password was given", {
    hint: `--password-file FILE, ${sources.variable}=…, or a line on standard input`,
  });
}

async function promptPassword(sources: PasswordSources): Promise<string> {
  const { password } = await import("@inquirer/prompts");
  const ask = async (message: string): Promise<string> => {
    try {
      return await password({ message, mask: true }, { output: process.stderr });
    } catch (error) {
      if (error instanceof Error && error.name === "ExitPromptError") throw new InterruptedError();
      throw error;
    }
  };
  const first = await ask(`${sources.prompt}:`);
  if (sources.confirm === true && (await ask("The same again:")) !== first)
    throw new NodeError("E_BAD_PASSWORD", "the two passwords differ");
  return first;
}

let pendingInput: AsyncIterator<string> | null = null;

/** The next line of standard input; `null` at its end. Several passwords may follow one another. */
async function inputLine(): Promise<string | null> {
  if (pendingInput === null) {
    const { createInterface } = await import("node:readline");
    const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
    pendingInput = lines[Symbol.asyncIterator]();
  }
  const next = await pendingInput.next();
  if (next.done === true) return null;
  if (next.value.length > passwordBytesMax)
    throw new UsageError(`the password on standard input is longer than ${passwordBytesMax} bytes`);
  return next.value;
}

/** Lets the program end although standard input is still open. */
export function closeInput(): void {
  if (pendingInput !== null) process.stdin.destroy();
  pendingInput = null;
}

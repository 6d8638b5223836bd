import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import type { Abi } from "viem";
import type { Hex } from "./abi.ts";
import { UsageError } from "./failure.ts";

/** A contract that can be deployed or spoken to. */
export type Artifact = {
  readonly name: string;
  readonly abi: Abi;
  /** `null` for an interface without code. */
  readonly bytecode: Hex | null;
};

/** Largest source or artifact that is read, in bytes. */
const fileBytesMax = 16 * 1_024 * 1_024;

/** Folders upwards from a source in which packages are looked for. */
const foldersMax = 32;

function readText(path: string): string {
  if (!existsSync(path) || !statSync(path).isFile())
    throw new UsageError(`there is no file ${path}`);
  if (statSync(path).size > fileBytesMax)
    throw new UsageError(`${path} is larger than ${fileBytesMax} bytes`);
  return readFileSync(path, "utf8");
}

/**
 * Reads a contract: Solidity source, an artifact of Hardhat, Foundry or solc, or a bare ABI.
 * `contract` chooses where there are several.
 */
export function readArtifact(path: string, contract: string | undefined): Artifact {
  if (path.endsWith(".sol")) return chosen(compile(path), contract, path);
  let json: unknown;
  try {
    json = JSON.parse(readText(path));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${path} is neither Solidity nor JSON`);
  }
  if (Array.isArray(json)) return { name: contract ?? "", abi: json as Abi, bytecode: null };
  const abi = member(json, "abi");
  if (!Array.isArray(abi)) throw new UsageError(`${path} has no abi`);
  const code =
    member(json, "bytecode") ?? member(member(member(json, "evm"), "bytecode"), "object");
  const name = member(json, "contractName");
  return {
    name: typeof name === "string" ? name : "",
    abi: abi as Abi,
    bytecode: codeOf(typeof code === "object" ? member(code, "object") : code, path),
  };
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

function codeOf(value: unknown, path: string): Hex | null {
  if (typeof value !== "string" || value === "" || value === "0x") return null;
  const digits = value.replace(/^0x/, "");
  if (digits.includes("__")) throw new UsageError(`${path} needs libraries that are not linked`);
  if (!/^[0-9a-fA-F]+$/.test(digits)) throw new UsageError(`the bytecode in ${path} is not hex`);
  return `0x${digits}`;
}

function chosen(all: readonly Artifact[], name: string | undefined, path: string): Artifact {
  const able = all.filter(({ bytecode }) => bytecode !== null);
  const found = name === undefined ? able : all.filter((artifact) => artifact.name === name);
  const [first] = found;
  const names = all.map((artifact) => artifact.name).join(", ");
  if (first === undefined)
    throw new UsageError(`${path} has no contract ${name ?? "with code"}: ${names}`);
  if (found.length > 1)
    throw new UsageError(`${path} has several contracts: ${names}`, { hint: "--contract NAME" });
  return first;
}

type Solc = {
  compile(
    input: string,
    callbacks: { import(path: string): { contents: string } | { error: string } },
  ): string;
};

function loadSolc(): Solc {
  const places = [import.meta.url, join(resolve("."), "package.json")];
  for (const place of places) {
    try {
      return createRequire(place)("solc") as Solc;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "MODULE_NOT_FOUND"))
        throw error;
    }
  }
  throw new UsageError("the Solidity compiler is not installed", { hint: "npm install solc" });
}

type Output = {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[];
  readonly contracts?: Readonly<
    Record<
      string,
      Readonly<
        Record<string, { readonly abi: Abi; readonly evm: { bytecode: { object: string } } }>
      >
    >
  >;
};

function compile(path: string): readonly Artifact[] {
  const content = readText(path);
  const settings = {
    optimizer: { enabled: true, runs: 200 },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
  };
  const input = { language: "Solidity", sources: { [path]: { content } }, settings };
  const callbacks = { import: (name: string) => importFrom(dirname(resolve(path)), name) };
  const output = JSON.parse(loadSolc().compile(JSON.stringify(input), callbacks)) as Output;
  const fault = output.errors?.find(({ severity }) => severity === "error");
  if (fault !== undefined)
    throw new UsageError(`${path} does not compile\n${fault.formattedMessage.trimEnd()}`);
  return Object.entries(output.contracts?.[path] ?? {}).map(([name, { abi, evm }]) => ({
    name,
    abi,
    bytecode: codeOf(evm.bytecode.object, path),
  }));
}

/** An import: beside the source, or in a package of a folder above. */
function importFrom(folder: string, name: string): { contents: string } | { error: string } {
  let at = folder;
  const places = [resolve(name), join(folder, name)];
  for (let i = 0; i < foldersMax; i += 1) {
    places.push(join(at, "node_modules", name));
    if (dirname(at) === at) break;
    at = dirname(at);
  }
  const found = places.find((place) => existsSync(place));
  return found === undefined
    ? { error: `no file ${name}` }
    : { contents: readFileSync(found, "utf8") };
}

import { createRequire } from "node:module";
import { assert } from "../../base/assert.ts";
import { hexToBytes } from "../../base/bytes.ts";

type Compiler = { compile(input: string): string };

type Output = {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[];
  readonly contracts?: Readonly<Record<string, Readonly<Record<string, Made>>>>;
};

type Made = {
  readonly abi: readonly object[];
  readonly evm: { readonly bytecode: { readonly object: string } };
};

/** The init code of a contract in Solidity source; a fault in the source is a bug of the test. */
export function compileSolidity(source: string, contract: string): Uint8Array {
  return hexToBytes(compileContract(source, contract).bytecode);
}

/** The interface of a contract beside its init code, in hexadecimal digits. */
export function compileContract(
  source: string,
  contract: string,
): { readonly abi: readonly object[]; readonly bytecode: string } {
  // A CommonJS package of 9 MB: loaded where something is compiled, and nowhere else.
  const compiler = createRequire(import.meta.url)("solc") as Compiler;
  const input = {
    language: "Solidity",
    sources: { source: { content: source } },
    settings: {
      evmVersion: "osaka",
      optimizer: { enabled: true },
      outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
    },
  };
  const output = JSON.parse(compiler.compile(JSON.stringify(input))) as Output;
  const errors = (output.errors ?? []).filter(({ severity }) => severity === "error");
  assert(errors.length === 0, errors.map(({ formattedMessage }) => formattedMessage).join("\n"));
  const made = output.contracts?.["source"]?.[contract];
  assert(made !== undefined, `the source has no contract ${contract}`);
  return { abi: made.abi, bytecode: made.evm.bytecode.object };
}

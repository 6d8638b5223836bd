import { createRequire } from "node:module";
import { assert } from "../../base/assert.ts";
import { hexToBytes } from "../../base/bytes.ts";

type Compiler = { compile(input: string): string };

type Output = {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[];
  readonly contracts?: Readonly<
    Record<string, Readonly<Record<string, { readonly evm: { readonly bytecode: Bytecode } }>>>
  >;
};

type Bytecode = { readonly object: string };

/** The init code of a contract in Solidity source; a fault in the source is a bug of the test. */
export function compileSolidity(source: string, contract: string, evmVersion: string): Uint8Array {
  // A CommonJS package of 9 MB: loaded where something is compiled, and nowhere else.
  const compiler = createRequire(import.meta.url)("solc") as Compiler;
  const input = {
    language: "Solidity",
    sources: { source: { content: source } },
    settings: {
      evmVersion,
      optimizer: { enabled: true },
      outputSelection: { "*": { "*": ["evm.bytecode.object"] } },
    },
  };
  const output = JSON.parse(compiler.compile(JSON.stringify(input))) as Output;
  const errors = (output.errors ?? []).filter(({ severity }) => severity === "error");
  assert(errors.length === 0, errors.map(({ formattedMessage }) => formattedMessage).join("\n"));
  const code = output.contracts?.["source"]?.[contract]?.evm.bytecode.object;
  assert(code !== undefined, `the source has no contract ${contract}`);
  return hexToBytes(code);
}

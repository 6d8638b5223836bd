#!/usr/bin/env node
// What forge takes for a compiler: solc's npm package behind solc's command line.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const solc = createRequire(import.meta.url)(process.env["SOLC_MODULE"] ?? "solc");
if (process.argv.includes("--version") === true) {
  const version = `${solc.version()}`.replace(".Emscripten.clang", ".Linux.g++");
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${version}`);
} else {
  process.stdout.write(`${solc.compile(readFileSync(0, "utf8"))}`);
}

#!/usr/bin/env node
const solc = require(process.env.SOLC_MODULE);
if (process.argv.includes("--version")) {
  console.log(
    "solc, the solidity compiler commandline interface\nVersion: " +
      solc.version().replace(".Emscripten.clang", ".Linux.g++"),
  );
} else {
  let input = "";
  process.stdin.on("data", (d) => (input += d));
  process.stdin.on("end", () => process.stdout.write(solc.compile(input)));
}

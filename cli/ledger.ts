import { createNodeProgram } from "./nodeProgram.ts";
import { runProgram } from "./run.ts";

await runProgram(createNodeProgram, process.argv.slice(2));

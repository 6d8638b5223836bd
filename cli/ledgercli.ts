import { createWalletProgram } from "./walletProgram.ts";
import { runProgram } from "./run.ts";

await runProgram(createWalletProgram, process.argv.slice(2));

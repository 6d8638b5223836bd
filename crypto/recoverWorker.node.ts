import { parentPort } from "node:worker_threads";
import { recoverRecords } from "./verify.ts";

// A thread of `recoverPool.node.ts`: packed records in, packed answers out, both transferred.
parentPort?.on("message", (records: Uint8Array<ArrayBuffer>) => {
  const answers = recoverRecords(records);
  parentPort?.postMessage(answers, [answers.buffer]);
});

import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { signDigests } from "./signThread.node.ts";
import { yieldToOthers } from "./threadPriority.node.ts";

// The thread of `signThread.node.ts`: packed digests in, packed signatures out, both transferred.
const key: unknown = workerData;
assert(key instanceof Uint8Array, "the thread is given a key");
// What is signed here is not sent yet, and whoever sends has other things to do meanwhile.
yieldToOthers();
parentPort?.on("message", (digests: Uint8Array<ArrayBuffer>) => {
  const signatures = signDigests(digests, key);
  parentPort?.postMessage(signatures, [signatures.buffer]);
});

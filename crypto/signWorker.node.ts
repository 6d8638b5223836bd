import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { signDigests } from "./signThread.node.ts";

// The thread of `signThread.node.ts`: packed digests in, packed signatures out, both transferred.
const key: unknown = workerData;
assert(key instanceof Uint8Array, "the thread is given a key");
parentPort?.on("message", (digests: Uint8Array<ArrayBuffer>) => {
  const signatures = signDigests(digests, key);
  parentPort?.postMessage(signatures, [signatures.buffer]);
});

import { once } from "node:events";
import { constants, getPriority } from "node:os";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";

/* Goal: the thread that asks for it yields, and no other of the process. */

// Linux alone gives threads priorities of their own.
test.runIf(process.platform === "linux")("only the calling thread yields", async () => {
  const url = new URL("./threadPriority.node.ts", import.meta.url).href;
  const code = `
    const { readlinkSync } = require("node:fs");
    const { parentPort } = require("node:worker_threads");
    import("${url}").then(({ yieldToOthers }) => {
      yieldToOthers();
      const thread = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
      parentPort.postMessage(require("node:os").getPriority(thread));
    });`;
  const before = getPriority();
  const worker = new Worker(code, { eval: true });
  const [priority]: unknown[] = await once(worker, "message");
  await worker.terminate();
  expect(priority).toBe(Math.max(before, constants.priority.PRIORITY_BELOW_NORMAL));
  expect(getPriority()).toBe(before);
});

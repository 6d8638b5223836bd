import { parentPort, workerData } from "node:worker_threads";

import type { Digest } from "../base/brand.ts";
import { createParametersReader } from "../ledger/execute.ts";
import { coreRegistry } from "../ledger/runtime.ts";
import type { StateChanges } from "../ledger/state.ts";
import { runStateTask } from "../ledger/stateTasks.ts";
import { PrunedError } from "../store/failures.ts";
import { openLevel } from "../store/level.ts";
import { createStateView } from "../store/stateView.ts";
import { NodeError } from "../base/nodeError.ts";
import type { StateJob, StateJobEnd } from "./stateThreads.ts";

// A thread of `stateThreads.ts`: one job in, its end out. It reads the same store as the node and
// writes nothing.
const { folder } = workerData as { readonly folder: string };
const view = createStateView(
  await openLevel(folder, { shared: "later", blockCacheBytes: 8 << 20 }),
);
const parametersOf = createParametersReader(coreRegistry);

async function endOf({ name, request, root, chain, block }: StateJob): Promise<StateJobEnd> {
  try {
    const reader = view.reader(root);
    const parameters = parametersOf(reader);
    const rootAfter = (changes: StateChanges): Digest => view.rootAfter(root, changes);
    const scene = { registry: coreRegistry, chain, parameters, reader, block, rootAfter };
    return { type: "answered", answer: await runStateTask(name, scene, request) };
  } catch (error) {
    if (error instanceof PrunedError) return { type: "pruned" };
    const code = error instanceof NodeError ? error.code : "";
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { type: "threw", code, stack };
  }
}

parentPort?.on("message", (job: StateJob) => {
  void endOf(job).then((end) => parentPort?.postMessage(end));
});
parentPort?.postMessage("ready");

import { createAccessList } from "./accessList.ts";
import { estimateGas } from "./estimate.ts";
import { simulate, type TaskScene } from "./simulate.ts";
import { simulateBlocks } from "./simulateBlocks.ts";
import { traceBlock, traceCall } from "./tracing/tasks.ts";

/*
 * What a node may be asked to run against a committed state, beside consensus and without writing.
 * Requests and answers are plain data, because a task runs on whatever thread has time.
 */

/** Tasks by name: each gets the state it runs against and a request. */
export const stateTasks = {
  simulate,
  estimateGas,
  createAccessList,
  simulateBlocks,
  traceBlock,
  traceCall,
} as const;

/** The name of a task. */
export type StateTaskName = keyof typeof stateTasks;

/** What a task is asked. */
export type StateTaskRequest<N extends StateTaskName> = Parameters<(typeof stateTasks)[N]>[1];

/** What a task answers. */
export type StateTaskAnswer<N extends StateTaskName> = Awaited<ReturnType<(typeof stateTasks)[N]>>;

/** Runs a task by its name. */
export function runStateTask<N extends StateTaskName>(
  name: N,
  scene: TaskScene,
  request: StateTaskRequest<N>,
): Promise<StateTaskAnswer<N>> {
  // Each entry takes the request of its own name; the compiler sees only the union.
  const task = stateTasks[name] as (
    scene: TaskScene,
    request: StateTaskRequest<N>,
  ) => Promise<StateTaskAnswer<N>>;
  return task(scene, request);
}

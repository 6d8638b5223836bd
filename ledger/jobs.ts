import { assert } from "../base/assert.ts";
import { createModuleKey } from "./definitions.ts";
import { stateKey, stateKeysWith } from "./keys.ts";
import type { JobDefinition, JobDue, Module, ModuleContext, ModuleState } from "./module.ts";
import type { Registry } from "./registry.ts";
import { bytesToBigInt } from "../base/bytes.ts";
import { rlpNumber, decodeRlp } from "../base/rlp.ts";
import { decodeOwn, encodeWith, numberField, recordField, textField } from "./schema.ts";
import type { Schema } from "./schema.ts";

/*
 * Scheduled work. A job waits in the queue of its height; if its time has not come by then it moves
 * to the queue of its timestamp. Both are scanned from their start, so a block that is full of jobs
 * leaves the rest to the next one and none is lost.
 *
 *   tag 0                                next sequence
 *   tag 1 | height u64 | sequence u64    job, waiting for its height
 *   tag 2 | timestamp u64 | sequence u64 job whose height has passed, waiting for its timestamp
 */

const key = createModuleKey("jobs");
const sequenceKey = stateKey(0);
const heightTag = 1;
const timestampTag = 2;

const recordSchema = recordField({
  module: textField(13),
  name: textField(64),
  timestampMsMin: numberField,
  body: itemField(),
});

/** The module `jobs`: only state; the executor runs it. */
export const jobsModule: Module = {
  key,
  name: key.name,
  version: 1,
  parameters: {},
  operations: {},
  queries: {},
  events: [],
  jobs: [],
  genesis: { init: () => {} },
  invariants: [],
};

/** Puts a job into its queue; `height` is of the block at hand, in which it cannot run any more. */
export function scheduleJob<T>(
  context: ModuleContext,
  job: JobDefinition<T>,
  body: T,
  due: JobDue,
): void {
  const state = context.state(key);
  const heightMin = Math.max(due.heightMin, context.block.height + 1);
  const sequence = takeSequence(state);
  const record = {
    module: job.module,
    name: job.name,
    timestampMsMin: due.timestampMsMin,
    body: encodeWith(job.schema, body),
  };
  state.set(stateKey(heightTag, heightMin, sequence), encodeWith(recordSchema, record));
}

/**
 * Runs what is due, oldest first, at most `jobsMax`; moving a job to the other queue counts too.
 */
export function runDueJobs(context: ModuleContext, registry: Registry, jobsMax: number): number {
  const state = context.state(key);
  const { height, timestampMs } = context.block;
  let left = jobsMax;
  const due = { from: stateKey(heightTag, 0), to: stateKey(heightTag, height + 1), limit: left };
  for (const [at, bytes] of state.range(due)) {
    left -= 1;
    state.set(at, null);
    const { timestampMsMin } = decodeOwn(recordSchema, bytes);
    if (timestampMsMin <= timestampMs) runJob(context, registry, bytes);
    else state.set(stateKey(timestampTag, timestampMsMin, at.subarray(9)), bytes);
  }
  if (left === 0) return jobsMax;
  const late = {
    from: stateKey(timestampTag, 0),
    to: stateKey(timestampTag, timestampMs + 1),
    limit: left,
  };
  for (const [at, bytes] of state.range(late)) {
    left -= 1;
    state.set(at, null);
    runJob(context, registry, bytes);
  }
  return jobsMax - left;
}

/** How many jobs wait, for tests and metrics. */
export function countJobs(context: ModuleContext): number {
  const state = context.state(key);
  const waiting = [stateKeysWith(heightTag), stateKeysWith(timestampTag)];
  return waiting.reduce((sum, range) => sum + state.range(range).length, 0);
}

function runJob(context: ModuleContext, registry: Registry, bytes: Uint8Array): void {
  const record = decodeOwn(recordSchema, bytes);
  const job = registry.job(record.module, record.name);
  assert(job !== null, `no module knows the job ${record.module}.${record.name}`);
  job.run(context, decodeOwn(job.schema, record.body));
}

function takeSequence(state: ModuleState): number {
  const sequence = Number(bytesToBigInt(state.get(sequenceKey) ?? new Uint8Array(0)));
  state.set(sequenceKey, rlpNumber(sequence + 1));
  return sequence;
}

/** Encoded RLP as a byte string inside a record. */
function itemField(): Schema<Uint8Array> {
  return {
    description: "encoded body",
    toItem: (value) => value,
    fromItem: (item, reader) => {
      const bytes = reader.bytes(item, 65_536).slice();
      reader.check(decodeRlp(bytes).ok, "a job's body is RLP");
      return bytes;
    },
    toJson: () => null,
    fromJson: () => null,
  };
}

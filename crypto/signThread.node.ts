import { Worker } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import type { Address } from "../base/brand.ts";
import { concatBytes } from "../base/bytes.ts";
import { addressOf, signDigest } from "./secp256k1.ts";
import { workerFile } from "./workerFile.node.ts";

/*
 * A key whose many signatures are made on a thread of its own, so that whoever sends them goes on
 * meanwhile. If the thread dies, the same is done in place.
 */

/** Up to so many, passing digests on costs more than signing them in place. */
export const inlineDigestsMax = 2;

/** Digests waiting or under way; more is a caller that does not wait for what it asked. */
export const digestsQueuedMax = 65_536;

const digestBytes = 32;
const signatureBytes = 65;

type Job = {
  /** Packed. */
  readonly digests: Uint8Array;
  readonly resolve: (signatures: Uint8Array) => void;
};

/** Signs each of the packed digests; runs in the thread as well. */
export function signDigests(digests: Uint8Array, key: Uint8Array): Uint8Array<ArrayBuffer> {
  const count = digests.length / digestBytes;
  const signatures = new Uint8Array(count * signatureBytes);
  for (let i = 0; i < count; i += 1) {
    const digest = digests.subarray(i * digestBytes, (i + 1) * digestBytes);
    signatures.set(signDigest(digest, key), i * signatureBytes);
  }
  return signatures;
}

/** A signer with a thread, which starts when it is first needed. */
export class SigningThread {
  readonly address: Address;
  readonly #key: Uint8Array;
  readonly #startWorker: (key: Uint8Array) => Worker;
  #worker: Worker | null = null;
  #isLost = false;
  /** Passed on, the oldest first: the thread answers in order. */
  #jobs: Job[] = [];
  #bytesQueued = 0;

  constructor(privateKey: Uint8Array, start: (key: Uint8Array) => Worker = startWorker) {
    this.address = addressOf(privateKey);
    this.#key = privateKey.slice();
    this.#startWorker = start;
  }

  sign(digest: Uint8Array): Uint8Array {
    return signDigest(digest, this.#key);
  }

  /** Signs each of the digests. */
  async signMany(digests: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    if (digests.length <= inlineDigestsMax || this.#isLost)
      return digests.map((digest) => this.sign(digest));
    const signatures = await this.#pass(concatBytes(...digests));
    return digests.map((_, i) => signatures.subarray(i * signatureBytes, (i + 1) * signatureBytes));
  }

  /** Ends the thread; what is under way is signed in place. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#lose();
    await worker?.terminate();
  }

  #pass(digests: Uint8Array): Promise<Uint8Array> {
    this.#bytesQueued += digests.length;
    assert(this.#bytesQueued <= digestsQueuedMax * digestBytes, "signatures are waited for");
    this.#worker ??= this.#start();
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    this.#jobs.push({ digests, resolve });
    this.#worker.ref(); // Work under way keeps the process alive; an idle thread does not.
    this.#worker.postMessage(digests);
    return promise;
  }

  #start(): Worker {
    const worker = this.#startWorker(this.#key);
    worker.on("message", (signatures: Uint8Array) => this.#onSigned(worker, signatures));
    worker.on("error", () => this.#lose());
    worker.on("exit", () => this.#lose());
    return worker;
  }

  #onSigned(worker: Worker, signatures: Uint8Array): void {
    const job = this.#jobs.shift();
    if (job === undefined) return; // The thread was given up, and the job done in place.
    this.#bytesQueued -= job.digests.length;
    if (this.#jobs.length === 0) worker.unref();
    job.resolve(signatures);
  }

  #lose(): void {
    this.#isLost = true;
    this.#worker = null;
    for (const { digests, resolve } of this.#jobs.splice(0))
      resolve(signDigests(digests, this.#key));
    this.#bytesQueued = 0;
  }
}

function startWorker(key: Uint8Array): Worker {
  const file = workerFile(new URL("./signWorker.node.ts", import.meta.url));
  return new Worker(file, { workerData: key });
}

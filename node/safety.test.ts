import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { zeroDigest } from "../base/bytes.ts";
import { NodeError } from "../base/nodeError.ts";
import { encodeSafetyRecord } from "../consensus/codec.ts";
import { emptySafetyRecord, rootCertificate } from "../consensus/rules.ts";
import type { Certificate, EpochInfo, SafetyRecord } from "../consensus/types.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import { createValidatorKeys } from "./keys.ts";
import {
  createSafetyFile,
  openSafety,
  type OpenedSafety,
  type SafetyOptions,
  type SafetySettings,
  type Silence,
  type SafetyView,
} from "./safety.ts";

/*
 * Goal: a key signs only where its record of votes can be trusted. Method: a real file, and a store
 * that shows what the case needs.
 */

const keys = createValidatorKeys();
const other = createValidatorKeys();
const genesis = { hash: keccakDigest(Uint8Array.of(1)) };
const block = keccakDigest(Uint8Array.of(2));
const nowMs = 1_700_000_000_000;

function epochOf(members: readonly (typeof keys)[], epoch = 4): EpochInfo {
  const validators = members.map(({ address, blsPublicKey }) => ({
    address,
    blsKey: blsPublicKey,
    stake: 1n,
  }));
  const committee = { epoch, validators };
  return {
    epoch,
    committee,
    root: zeroDigest,
    rootHeight: 9,
    lastHeight: 19,
    seed: zeroDigest,
    absent: [],
  };
}

const sole = epochOf([keys]);
const pair = epochOf([keys, other]);

/** A certificate with the vote of the committee's first member. */
function certificate(view: number): Certificate {
  const signers = Uint8Array.of(1);
  return { epoch: 4, view, block, parentView: view - 1, signers, signature: new Uint8Array(96) };
}

/** A store at its epoch's root, with what else it shows. */
function view(shown: { readonly proofView?: number; readonly hasBlock?: boolean }): SafetyView {
  const header = { height: 9, epoch: 3, view: 50, parentCertificate: rootCertificate(sole) };
  return {
    head: { header },
    hashAtHeight: () => null,
    committedHeader: () => null,
    uncommittedBlocks: () => [],
    headProof: () =>
      shown.proofView === undefined ? null : { certificate: certificate(shown.proofView) },
    block: () => (shown.hasBlock === true ? {} : null),
  };
}

function votedIn(votedView: number): SafetyRecord {
  const vote = { epoch: 4, view: votedView, block, parentView: votedView - 1 };
  return { ...emptySafetyRecord(sole), votedView, vote };
}

describe("safety file of a node", () => {
  let folder = "";
  let witnesses = "";
  let logged: string[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ledger-safety-"));
    witnesses = mkdtempSync(join(tmpdir(), "ledger-witness-"));
    logged = [];
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
    rmSync(witnesses, { recursive: true });
  });

  function open(
    options: Partial<SafetyOptions> & Partial<SafetySettings["consensus"]> = {},
  ): Promise<OpenedSafety> {
    const note = (message: string): void => void logged.push(message);
    const log = {
      error: note,
      warn: note,
      info: note,
      debug: note,
      status: () => false,
      flush: () => undefined,
    };
    const given: SafetyOptions = {
      genesis,
      keys,
      store: view({}),
      epoch: sole,
      log: { ...log, child: () => given.log },
      allowMissing: false,
      nowMs: () => nowMs,
      ...options,
    };
    const { soleValidator = false, trustSafetyFile = false } = options;
    const consensus = { soleValidator, trustSafetyFile, clockDriftMsMax: 10_000 };
    return openSafety({ dataFolder: folder, data: { witness: witnesses }, consensus }, given);
  }

  function create(isPortable = false): Promise<void> {
    const subject = { genesis: genesis.hash, publicKey: keys.blsPublicKey };
    return createSafetyFile(folder, { ...subject, isPortable }, witnesses);
  }

  /** Makes the file of a new key and writes a vote into it. */
  async function writeVote(votedView: number): Promise<void> {
    await create();
    const safety = await open();
    await safety.append(encodeSafetyRecord(votedIn(votedView)));
    await safety.close();
  }

  async function recordOf(options: Parameters<typeof open>[0]): Promise<SafetyRecord | null> {
    const safety = await open(options);
    await safety.close();
    return safety.record;
  }

  test("comes with a new key, and gives back what was promised", async () => {
    await create();
    expect(await recordOf({})).toEqual(emptySafetyRecord(sole));
    rmSync(folder, { recursive: true });
    await writeVote(7);
    expect(await recordOf({ store: view({ hasBlock: true }) })).toEqual(votedIn(7));
    expect(logged).toEqual([]);
  });

  test("D6: a key without one is silent in this epoch, and says so at each start", async () => {
    expect(await recordOf({ epoch: pair })).toBeNull();
    expect(await recordOf({ epoch: pair })).toBeNull();
    expect(logged.join("\n")).toMatch(/there is no safety file[^]*earlier start/);
    // Which epoch is late enough is not for the file to say, but it keeps the time of the first.
    const later = await silenceOf({ epoch: epochOf([keys, other], 5), nowMs: () => nowMs + 1 });
    expect(later).toEqual({ untilMs: nowMs + 20_000, candidate: null });
  });

  test("D6: one of another key, chain or folder is not trusted", async () => {
    await writeVote(7);
    expect(await recordOf({ keys: other })).toBeNull();
    removeFile();
    await writeVote(7);
    expect(await recordOf({ genesis: { hash: zeroDigest } })).toBeNull();
    expect(logged.join("\n")).toMatch(/of another place, key or chain/);
  });

  test("D7: one that is older than the chain is not trusted", async () => {
    await writeVote(7);
    const store = view({ hasBlock: true, proofView: 8 });
    expect(await recordOf({ store })).toBeNull();
    expect(logged).toEqual([expect.stringMatching(/old copy: it ends at view 7.* view 8/)]);
  });

  async function silenceOf(options: Parameters<typeof open>[0]): Promise<Silence | null> {
    const safety = await open(options);
    await safety.close();
    return safety.silence;
  }

  const path = (): string => join(folder, "safety");
  const store = view({ hasBlock: true });

  test("D7: a whole folder that was put back is known by what the machine remembers", async () => {
    await writeVote(7);
    copyFileSync(path(), `${path()}.backup`);
    const safety = await open({ epoch: pair, store });
    await safety.append(encodeSafetyRecord(votedIn(8)));
    await safety.close();
    copyFileSync(`${path()}.backup`, path());
    const silence = { untilMs: nowMs + 20_000, candidate: null };
    expect(await silenceOf({ epoch: pair, store })).toEqual(silence);
    expect(await silenceOf({ epoch: pair, store, nowMs: () => nowMs + 9 })).toEqual(silence);
    expect(logged[0]).toMatch(/old copy: this machine has written a newer one: this key signs/);
    // The silence itself may come back from a copy, too.
    copyFileSync(path(), `${path()}.backup`);
    const spoken = await open({ epoch: pair, store });
    await spoken.append(encodeSafetyRecord(votedIn(9)));
    await spoken.close();
    copyFileSync(`${path()}.backup`, path());
    const again = await silenceOf({ epoch: pair, store, nowMs: () => nowMs + 9 });
    expect(again).toEqual({ untilMs: nowMs + 20_009, candidate: null });
  });

  test("D7: after the machine started others must confirm the record, over restarts", async () => {
    await writeVote(7);
    forgetWitness();
    const silence = { untilMs: nowMs + 20_000, candidate: votedIn(7) };
    expect(await silenceOf({ epoch: pair, store })).toEqual(silence);
    expect(logged[0]).toMatch(/was started since .*older state: .*or until the other validators/);
    expect(await silenceOf({ epoch: pair, store, nowMs: () => nowMs + 9 })).toEqual(silence);
    const confirmed = await open({ epoch: pair, store });
    await confirmed.append(encodeSafetyRecord(votedIn(7)));
    await confirmed.close();
    expect(await recordOf({ epoch: pair, store })).toEqual(votedIn(7));
  });

  test("D7: a machine's start is no matter where nobody else votes, or by one's word", async () => {
    await writeVote(7);
    forgetWitness();
    expect(await recordOf({ store })).toEqual(votedIn(7));
    forgetWitness();
    expect(await recordOf({ epoch: pair, store, trustSafetyFile: true })).toEqual(votedIn(7));
    expect(logged).toEqual([]);
    removeFile();
    expect(await recordOf({ epoch: pair, trustSafetyFile: true })).toBeNull();
  });

  test("D7: killed between the file and what the machine remembers, it votes at once", async () => {
    await writeVote(7);
    const name = readdirSync(witnesses)[0] ?? "";
    const witness = readFileSync(join(witnesses, name));
    const safety = await open({ epoch: pair, store });
    await safety.append(encodeSafetyRecord(votedIn(8)));
    await safety.close();
    writeFileSync(join(witnesses, name), witness);
    expect(await recordOf({ epoch: pair, store })).toEqual(votedIn(8));
    expect(logged).toEqual([]);
  });

  test("D7: a testnet's first record may have been used by another copy of it", async () => {
    await create(true);
    const first = epochOf([keys, other], 0);
    expect(await silenceOf({ epoch: first })).toEqual({
      untilMs: nowMs + 20_000,
      candidate: emptySafetyRecord(first),
    });
    expect(await recordOf({ epoch: first })).toBeNull();
    rmSync(path());
    await create(true);
    expect(await silenceOf({ epoch: pair })).toMatchObject({ candidate: null });
    expect(logged.at(-1)).toMatch(/of a start long ago/);
  });

  test("D7: a key that heard of its own unknown votes is silent over restarts", async () => {
    await writeVote(7);
    const safety = await open({ epoch: pair, store });
    await safety.fallSilent({ untilMs: nowMs + 5, candidate: null });
    await safety.close();
    const silence = { untilMs: nowMs + 5, candidate: null };
    expect(await silenceOf({ epoch: pair, store })).toEqual(silence);
  });

  test("one that is as new as the chain is trusted", async () => {
    await writeVote(8);
    const store = view({ hasBlock: true, proofView: 8 });
    expect(await recordOf({ store })).toEqual(votedIn(8));
  });

  test("the only validator may start afresh, above what the chain shows", async () => {
    expect(await recordOf({ soleValidator: true })).toEqual(emptySafetyRecord(sole));
    removeFile();
    expect(await recordOf({ allowMissing: true })).toEqual(emptySafetyRecord(sole));
    removeFile();
    const refused = recordOf({ allowMissing: true, epoch: pair });
    await expect(refused).rejects.toThrow(/not the only validator/);
  });

  test("D5: a store that lost a voted block does not start, where nobody else has it", async () => {
    await writeVote(7);
    await expect(recordOf({})).rejects.toThrow(/the store ends at block 9.*view 7/);
    expect(await recordOf({ epoch: pair })).toEqual(votedIn(7));
    expect(logged).toEqual([expect.stringMatching(/is to come from other validators/)]);
  });

  test("D5: a damaged one ends the start, and is not replaced", async () => {
    await writeVote(7);
    const path = join(folder, "safety");
    const bytes = new Uint8Array(readFileSync(path));
    bytes[1_100] = (bytes[1_100] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const failure = await recordOf({ soleValidator: true }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(NodeError);
    expect(failure).toMatchObject({ code: "E_SAFETY_FILE" });
    expect(new Uint8Array(readFileSync(path))).toEqual(bytes);
  });

  function removeFile(): void {
    rmSync(join(folder, "safety"), { force: true });
  }

  /** What starting the machine anew does. */
  function forgetWitness(): void {
    rmSync(witnesses, { recursive: true });
    mkdirSync(witnesses, { mode: 0o700 });
  }
});

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
  let logged: string[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ledger-safety-"));
    logged = [];
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  function open(
    options: Partial<SafetyOptions> & { readonly soleValidator?: boolean } = {},
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
      ...options,
    };
    const consensus = { soleValidator: options.soleValidator ?? false };
    return openSafety({ dataFolder: folder, consensus }, given);
  }

  /** Makes the file of a new key and writes a vote into it. */
  async function writeVote(votedView: number): Promise<void> {
    await createSafetyFile(folder, {
      genesis: genesis.hash,
      publicKey: keys.blsPublicKey,
      isPortable: false,
    });
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
    await createSafetyFile(folder, {
      genesis: genesis.hash,
      publicKey: keys.blsPublicKey,
      isPortable: false,
    });
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
    expect(await recordOf({ epoch: epochOf([keys, other], 5) })).not.toBeNull();
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
});

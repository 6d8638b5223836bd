import fc from "fast-check";
import { bytesToHex, emptyBytes, equalBytes } from "../../base/bytes.ts";
import type { Outcome } from "../../base/outcome.ts";
import {
  decodeRlp,
  decodeRlpSequence,
  encodeRlp,
  isRlpList,
  type RlpItem,
} from "../../base/rlp.ts";
import {
  decodeCertificate,
  decodeSignedTimeout,
  decodeSignedVote,
  decodeTimeoutCertificate,
  encodeCertificate,
  encodeSignedTimeout,
  encodeSignedVote,
  encodeTimeoutCertificate,
} from "../../consensus/codec.ts";
import { keccakDigest } from "../../crypto/keccak.ts";
import { addressOf, signDigest } from "../../crypto/secp256k1.ts";
import {
  decodeBlock,
  decodeBody,
  decodeCommitProof,
  encodeBlock,
  encodeBody,
  encodeCommitProof,
} from "../../ledger/block.ts";
import { decodeEncoded, decodeEthereum, decodeNative } from "../../ledger/decode.ts";
import { decodeEthereumEnvelope, encodeEthereum } from "../../ledger/ethereumCodec.ts";
import { decodeHeader, encodeHeader } from "../../ledger/header.ts";
import { decodeOperation, encodeOperation } from "../../ledger/operationCodec.ts";
import {
  decodeOverspendingProof,
  encodeOverspendingProof,
} from "../../ledger/overspendingProof.ts";
import { decodeReceipt, encodeReceipt } from "../../ledger/receipt.ts";
import { signEthereum, signOperation, signThetaTransaction } from "../../ledger/sign.ts";
import { decodeThetaTransaction, encodeThetaTransaction } from "../../ledger/thetaCodec.ts";
import {
  blocks,
  bodies,
  certificates,
  commitProofs,
  ethereumTransactions,
  headers,
  moduleOperations,
  receipts,
  thetaTransactions,
  timeoutCertificates,
} from "../fakes/transactions.ts";

/*
 * Mutated bytes against every decoder of what comes from outside. A decoder must answer, never
 * throw, not take unreasonably long, and accept only bytes that encode back to themselves: what it
 * accepts in two forms would be one meaning under two hashes. One seed is one run.
 */

/**
 * A decoder, as the fuzzer sees it: the bytes that the accepted value encodes to, or `null` if
 * refused.
 */
export type FuzzTarget = {
  readonly name: string;
  readonly seeds: readonly Uint8Array[];
  readonly decode: (bytes: Uint8Array) => Uint8Array | null;
};

/** What a run found. */
export type FuzzReport = {
  readonly inputs: number;
  readonly accepted: number;
  /** Slowest input, in milliseconds, and the decoder that took it. */
  readonly slowest: { readonly name: string; readonly ms: number };
  /** Sentences with decoder, seed and input; empty if all held. */
  readonly failures: readonly string[];
};

/** No input of a few KiB may hold a node up for longer; generous, because machines are shared. */
const slowMs = 250;
const failuresMax = 10;
const seedsPerTarget = 40;
const inputBytesMax = 64 * 1024;

/** Dice of our own, so that a seed means the same for ever [Marsaglia, Xorshift RNGs, 2003]. */
function createDice(seed: number): (bound: number) => number {
  let state = Math.max(1, (seed ^ 0x9e37_79b9) >>> 0); // Zero would stay zero.
  return (bound) => {
    state = (state ^ (state << 13)) >>> 0;
    state = (state ^ (state >>> 17)) >>> 0;
    state = (state ^ (state << 5)) >>> 0;
    return state % bound;
  };
}

type Dice = (bound: number) => number;

const interesting = [
  0x00, 0x01, 0x7e, 0x7f, 0x80, 0x81, 0xb7, 0xb8, 0xbf, 0xc0, 0xc1, 0xf7, 0xf8, 0xff,
];

function replaceRange(bytes: Uint8Array, from: number, to: number, insert: Uint8Array): Uint8Array {
  const result = new Uint8Array(bytes.length - (to - from) + insert.length);
  result.set(bytes.subarray(0, from), 0);
  result.set(insert, from);
  result.set(bytes.subarray(to), from + insert.length);
  return result;
}

/** One change of bytes, without regard to structure. */
function mutateBytes(bytes: Uint8Array, other: Uint8Array, dice: Dice): Uint8Array {
  const at = dice(bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + dice(8));
  switch (dice(8)) {
    case 0: {
      const copy = bytes.slice();
      if (at < copy.length) copy[at] = (copy[at] ?? 0) ^ (1 << dice(8));
      return copy;
    }
    case 1:
      return replaceRange(bytes, at, Math.min(at + 1, bytes.length), byteOf(dice));
    case 2:
      return replaceRange(bytes, at, at, byteOf(dice));
    case 3:
      return replaceRange(bytes, at, end, emptyBytes);
    case 4:
      return replaceRange(bytes, at, at, bytes.subarray(at, end));
    case 5:
      return bytes.slice(0, at);
    case 6:
      return replaceRange(bytes, at, bytes.length, other.subarray(Math.min(at, other.length)));
    default:
      return replaceRange(bytes, bytes.length, bytes.length, byteOf(dice));
  }
}

function byteOf(dice: Dice): Uint8Array {
  return Uint8Array.of(dice(2) === 0 ? (interesting[dice(interesting.length)] ?? 0) : dice(256));
}

/** One change of an RLP tree: lengths stay consistent, so decoders are reached deeper inside. */
function mutateTree(item: RlpItem, dice: Dice): RlpItem {
  if (!isRlpList(item)) return mutateLeaf(item, dice);
  if (item.length === 0 || dice(12) === 0) return [...item, dice(2) === 0 ? emptyBytes : []];
  const at = dice(item.length);
  const part = item[at] ?? emptyBytes;
  switch (dice(12)) {
    case 0:
      return item.toSpliced(at, 1);
    case 1:
      return item.toSpliced(at, 0, part);
    case 2:
      return item.with(at, isRlpList(part) ? emptyBytes : []);
    default:
      return item.with(at, mutateTree(part, dice));
  }
}

function mutateLeaf(bytes: Uint8Array, dice: Dice): RlpItem {
  switch (dice(6)) {
    case 0:
      return replaceRange(bytes, 0, 0, Uint8Array.of(0)); // A leading zero.
    case 1:
      return emptyBytes;
    case 2:
      return new Uint8Array(bytes.length).fill(0xff);
    case 3:
      return bytes.subarray(1);
    case 4:
      return [bytes];
    default:
      return mutateBytes(bytes, bytes, dice);
  }
}

function mutate(bytes: Uint8Array, other: Uint8Array, dice: Dice): Uint8Array {
  let result = bytes;
  for (let rounds = 1 + dice(3); rounds > 0; rounds -= 1) {
    const prefix = (bytes[0] ?? 0xc0) < 0xc0 ? 1 : 0;
    const tree = dice(2) === 0 ? decodeRlp(result.subarray(prefix)) : null;
    result =
      tree !== null && tree.ok
        ? replaceRange(result, prefix, result.length, encodeRlp(mutateTree(tree.value, dice)))
        : mutateBytes(result, other, dice);
  }
  return result.subarray(0, inputBytesMax);
}

function target<T>(
  name: string,
  seeds: readonly Uint8Array[],
  decode: (bytes: Uint8Array) => Outcome<T, unknown>,
  encode: (value: T) => Uint8Array,
): FuzzTarget {
  return {
    name,
    seeds,
    decode: (bytes) => {
      const decoded = decode(bytes);
      return decoded.ok ? encode(decoded.value) : null;
    },
  };
}

function samples<T>(values: fc.Arbitrary<T>, encode: (value: T) => Uint8Array): Uint8Array[] {
  return fc.sample(values, { seed: 1, numRuns: seedsPerTarget }).map(encode);
}

const chain = { name: "privatenet", id: 366, genesisHash: keccakDigest(emptyBytes) };
const key = new Uint8Array(32).fill(0x11);
const signer = { address: addressOf(key), sign: (digest: Uint8Array) => signDigest(digest, key) };

/**
 * Native and Ethereum transactions that the entry accepts, so that mutations start beyond its
 * checks.
 */
function signedSeeds(): { readonly native: Uint8Array[]; readonly ethereum: Uint8Array[] } {
  const noCoins = { thetaWei: 0n, tfuelWei: 0n };
  const input = { address: signer.address, coins: noCoins, sequence: 1n, signature: emptyBytes };
  const output = { address: signer.address, coins: { thetaWei: 5n, tfuelWei: 1n << 70n } };
  const fee = { thetaWei: 0n, tfuelWei: 10n ** 18n };
  const operation = {
    fee,
    inputs: [input],
    module: "stake",
    op: "registerKey",
    body: emptyBytes,
    gasLimit: 1n,
    expiryHeight: 7,
    scope: "",
  };
  const stake = { fee, source: input, holder: output, purpose: 1 };
  const natives = [
    signThetaTransaction(
      { type: "send", fee, inputs: [input], outputs: [output, output] },
      chain.name,
      [signer],
    ),
    signThetaTransaction({ type: "depositStake", ...stake }, chain.name, [signer]),
    signOperation(operation, chain.genesisHash, [signer]),
  ];
  const ethereum = fc.sample(ethereumTransactions, { seed: 2, numRuns: seedsPerTarget }).map((tx) =>
    signEthereum(
      {
        ...tx,
        gasLimit: 1n << 30n,
        maxFeePerGas: 1n << 40n,
        maxPriorityFeePerGas: tx.type === "legacy" || tx.type === "accessList" ? 1n << 40n : 1n,
      },
      chain.id,
      signer,
    ),
  );
  return { native: natives, ethereum };
}

/** Every decoder of bytes from outside, with seeds that it accepts. */
export function fuzzTargets(): readonly FuzzTarget[] {
  const theta = samples(thetaTransactions, encodeThetaTransaction);
  const operations = samples(moduleOperations, encodeOperation);
  const { native, ethereum } = signedSeeds();
  const encoded = [
    ...native.map((raw) => replaceRange(raw, 0, 0, Uint8Array.of(0x7e))),
    ...ethereum,
  ];
  const certificateSeeds = samples(certificates, encodeCertificate);
  const timeoutSeeds = samples(timeoutCertificates, encodeTimeoutCertificate);
  const proofs = samples(
    thetaTransactions
      .filter((tx) => tx.type === "servicePayment")
      .map((payment) => ({ reserveSequence: 4n, payments: [payment] })),
    encodeOverspendingProof,
  );
  const fixed = (value: { readonly encoded: Uint8Array }): Uint8Array => value.encoded;
  return [
    target("rlp", [...theta, ...certificateSeeds], decodeRlp, encodeRlp),
    target("rlp sequence", theta, decodeRlpSequence, (items) =>
      Uint8Array.from(items.flatMap((item) => [...encodeRlp(item)])),
    ),
    target("theta", theta, decodeThetaTransaction, encodeThetaTransaction),
    target("operation", operations, decodeOperation, encodeOperation),
    target("ethereum", ethereum, decodeEthereumEnvelope, encodeEthereum),
    target(
      "entry: native",
      [...native, ...theta],
      (bytes) => decodeNative(bytes, chain),
      (value) => value.encoded.subarray(1),
    ),
    target("entry: ethereum", ethereum, (bytes) => decodeEthereum(bytes, chain), fixed),
    target("entry: encoded", encoded, (bytes) => decodeEncoded(bytes, chain), fixed),
    target("overspending proof", proofs, decodeOverspendingProof, encodeOverspendingProof),
    target("certificate", certificateSeeds, decodeCertificate, encodeCertificate),
    target("timeout certificate", timeoutSeeds, decodeTimeoutCertificate, encodeTimeoutCertificate),
    target("signed vote", certificateSeeds, decodeSignedVote, encodeSignedVote),
    target("signed timeout", timeoutSeeds, decodeSignedTimeout, encodeSignedTimeout),
    target("header", samples(headers, encodeHeader), decodeHeader, encodeHeader),
    target(
      "commit proof",
      samples(commitProofs, encodeCommitProof),
      decodeCommitProof,
      encodeCommitProof,
    ),
    target("body", samples(bodies, encodeBody), decodeBody, encodeBody),
    target("block", samples(blocks, encodeBlock), decodeBlock, encodeBlock),
    target("receipt", samples(receipts, encodeReceipt), decodeReceipt, encodeReceipt),
  ];
}

/** Runs inputs in turn over all decoders, until the count or the time is used up. */
export function fuzz(options: {
  readonly seed: number;
  readonly inputsMax: number;
  readonly timeMsMax: number;
  readonly targets?: readonly FuzzTarget[];
}): FuzzReport {
  const targets = options.targets ?? fuzzTargets();
  const dice = createDice(options.seed);
  const failures: string[] = [];
  const end = performance.now() + options.timeMsMax;
  let slowest = { name: "", ms: 0 };
  let inputs = 0;
  let accepted = 0;
  while (inputs < options.inputsMax && failures.length < failuresMax) {
    const at = targets[inputs % targets.length];
    if (at === undefined || (inputs % 64 === 0 && performance.now() > end)) break;
    const bytes = mutate(pick(at.seeds, dice), pick(at.seeds, dice), dice);
    inputs += 1;
    const answer = tryDecode(at, bytes);
    const ms = Math.min(answer.ms, answer.ms > slowMs ? leastMs(at, bytes) : answer.ms);
    if (ms > slowest.ms) slowest = { name: at.name, ms };
    if (answer.accepted) accepted += 1;
    const fault = answer.fault ?? (ms > slowMs ? `took ${Math.round(ms)} ms` : null);
    if (fault !== null) {
      failures.push(`${at.name}: ${fault}; seed ${options.seed}, input ${bytesToHex(bytes)}`);
    }
  }
  return { inputs, accepted, slowest, failures };
}

function pick(seeds: readonly Uint8Array[], dice: Dice): Uint8Array {
  return seeds[dice(Math.max(1, seeds.length))] ?? emptyBytes;
}

type Answer = { readonly accepted: boolean; readonly fault: string | null; readonly ms: number };

function tryDecode(at: FuzzTarget, bytes: Uint8Array): Answer {
  const before = bytes.slice();
  const startMs = performance.now();
  try {
    const again = at.decode(bytes);
    const ms = performance.now() - startMs;
    if (!equalBytes(bytes, before)) return { accepted: true, fault: "changed its input", ms };
    if (again === null) return { accepted: false, fault: null, ms };
    if (equalBytes(again, bytes)) return { accepted: true, fault: null, ms };
    return { accepted: true, fault: `accepted what encodes to ${bytesToHex(again)}`, ms };
  } catch (error) {
    return { accepted: false, fault: `threw ${String(error)}`, ms: performance.now() - startMs };
  }
}

/** Of three measurements: another process's turn may fall into one, a slow input is in all. */
function leastMs(at: FuzzTarget, bytes: Uint8Array): number {
  return Math.min(...[1, 2, 3].map(() => tryDecode(at, bytes).ms));
}

/** Inputs of the long campaign. */
export const campaignInputs = 200_000;

/** `npm run campaign -- fuzz [SEED]`: prints what it did; whether all held. */
export function runFuzzCampaign(args: readonly string[]): boolean {
  const seed = Number(args[0] ?? 1);
  const started = performance.now();
  const report = fuzz({ seed, inputsMax: campaignInputs, timeMsMax: 600_000 });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `fuzz: ${report.inputs} inputs over ${fuzzTargets().length} decoders in ${seconds} s, ` +
      `${report.accepted} accepted and encoded back, ` +
      `slowest ${report.slowest.ms.toFixed(1)} ms (${report.slowest.name}), seed ${seed}`,
  );
  for (const failure of report.failures) console.log(failure);
  return report.failures.length === 0;
}

if (import.meta.main) process.exitCode = runFuzzCampaign(process.argv.slice(2)) ? 0 : 1;

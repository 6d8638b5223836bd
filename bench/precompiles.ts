import { bls12_381 } from "@noble/curves/bls12-381.js";
import { bn254 } from "@noble/curves/bn254.js";
import { p256 } from "@noble/curves/nist.js";
import { assert } from "../base/assert.ts";
import { bigIntToFixedBytes, concatBytes, emptyBytes, hexToBytes } from "../base/bytes.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { signDigest } from "../crypto/secp256k1.ts";
import { caller, contract, evmScene, journalWith, type Journal } from "../test/fakes/evmJournal.ts";
import { createEvm, type Evm } from "../vm/evm.ts";
import { calibrate, printCalibration, printTable } from "./measure.ts";

/*
 * `npm run bench -- precompiles`: gas per second of Ethereum's precompiles, called by a contract in
 * a loop, beside a loop of ADD in the same process. Gas is priced for native code: what is far
 * below the others is what an attacker would fill blocks with.
 */

const gasLimit = 1n << 40n;

function word(value: bigint): Uint8Array {
  return bigIntToFixedBytes(value, 32);
}

/** A coordinate of BLS12-381 [EIP-2537]. */
function wide(value: bigint): Uint8Array {
  return bigIntToFixedBytes(value, 64);
}

function repeated(count: number, part: Uint8Array): Uint8Array {
  return concatBytes(...Array.from({ length: count }, () => part));
}

const scalar = (1n << 254n) - 12_345n;

function blsPoints(): { readonly g1: Uint8Array; readonly g2: Uint8Array } {
  const a = bls12_381.G1.Point.BASE.multiply(77n).toAffine();
  const b = bls12_381.G2.Point.BASE.multiply(78n).toAffine();
  return {
    g1: concatBytes(wide(a.x), wide(a.y)),
    g2: concatBytes(wide(b.x.c0), wide(b.x.c1), wide(b.y.c0), wide(b.y.c1)),
  };
}

function bnPoints(): { readonly g1: Uint8Array; readonly g2: Uint8Array } {
  const a = bn254.G1.Point.BASE.multiply(77n).toAffine();
  const b = bn254.G2.Point.BASE.multiply(78n).toAffine();
  return {
    g1: concatBytes(word(a.x), word(a.y)),
    g2: concatBytes(word(b.x.c1), word(b.x.c0), word(b.y.c1), word(b.y.c0)),
  };
}

function modexp(size: number, exponentSize: number): Uint8Array {
  const odd = new Uint8Array(size).fill(0xff);
  return concatBytes(
    word(BigInt(size)),
    word(BigInt(exponentSize)),
    word(BigInt(size)),
    new Uint8Array(size).fill(0xfe),
    new Uint8Array(exponentSize).fill(0xff),
    odd,
  );
}

function p256Input(): Uint8Array {
  const digest = keccak256(new Uint8Array(32));
  const key = new Uint8Array(32).fill(3);
  const signature = p256.sign(digest, key, { prehash: false, lowS: false });
  return concatBytes(digest, signature, p256.getPublicKey(key, false).subarray(1));
}

function recoverInput(): Uint8Array {
  const digest = keccak256(new Uint8Array(32));
  const signature = signDigest(digest, new Uint8Array(32).fill(1));
  const v = word(27n + BigInt(signature[64] ?? 0));
  return concatBytes(digest, v, signature.subarray(0, 64));
}

function blake(rounds: number): Uint8Array {
  const count = bigIntToFixedBytes(BigInt(rounds), 4);
  return concatBytes(count, new Uint8Array(64 + 128).fill(7), new Uint8Array(16), Uint8Array.of(1));
}

type Work = { readonly name: string; readonly address: number; readonly input: Uint8Array };

function works(): readonly Work[] {
  const bls = blsPoints();
  const bn = bnPoints();
  const pair = concatBytes(bls.g1, bls.g2);
  const bnPair = concatBytes(bn.g1, bn.g2);
  const g1Term = concatBytes(bls.g1, word(scalar));
  const g2Term = concatBytes(bls.g2, word(scalar));
  return [
    { name: "ecrecover", address: 1, input: recoverInput() },
    { name: "sha256, 32 bytes", address: 2, input: new Uint8Array(32) },
    { name: "sha256, 8 KB", address: 2, input: new Uint8Array(8_192) },
    { name: "ripemd160, 32 bytes", address: 3, input: new Uint8Array(32) },
    { name: "ripemd160, 8 KB", address: 3, input: new Uint8Array(8_192) },
    { name: "identity, 8 KB", address: 4, input: new Uint8Array(8_192) },
    { name: "modexp, 32 bytes", address: 5, input: modexp(32, 32) },
    { name: "modexp, 256 bytes", address: 5, input: modexp(256, 256) },
    { name: "modexp, 256, exponent 3", address: 5, input: modexp(256, 3) },
    { name: "modexp, 1024 bytes, exponent 32", address: 5, input: modexp(1_024, 32) },
    { name: "bn254 add", address: 6, input: concatBytes(bn.g1, bn.g1) },
    { name: "bn254 mul", address: 7, input: concatBytes(bn.g1, word(scalar)) },
    { name: "bn254 pairing, 2", address: 8, input: repeated(2, bnPair) },
    { name: "bn254 pairing, 10", address: 8, input: repeated(10, bnPair) },
    { name: "blake2f, 12 rounds", address: 9, input: blake(12) },
    { name: "blake2f, 100,000 rounds", address: 9, input: blake(100_000) },
    { name: "BLS G1 add", address: 0xb, input: concatBytes(bls.g1, bls.g1) },
    { name: "BLS G1 sum of products, 1", address: 0xc, input: g1Term },
    { name: "BLS G1 sum of products, 16", address: 0xc, input: repeated(16, g1Term) },
    { name: "BLS G2 add", address: 0xd, input: concatBytes(bls.g2, bls.g2) },
    { name: "BLS G2 sum of products, 1", address: 0xe, input: g2Term },
    { name: "BLS G2 sum of products, 16", address: 0xe, input: repeated(16, g2Term) },
    { name: "BLS pairing, 1", address: 0xf, input: pair },
    { name: "BLS pairing, 8", address: 0xf, input: repeated(8, pair) },
    { name: "BLS map to G1", address: 0x10, input: wide(scalar) },
    { name: "BLS map to G2", address: 0x11, input: concatBytes(wide(scalar), wide(5n)) },
    { name: "P-256", address: 0x100, input: p256Input() },
  ];
}

/** 500 times 500 additions of a constant. */
function addLoop(): Uint8Array {
  const head = hexToBytes("6101f45b600190035f"); // One round less than were left; a sum of zero.
  const tail = hexToBytes("5080600357"); // To the JUMPDEST at 3 while rounds are left.
  return concatBytes(head, repeated(500, hexToBytes("600101")), tail);
}

/** Calls the precompile whose number follows with the calldata, as often as the word before says. */
function callLoop(times: number, address: number): Uint8Array {
  const count = bigIntToFixedBytes(BigInt(times), 2);
  const to = bigIntToFixedBytes(BigInt(address), 2);
  return concatBytes(
    hexToBytes("365f5f3761"), // Calldata to memory.
    count,
    hexToBytes("5b600190035f5f365f61"), // The JUMPDEST is at 7; no room for the output.
    to,
    hexToBytes("5afa5080600757"),
  );
}

function stateWith(code: Uint8Array): Journal {
  return journalWith({ contract, code, caller, balance: 1n });
}

/** Fewer calls where each has more to do. */
function timesOf(input: Uint8Array): number {
  return input.length <= 64 ? 1_000 : 20;
}

/** Gas per microsecond of processor time, over at least so much of it. */
async function gasRate(
  evm: Evm,
  state: Journal,
  call: { readonly data: Uint8Array; readonly usMin: number },
): Promise<number> {
  const message = { caller, to: contract, data: call.data, value: 0n, gasLimit, gasPrice: 1n };
  const scene = evmScene(state, { gasLimit, baseFee: 1n });
  const once = async (): Promise<bigint> => {
    const result = await evm.call(scene, message);
    assert(result.ok, result.failure);
    return result.gasUsed;
  };
  await once();
  let gas = 0n;
  const begun = process.cpuUsage();
  for (;;) {
    gas += await once();
    const { user, system } = process.cpuUsage(begun);
    if (user + system > call.usMin) return Number(gas) / (user + system);
  }
}

/** `--ms N`: processor milliseconds for each, default 300. */
export async function run(flags: readonly string[]): Promise<void> {
  const at = flags.indexOf("--ms");
  const usMin = 1_000 * (at < 0 ? 300 : Number(flags[at + 1]));
  const before = calibrate();
  printCalibration("before", before);
  const evm = await createEvm({ fork: "osaka", chainId: 1, precompiles: [], traced: false });
  const adding = await gasRate(evm, stateWith(addLoop()), { data: emptyBytes, usMin });
  const rows: string[][] = [["ADD", adding.toFixed(1), "1.0"]];
  for (const { name, address, input } of works()) {
    const rate = await gasRate(evm, stateWith(callLoop(timesOf(input), address)), {
      data: input,
      usMin,
    });
    rows.push([name, rate.toFixed(1), (adding / rate).toFixed(1)]);
  }
  console.log("\nMillion gas per second of processor time, and time per gas over ADD's (goal: 10)");
  printTable(["precompile", "Mgas/s", "of ADD's"], rows);
  printCalibration("\nafter", calibrate(), before);
}

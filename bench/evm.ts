import { Account, Address as EvmAddress } from "@ethereumjs/util";
import type { EVM } from "@ethereumjs/evm";
import { assert } from "../base/assert.ts";
import type { Address } from "../base/brand.ts";
import {
  bigIntToFixedBytes,
  bytesToAddress,
  concatBytes,
  emptyBytes,
  hexToBytes,
  textToBytes,
} from "../base/bytes.ts";
import { contractAddress } from "../crypto/address.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { emptyAccount } from "../ledger/accounts.ts";
import { Journal } from "../ledger/journal.ts";
import { caller, evmScene } from "../test/fakes/evmJournal.ts";
import { MemoryState } from "../test/fakes/memoryState.ts";
import { compileSolidity } from "../test/fakes/solidity.ts";
import { createEvm, type Evm, type EvmResult } from "../vm/evm.ts";
import { intrinsicGasOf } from "../vm/transactionGas.ts";
import { createBareEvm, MapState } from "./bareEvm.ts";
import { calibrate, median, percentile, printCalibration, printTable } from "./measure.ts";

/*
 * `npm run bench -- evm`: what our state and our rules around a message cost over the library's EVM
 * on plain maps. The same calls, in turns, in one process; processor time, median of the ratios.
 */

const source = `
contract Work {
  mapping(address => uint) public balanceOf;
  mapping(uint => uint) words;
  uint total;
  event Transfer(address indexed from, address indexed to, uint value);
  constructor() { balanceOf[msg.sender] = 1 << 200; }
  function transfer(address to, uint value) public returns (bool) {
    require(balanceOf[msg.sender] >= value);
    balanceOf[msg.sender] -= value;
    balanceOf[to] += value;
    emit Transfer(msg.sender, to, value);
    return true;
  }
  function arithmetic(uint n) public returns (uint x) {
    unchecked { for (uint i = 1; i <= n; i++) x = (x * 31 + i) ^ (x >> 7) % i; }
    total = x;
  }
  function hashing(uint n) public returns (bytes32 x) {
    for (uint i = 0; i < n; i++) x = keccak256(abi.encode(x, i));
    total = uint(x);
  }
  function storing(uint n) public { for (uint i = 0; i < n; i++) words[i] = words[i] + i + 1; }
  function transfers(uint n) public {
    for (uint i = 0; i < n; i++) transfer(address(uint160(i + 1000)), 1);
  }
}`;

const gasLimit = 1_000_000_000n;
const gasPrice = 1n;

type Kind = { readonly name: string; readonly call: string; readonly argument: bigint };

/** Loops are long enough that what surrounds them does not count. */
const loops: readonly Kind[] = [
  { name: "arithmetic", call: "arithmetic(uint256)", argument: 20_000n },
  { name: "hashing", call: "hashing(uint256)", argument: 8_000n },
  { name: "storage", call: "storing(uint256)", argument: 2_000n },
  { name: "ERC-20 loop", call: "transfers(uint256)", argument: 500n },
];

const callsPerRound = 100;

function callData(signature: string, ...words: readonly bigint[]): Uint8Array {
  const selector = keccak256(textToBytes(signature)).subarray(0, 4);
  return concatBytes(selector, ...words.map((word) => bigIntToFixedBytes(word, 32)));
}

/** What both do: run a call and answer the gas of its code. */
type Runner = (to: Address | null, data: Uint8Array) => Promise<bigint>;

async function bareRunner(): Promise<Runner> {
  const state = new MapState();
  const evm = await createBareEvm(state);
  const from = new EvmAddress(hexToBytes(caller));
  await state.putAccount(from, new Account(1n, 10n ** 30n));
  return (to, data) => runBare(evm, state, { from, to, data });
}

async function runBare(
  evm: EVM,
  state: MapState,
  call: { readonly from: EvmAddress; readonly to: Address | null; readonly data: Uint8Array },
): Promise<bigint> {
  const { from, to, data } = call;
  const target = to === null ? {} : { to: new EvmAddress(hexToBytes(to)) };
  const { execResult } = await evm.runCall({ caller: from, ...target, data, gasLimit, gasPrice });
  assert(execResult.exceptionError === undefined, execResult.exceptionError?.error ?? "");
  await evm.journal.cleanup();
  state.originalStorageCache.clear();
  state.clearCaches();
  return execResult.executionGasUsed;
}

async function ownRunner(): Promise<Runner> {
  const evm = await createEvm({ fork: "osaka", chainId: 1, precompiles: [], traced: false });
  const journal = new Journal(MemoryState.empty());
  journal.setAccount(caller, { ...emptyAccount, nonce: 1n, balance: 10n ** 30n });
  return (to, data) => runOwn(evm, journal, to, data);
}

async function runOwn(
  evm: Evm,
  state: Journal,
  to: Address | null,
  data: Uint8Array,
): Promise<bigint> {
  const parts = { to, data, accessList: [], authorizations: [] };
  const sender = state.account(caller);
  assert(sender !== null, "the caller is there");
  state.setAccount(caller, { ...sender, nonce: sender.nonce + 1n });
  const result: EvmResult = await evm.run(evmScene(state, { gasLimit, baseFee: gasPrice }), {
    caller,
    value: 0n,
    gasLimit,
    gasPrice,
    ...parts,
  });
  assert(result.ok, result.failure);
  return result.gasUsed - intrinsicGasOf(parts, "osaka");
}

type Measured = { readonly us: number; readonly gas: bigint };

async function measure(
  runner: Runner,
  to: Address,
  datas: readonly Uint8Array[],
): Promise<Measured> {
  const begun = process.cpuUsage();
  let gas = 0n;
  for (const data of datas) gas += await runner(to, data);
  const { user, system } = process.cpuUsage(begun);
  return { us: user + system, gas };
}

type Compared = {
  readonly bareUs: number;
  readonly ownUs: number;
  readonly gas: bigint;
  /** Our time over the library's, round by round. */
  readonly ratios: readonly number[];
};

/**
 * Rounds of bare, ours, ours, bare: what the machine or the collector does meanwhile falls on both,
 * and each round has a ratio of its own. A tenth more rounds go before, to warm up.
 */
async function compare(
  bare: Runner,
  own: Runner,
  work: { readonly to: Address; readonly datas: readonly Uint8Array[]; readonly rounds: number },
): Promise<Compared> {
  const bareUs: number[] = [];
  const ownUs: number[] = [];
  const ratios: number[] = [];
  let gas = 0n;
  for (let round = -Math.ceil(work.rounds / 10); round < work.rounds; round += 1) {
    const turns: Measured[] = [];
    for (const runner of [bare, own, own, bare]) {
      turns.push(await measure(runner, work.to, work.datas));
    }
    const [first, second, third, last] = turns.map(({ us }) => us) as [
      number,
      number,
      number,
      number,
    ];
    gas = turns[0]?.gas ?? 0n;
    if (round < 0) continue;
    bareUs.push((first + last) / 2);
    ownUs.push((second + third) / 2);
    ratios.push((second + third) / (first + last));
  }
  return { bareUs: median(bareUs), ownUs: median(ownUs), gas, ratios };
}

function percent(ratio: number): string {
  return `${ratio >= 1 ? "+" : ""}${((ratio - 1) * 100).toFixed(1)} %`;
}

/** The middle ratio, and between what the middle half of them lies. */
function spread(ratios: readonly number[]): string[] {
  const [low, middle, high] = [0.25, 0.5, 0.75].map((part) => percent(percentile(ratios, part)));
  return [middle ?? "", `${low} to ${high}`];
}

/** `--rounds N`, default 60 of calls and a fifth of loops. */
export async function run(flags: readonly string[]): Promise<void> {
  const at = flags.indexOf("--rounds");
  const rounds = at < 0 ? 60 : Number(flags[at + 1]);
  const before = calibrate();
  printCalibration("before", before);
  const init = compileSolidity(source, "Work");
  const [bare, own] = [await bareRunner(), await ownRunner()];
  const to = contractAddress(caller, 1n);
  for (const runner of [bare, own]) await runner(null, init);
  const rows: string[][] = [];
  for (const { name, call, argument } of loops) {
    const work = { to, datas: [callData(call, argument)], rounds: Math.ceil(rounds / 5) };
    const { bareUs, ownUs, gas, ratios } = await compare(bare, own, work);
    const rate = (us: number): string => (Number(gas) / us).toFixed(1);
    rows.push([name, rate(bareUs), rate(ownUs), ...spread(ratios)]);
  }
  console.log("\nMillion gas per second of processor time (goal: time within +10 %)");
  printTable(["loop", "bare", "ours", "time", "middle half"], rows);
  const receivers = Array.from({ length: callsPerRound }, (_, i) => BigInt(i + 5_000));
  const transfers = receivers.map((to20) => callData("transfer(address,uint256)", to20, 1n));
  const calls = await compare(bare, own, { to, datas: transfers, rounds });
  const empty = bytesToAddress(new Uint8Array(20).fill(0xee));
  const nothing = receivers.map(() => emptyBytes);
  const idle = await compare(bare, own, { to: empty, datas: nothing, rounds });
  const each = (us: number): string => (us / callsPerRound).toFixed(1);
  const row = (name: string, { bareUs, ownUs, ratios }: Compared): string[] => {
    return [name, each(bareUs), each(ownUs), ...spread(ratios)];
  };
  console.log("\nMicroseconds per call (goal: under +30 %)");
  const table = [row("ERC-20 transfer", calls), row("no code", idle)];
  printTable(["call", "bare", "ours", "time", "middle half"], table);
  printCalibration("\nafter", calibrate(), before);
}

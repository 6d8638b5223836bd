/**
 * `npm run bench -- NAME`: benchmarks print ratios against a named peer or baseline of the same
 * run. They never pass or fail by time.
 */
const benchmarks: Readonly<
  Record<string, () => Promise<{ readonly run: (flags: readonly string[]) => Promise<void> }>>
> = {
  transfers: () => import("./transfers.ts"),
  trie: () => import("./trie.ts"),
  overload: () => import("./overload.ts"),
  start: () => import("./start.ts"),
  p2p: () => import("./p2p.ts"),
  evm: () => import("./evm.ts"),
  precompiles: () => import("./precompiles.ts"),
  erc20: () => import("./erc20.ts"),
  validators: () => import("./validators.ts"),
  certificate: () => import("./certificate.ts"),
  catchup: () => import("./catchUp.ts"),
  pay: () => import("./pay.ts"),
  calls: () => import("./calls.ts"),
  logs: () => import("./logs.ts"),
};

const [name = "", ...flags] = process.argv.slice(2);
const load = benchmarks[name];
if (load === undefined) {
  console.error(`usage: npm run bench -- ${Object.keys(benchmarks).join("|")} [flags]`);
  process.exitCode = 2;
} else {
  const benchmark = await load();
  await benchmark.run(flags);
}

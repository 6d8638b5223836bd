/**
 * What one folder may import from another: all of it, its types only, or the files that match.
 * `from` narrows the importing files.
 */
export type Arrow = {
  readonly to: string;
  readonly typesOnly?: true;
  readonly files?: RegExp;
  readonly from?: RegExp;
};

/** A row of the table in docs/ARCHITECTURE.md: the folders and packages that a folder may import. */
export type Row = {
  readonly arrows: readonly Arrow[];
  /** Packages, and `node:*` for Node's own; `browserSafe` confines both to files `*.node.ts`. */
  readonly packages: readonly string[];
  readonly browserSafe?: true;
};

const all = (...folders: readonly string[]): readonly Arrow[] => folders.map((to) => ({ to }));

/** What agreement hands to those who check its results: no replica, no voting. */
const agreementFiles =
  /^consensus\/(types|codec|committee|certificateCheck|commitProof|signers|statements|evidence)\.ts$/;

const cryptography = ["@noble/*", "@scure/*", "hash-wasm"];

/** Absence is the point: `consensus` cannot mention a transaction, `vm` cannot mention a trie. */
export const table: Readonly<Record<string, Row>> = {
  base: { arrows: [], packages: [] },
  crypto: {
    arrows: all("base"),
    packages: [...cryptography, "@chainsafe/blst", "mcl-wasm", "secp256k1", "node:*"],
    browserSafe: true,
  },
  consensus: { arrows: [...all("base"), { to: "crypto", typesOnly: true }], packages: [] },
  vm: { arrows: all("base", "crypto"), packages: ["@ethereumjs/*"] },
  store: { arrows: all("base", "crypto"), packages: ["classic-level", "pg", "node:*"] },
  ledger: {
    arrows: [...all("base", "crypto", "vm"), { to: "consensus", files: agreementFiles }],
    packages: [],
  },
  p2p: {
    arrows: all("base", "crypto"),
    packages: ["libp2p", "@libp2p/*", "@multiformats/*", "protobufjs", "node:*"],
  },
  sdk: {
    arrows: [
      ...all("base", "crypto"),
      {
        to: "ledger",
        files:
          /^ledger\/(transaction|block|decode|operation|theta|ethereum|schema|receipt|intrinsicGas|definitions|parameters|voucher|pool|split|header|overspendingProof)\w*\.ts$/,
      },
      { to: "consensus", files: agreementFiles },
      { to: "store", files: /^store\/proof\.ts$/ },
      { to: "p2p", from: /^sdk\/pay\/relay\.ts$/ },
    ],
    packages: [...cryptography, "node:*"],
    browserSafe: true,
  },
  rpc: {
    arrows: [
      ...all("base", "crypto", "ledger", "store"),
      { to: "consensus", files: agreementFiles },
    ],
    packages: ["fastify", "@fastify/*", "ws", "zod", "prom-client", "node:*"],
  },
  node: {
    arrows: all("base", "crypto", "consensus", "vm", "store", "ledger", "p2p", "rpc"),
    packages: ["pino", "pino-pretty", "prom-client", "viem", "yaml", "zod", "node:*"],
  },
  cli: {
    arrows: [
      ...all("base", "crypto", "sdk"),
      { to: "node", from: /^cli\/(commands\/)?node\w*\.ts$/ },
    ],
    packages: ["commander", "@inquirer/prompts", "viem", "yaml", "zod", "node:*"],
  },
  explorer: { arrows: all("base", "sdk"), packages: [] },
  scripts: { arrows: all("base"), packages: ["node:*"] },
  test: {
    arrows: all(
      "base",
      "crypto",
      "consensus",
      "vm",
      "store",
      "ledger",
      "p2p",
      "rpc",
      "sdk",
      "node",
    ),
    packages: ["*"],
  },
  integration: {
    arrows: [
      ...all("base", "sdk"),
      // The fixture's keys, genesis and evidence are made by the program's own code.
      ...["consensus", "crypto", "ledger"].map((to) => ({
        to,
        from: /^integration\/privatenet\/make\.ts$/,
      })),
      // Hosts on real sockets, in one process: no node is needed to see them fail.
      { to: "p2p", from: /^integration\/p2p[\w.]*\.ts$/ },
    ],
    packages: ["*"],
  },
  bench: { arrows: all("*"), packages: ["*"] },
};

/** Folders whose test files, beside the code, may import the shared fakes and vectors of `test/`. */
export const testArrows: readonly Arrow[] = all("test");

import { Command } from "commander";
import { declareCommand, type Declaration, type Flags, type World } from "./commandTree.ts";
import type { Context } from "./context.ts";
import { versionLine } from "./version.ts";

/** What a command of `ledger` is given; it ends when `signal` says so. */
export type NodeWorld = World & Pick<Context, "json">;

/** A command of `ledger`. */
export type NodeAction = (world: NodeWorld, flags: Flags) => Promise<void>;

type FlagList = Declaration<NodeAction>["flags"];

const configFlag = [
  "--config <dir>",
  "node folder (default: LEDGER_CONFIG, else ~/.ledger)",
] as const;

const passwordFlags: FlagList = [
  ["--password <text>", "password (stays in the process list: prefer --password-file)"],
  ["--password-file <file>", "file whose first line is the password; else LEDGER_PASSWORD"],
];

const settingFlags: FlagList = [
  ["--data <dir>", "data folder (setting data.path)"],
  ["--rpc-address <address>", "address to listen on (setting rpc.address)"],
  ["--rpc-port <port>", "port of RPC and explorer, 0 for any free one (setting rpc.port)"],
  ["--log-level <level>", "error, warn, info, debug, trace, silent (setting log.level)"],
  ["--log-format <format>", "auto, text, json (setting log.format)"],
  ["--set <name=value>", "any other setting of config.yaml; several separated by commas"],
];

const parametersFlag = [
  "--parameters <name=value>",
  "chain parameters of a new network, by commas: chain.epochBlocks=20",
] as const;

/** The command tree of `ledger`. Declares only: each command's code is loaded when it runs. */
export function createNodeProgram(world: World): Command {
  const program = new Command("ledger");
  program
    .description("Runs a node of the ledger.")
    .version(versionLine("ledger"), "-V, --version")
    .option("--json", "results and errors as JSON")
    .option("--verbose", "also the causes of an error")
    .option("--color <when>", "auto, always or never", "auto")
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError();
  addNodeCommand(program, world, {
    usage: "start",
    summary: "run the node of a folder until Ctrl-C or SIGTERM",
    example: "ledger start --config=integration/privatenet/node",
    flags: [
      configFlag,
      ...passwordFlags,
      ...settingFlags,
      [
        "--allow-missing-safety-file",
        "sign although no record of earlier votes exists (one node only)",
      ],
    ],
    load: async () => (await import("./commands/nodeStart.ts")).startCommand,
  });
  addMakers(program, world);
  addNodeCommand(program, world, {
    usage: "check",
    summary: "check the data folder of a stopped node: blocks, indexes, reference counts",
    example: "ledger check --config=./node",
    flags: [configFlag, ...settingFlags],
    load: async () => (await import("./commands/nodeCheck.ts")).checkCommand,
  });
  addNodeCommand(program, world, {
    usage: "version",
    summary: "version of this program",
    example: "ledger version",
    flags: [],
    load: async () => (await import("./commands/nodeVersion.ts")).nodeVersion,
  });
  return program;
}

/** The commands that make folders and networks. */
function addMakers(program: Command, world: World): void {
  addNodeCommand(program, world, {
    usage: "init",
    summary: "make a node folder: keys, genesis of a network of one, configuration",
    example: "ledger init --config=./node --chain=mynet",
    flags: [
      configFlag,
      ["--chain <name>", "name of the chain", "privatenet"],
      ["--join <url>", "follow the network of the node with this RPC URL"],
      ["--validator", "with --join: make keys too, for a node that will be given stake"],
      ...passwordFlags,
    ],
    load: async () => (await import("./commands/nodeInit.ts")).initCommand,
  });
  addNodeCommand(program, world, {
    usage: "devnet",
    summary: "run a private network with funded accounts, one process for each validator",
    example: "ledger devnet --validators=4",
    flags: [
      ["--validators <count>", "how many validators", "1"],
      ...settingFlags,
      parametersFlag,
      ["--eth-port <port>", "second port, where Ethereum tools look (setting rpc.secondPort)"],
      [
        "--block-time <ms>",
        "time between blocks when idle (setting consensus.blockIntervalMsIdle)",
      ],
    ],
    load: async () => (await import("./commands/nodeDevnet.ts")).devnetCommand,
  });
  addNodeCommand(program, world, {
    usage: "testnet",
    summary: "write the folders of a new network: genesis, keys and peers of each validator",
    example: "ledger testnet --validators=7 --output=./net --hosts=a,b,c,d,e,f,g",
    flags: [
      ["--validators <count>", "how many validators", "4"],
      ["--output <dir>", "folder to write node1, node2, … into"],
      ["--chain <name>", "name of the chain", "testledger"],
      ["--hosts <list>", "machine of each node, by commas; without it all run on this one"],
      ["--p2p-port <port>", "port for other nodes; the first one without --hosts", "16890"],
      parametersFlag,
      ...passwordFlags,
    ],
    load: async () => (await import("./commands/nodeTestnet.ts")).testnetCommand,
  });
}

function addNodeCommand(parent: Command, world: World, declaration: Declaration<NodeAction>): void {
  declareCommand(parent, declaration, async (flags) => {
    const action = await declaration.load();
    await action({ ...world, json: flags.has("json") }, flags);
  });
}

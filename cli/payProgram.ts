import type { Command } from "commander";
import { addCommand, addGroup, type World } from "./commandTree.ts";

type FlagList = readonly (readonly [flag: string, text: string, otherwise?: string | boolean])[];

const passwordFlags: FlagList = [
  ["--password <text>", "password (stays in the process list: prefer --password-file)"],
  ["--password-file <file>", "file whose first line is the password; else LEDGER_PASSWORD"],
];

/** Of commands that take a node's proofs. */
const trustFlag = [
  "--trusted-epoch <epoch:hash>",
  "an epoch and its root's hash, known to be of the chain (default: what earlier runs have seen)",
] as const;

const sessionFlags: FlagList = [trustFlag, ...passwordFlags];

/** `pay …`: off-chain payments. Declares only: each command's code is loaded when it runs. */
export function addPay(program: Command, world: World, transactionFlags: FlagList): void {
  const pay = addGroup(program, "pay", "pay and be paid off chain, by the byte");
  addPools(pay, world, transactionFlags);
  addTransfers(pay, world);
  addReceiving(pay, world);
}

const fromFlag = ["--from <address>", "account that pays"] as const;

function addPools(pay: Command, world: World, transactionFlags: FlagList): void {
  const load = () => import("./commands/pay.ts");
  addCommand(pay, world, {
    usage: "open",
    summary: "lock fund and collateral for receivers",
    example: "ledgercli pay open --from=2E83…43bab --fund=10 --resource_ids=0x5c0e…",
    flags: [
      fromFlag,
      ["--fund <amount>", "TFUEL for receivers"],
      ["--collateral <amount>", "TFUEL that an overspend loses (default: just above the fund)"],
      ["--duration <blocks>", "blocks for which it pays", "1000"],
      ["--resource-ids <list>", "what it pays for, separated by commas"],
      ...sessionFlags,
    ],
    load: async () => (await load()).openCommand,
  });
  addCommand(pay, world, {
    usage: "list",
    summary: "this wallet's pools, what was signed and what was settled",
    example: "ledgercli pay list --from=2E83…43bab",
    flags: [fromFlag, ...sessionFlags],
    load: async () => (await load()).listCommand,
  });
  addCommand(pay, world, {
    usage: "close",
    summary: "take back a pool whose freeze is over",
    example: "ledgercli pay close --from=2E83…43bab --reserve_seq=4",
    flags: [
      fromFlag,
      ["--reserve-seq <number>", "the pool's sequence"],
      trustFlag,
      ...transactionFlags,
    ],
    load: async () => (await load()).closeCommand,
  });
}

function addTransfers(pay: Command, world: World): void {
  addCommand(pay, world, {
    usage: "send",
    summary: "sign a voucher and print it, for the receiver to settle",
    example:
      "ledgercli pay send --offchain --from=2E83…43bab --to=9F12…3Ec6 --tfuel=0.1 --resource=video",
    flags: [
      ["--offchain", "nothing goes to the chain (needed)"],
      fromFlag,
      ["--to <address>", "account that is paid"],
      ["--tfuel <amount>", "TFUEL more than it was promised before"],
      ["--resource <id>", "what is paid for: one of the pool's resource ids"],
      ...sessionFlags,
    ],
    load: async () => (await import("./commands/pay.ts")).offchainCommand,
  });
  addCommand(pay, world, {
    usage: "get <urls...>",
    summary: "bring a file from one or more servers, paying chunk by chunk",
    example: "ledgercli pay get http://127.0.0.1:8402/film.mp4 -o film.mp4 --from=2E83…43bab",
    flags: [
      ["-o, --output <file>", "where to put it; goes on where an earlier run stopped"],
      fromFlag,
      ["--max-price-per-mb <amount>", "most TFUEL per 1,000,000 bytes", "1"],
      ["--budget <amount>", "most TFUEL that this wallet's pools may be signed for in all"],
      ["--credit-kb <number>", "KiB that a server may be paid for and still owe", "4096"],
      ["--window <number>", "requests to one server at a time", "4"],
      ["--id <hash>", "hash of the file's hash list, if known"],
      ...sessionFlags,
    ],
    load: async () => (await import("./commands/payGet.ts")).getCommand,
  });
}

function addReceiving(pay: Command, world: World): void {
  const addressFlag = ["--address <address>", "account that is paid"] as const;
  addCommand(pay, world, {
    usage: "serve <folder>",
    summary: "sell the files of a folder by the byte",
    example: "ledgercli pay serve films --address=9F12…3Ec6 --price-per-mb=0.001",
    flags: [
      addressFlag,
      ["--price-per-mb <amount>", "TFUEL per 1,000,000 bytes"],
      ["--port <number>", "TCP port, 0 for a free one", "8402"],
      ["--host <address>", "interface to listen on", "127.0.0.1"],
      ["--resource <id>", "one resource id for all files (default: each file's own hash)"],
      ["--chunk-bytes <number>", "bytes that are paid for at a time", "65536"],
      ...sessionFlags,
    ],
    load: async () => (await import("./commands/payServe.ts")).serveCommand,
  });
  const receive = addGroup(pay, "receive", "what payers owe");
  const load = () => import("./commands/payReceive.ts");
  addCommand(receive, world, {
    usage: "list",
    summary: "what payers owe this account",
    example: "ledgercli pay receive list --address=9F12…3Ec6",
    flags: [addressFlag, ...sessionFlags],
    load: async () => (await load()).receiveListCommand,
  });
  addCommand(receive, world, {
    usage: "settle",
    summary: "hand in all that is owed, or a voucher from a file",
    example: "ledgercli pay receive settle --address=9F12…3Ec6",
    flags: [
      addressFlag,
      ["--voucher <file>", "voucher to take first; - for standard input"],
      ...sessionFlags,
    ],
    load: async () => (await load()).receiveSettleCommand,
  });
  addCommand(pay, world, {
    usage: "watch",
    summary: "settle and prove for receivers of this wallet folder that are offline",
    example: "ledgercli pay watch --from=2E83…43bab --address=9F12…3Ec6",
    flags: [
      ["--from <address>", "account that pays the fees"],
      ["--address <list>", "receivers to stand in for, separated by commas"],
      ["--blocks-left <number>", "blocks before a pool's end from which to settle", "60"],
      ["--once", "look once and end"],
      ...sessionFlags,
    ],
    load: async () => (await load()).watchCommand,
  });
}

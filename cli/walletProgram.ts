import { Command } from "commander";
import { addCommand, addGroup, type World } from "./commandTree.ts";
import { addPay } from "./payProgram.ts";
import { versionLine } from "./version.ts";

type FlagList = readonly (readonly [flag: string, text: string, otherwise?: string | boolean])[];

const passwordFlags: FlagList = [
  ["--password <text>", "password (stays in the process list: prefer --password-file)"],
  ["--password-file <file>", "file whose first line is the password; else LEDGER_PASSWORD"],
];

/** What every transaction takes. */
const transactionFlags: FlagList = [
  ["--chain <name>", "chain to sign for (default: the node's)"],
  ["--seq <number>", "sequence (default: looked up, pending transactions counted)"],
  ["--fee <amount>", "fee in TFUEL (default: what the node asks, doubled)"],
  ["--async", "return when the node has accepted it, without waiting for its block"],
  ["--wait", "wait until it is committed, looking again and again; exit 4 after --timeout"],
  ["--timeout <seconds>", "longest wait", "60"],
  ["--wallet <kind>", "where the key is: soft", "soft"],
  ["--path <path>", "as Theta's; only hardware wallets use it"],
  ...passwordFlags,
];

/** The command tree of `ledgercli`. Declares only: each command's code is loaded when it runs. */
export function createWalletProgram(world: World): Command {
  const program = new Command("ledgercli");
  program
    .description("Wallet and queries for a ledger node. Flags may be written with _ or -.")
    .version(versionLine("ledgercli"), "-V, --version")
    .option("--config <dir>", "wallet folder (default: LEDGERCLI_CONFIG, else ~/.ledgercli)")
    .option("--rpc <url>", "node to ask (default: config.yaml, else http://localhost:16888/rpc)")
    .option("--remote <url>", "the same as --rpc")
    .option("--json", "results and errors as one JSON document")
    .option("--verbose", "also the causes of an error")
    .option("--color <when>", "auto, always or never", "auto")
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError();
  addTransactions(program, world);
  addContracts(program, world);
  addStake(program, world);
  addPay(program, world, transactionFlags);
  addQueries(program, world);
  addPeers(program, world);
  addKeys(program, world);
  addEvidence(program, world);
  addOthers(program, world);
  return program;
}

function addTransactions(program: Command, world: World): void {
  const tx = addGroup(program, "tx", "sign and send a transaction");
  addCommand(tx, world, {
    usage: "send",
    summary: "send THETA and TFUEL",
    example: "ledgercli tx send --from=2E83…43bab --to=9F12…3Ec6 --theta=10 --tfuel=20",
    flags: [
      ["--from <address>", "account that pays; its key must be in the wallet folder"],
      ["--to <address>", "account that receives"],
      ["--theta <amount>", "THETA to send: 10, 0.5, 20000wei", "0"],
      ["--tfuel <amount>", "TFUEL to send", "0"],
      ...transactionFlags,
    ],
    load: async () => (await import("./commands/transfer.ts")).sendCommand,
  });
  addCommand(tx, world, {
    usage: "smart_contract",
    alias: "smart-contract",
    summary: "call a contract, or create one",
    example: "ledgercli tx smart_contract --from=2E83…43bab --to=5c31…1337 --gas_limit=50000",
    flags: [...callFlags, ...transactionFlags.filter(([flag]) => !flag.startsWith("--fee"))],
    load: async () => (await import("./commands/smartContract.ts")).smartContractCommand,
  });
  const purpose = [
    "--purpose <number>",
    "0 validator, 1 guardian, 2 elite edge node",
    "0",
  ] as const;
  addCommand(tx, world, {
    usage: "deposit",
    summary: "stake THETA with a holder",
    example: "ledgercli tx deposit --source=2E83…43bab --holder=19E7…Ff2A --stake=200000",
    flags: [
      ["--source <address>", "account that pays the stake"],
      ["--holder <address>", "node that the stake counts for"],
      ["--stake <amount>", "stake to deposit", "5000000"],
      purpose,
      ...transactionFlags,
    ],
    load: async () => (await import("./commands/staking.ts")).depositCommand,
  });
  addCommand(tx, world, {
    usage: "withdraw",
    summary: "take the whole stake of a source back from a holder",
    example: "ledgercli tx withdraw --source=2E83…43bab --holder=19E7…Ff2A",
    flags: [
      ["--source <address>", "account that paid the stake"],
      ["--holder <address>", "node that the stake counts for"],
      purpose,
      ...transactionFlags,
    ],
    load: async () => (await import("./commands/staking.ts")).withdrawCommand,
  });
  addCommand(tx, world, {
    usage: "distribute_staking_reward",
    alias: "distribute-staking-reward",
    summary: "share a holder's staking reward with a beneficiary",
    example:
      "ledgercli tx distribute_staking_reward --holder=2E83…43bab --beneficiary=9F12…3Ec6 --split_basis_point=500",
    flags: [
      ["--holder <address>", "staking node whose reward is shared"],
      ["--beneficiary <address>", "account that receives the share"],
      ["--split-basis-point <number>", "share in 1/100 of a per cent, 0 ends it", "0"],
      ...transactionFlags,
    ],
    load: async () => (await import("./commands/staking.ts")).distributeCommand,
  });
  addPools(tx, world);
}

function addPools(tx: Command, world: World): void {
  const load = () => import("./commands/pools.ts");
  const duration = ["--duration <blocks>", "blocks for which it holds", "1000"] as const;
  addCommand(tx, world, {
    usage: "reserve",
    summary: "open a micropayment pool",
    example:
      "ledgercli tx reserve --from=2E83…43bab --fund=100 --collateral=101 --duration=1002 --resource_ids=rid1000001",
    flags: [
      ["--from <address>", "payer"],
      ["--fund <amount>", "TFUEL for receivers", "0"],
      ["--collateral <amount>", "TFUEL that overspending costs; above the fund", "0"],
      ["--resource-ids <list>", "what it pays for, separated by commas"],
      duration,
      ...transactionFlags,
    ],
    load: async () => (await load()).reserveCommand,
  });
  addCommand(tx, world, {
    usage: "release",
    summary:
      "close a pool whose freeze is over; a job of the chain comes first, so it is never needed",
    example: "ledgercli tx release --from=2E83…43bab --reserve_seq=4",
    flags: [
      ["--from <address>", "payer"],
      ["--reserve-seq <number>", "sequence that opened the pool"],
      ...transactionFlags,
    ],
    load: async () => (await load()).releaseCommand,
  });
  addCommand(tx, world, {
    usage: "split_rule",
    alias: "split-rule",
    summary: "say who shares in the payments for a resource, after a notice",
    example:
      "ledgercli tx split_rule --from=2E83…43bab --resource_id=rid1000001 --addresses=9F12…3Ec6 --percentages=30",
    flags: [
      ["--from <address>", "account that owns the rule"],
      ["--resource-id <id>", "what is paid for"],
      ["--addresses <list>", "who shares, separated by commas"],
      ["--percentages <list>", "their shares, in the same order"],
      duration,
      ...transactionFlags,
    ],
    load: async () => (await load()).splitRuleCommand,
  });
  addCommand(tx, world, {
    usage: "service_payment",
    alias: "service-payment",
    summary: "settle a voucher as its receiver",
    example:
      "ledgercli tx service_payment --from=2E83…43bab --to=9F12…3Ec6 --amount=5 --reserve_seq=4 --resource_id=rid1000001 --source_signature=3bb9…be00",
    flags: [
      ["--from <address>", "payer: owner of the pool"],
      ["--to <address>", "receiver: it signs and pays the fee"],
      ["--amount <amount>", "TFUEL that the voucher is made out for"],
      ["--payment-seq <number>", "payment sequence of the voucher", "1"],
      ["--reserve-seq <number>", "sequence that opened the pool"],
      ["--resource-id <id>", "what was paid for"],
      ["--source-signature <hex>", "the payer's signature, 65 bytes"],
      ["--min <amount>", "least TFUEL that must reach the receiver", "0"],
      ...transactionFlags,
    ],
    load: async () => (await load()).servicePaymentCommand,
  });
}

const callFlags: FlagList = [
  ["--from <address>", "account that calls"],
  ["--to <address>", "contract; without it one is created"],
  ["--value <amount>", "TFUEL to send along", "0"],
  ["--gas-price <amount>", "TFUEL per gas", "4000000000000wei"],
  ["--gas-limit <number>", "most gas that it may use"],
  ["--data <hex>", "call data, or init code", ""],
];

const interfaceFlags: FlagList = [
  ["--abi <file>", "artifact, ABI or source: names functions, events and errors"],
  ["--contract <name>", "contract of that file, where it has several"],
];

/** What a contract's transaction takes: its fee is the gas limit's at twice the price asked. */
const contractFlags: FlagList = [
  ["--from <address>", "account that pays; its key must be in the wallet folder"],
  ["--value <amount>", "TFUEL to send along", "0"],
  ["--gas-limit <number>", "most gas that it may use (default: estimated)"],
  ["--chain <name>", "chain to sign for (default: the node's)"],
  ["--seq <number>", "sequence (default: looked up, pending transactions counted)"],
  ...passwordFlags,
];

function addContracts(program: Command, world: World): void {
  const call = addGroup(program, "call", "dry runs");
  addCommand(call, world, {
    usage: "smart_contract",
    alias: "smart-contract",
    summary: "run a contract without a transaction; nothing changes",
    example: "ledgercli call smart_contract --from=2E83…43bab --to=5c31…1337 --gas_limit=50000",
    flags: [
      ...callFlags,
      ["--chain <name>", "no effect: nothing is signed"],
      ["--seq <number>", "sequence (default: looked up)"],
    ],
    load: async () => (await import("./commands/smartContract.ts")).callSmartContractCommand,
  });
  const contract = addGroup(program, "contract", "contracts by their interface");
  const load = () => import("./commands/contract.ts");
  addCommand(contract, world, {
    usage: "deploy <file>",
    summary: "compile Solidity, or take an artifact, and create the contract",
    example: "ledgercli contract deploy Token.sol --from=2E83…43bab --args Gold 1000",
    flags: [
      ["--args <values...>", "what the constructor takes"],
      ["--contract <name>", "contract of the file, where it has several"],
      ...contractFlags,
    ],
    load: async () => (await load()).deployCommand,
  });
  addCommand(contract, world, {
    usage: "call <address> <signature> [args...]",
    summary: "ask a contract",
    example: "ledgercli contract call 5c31…1337 'balanceOf(address)(uint256)' 2E83…43bab",
    flags: [
      ["--from <address>", "caller"],
      ["--value <amount>", "TFUEL to send along", "0"],
      ...interfaceFlags,
    ],
    load: async () => (await load()).callCommand,
  });
  addCommand(contract, world, {
    usage: "send <address> <signature> [args...]",
    summary: "send a transaction to a contract",
    example: "ledgercli contract send 5c31…1337 'SetValue(uint256)' 3 --from=2E83…43bab",
    flags: [...contractFlags, ...interfaceFlags],
    load: async () => (await load()).sendCommand,
  });
}

function addStake(program: Command, world: World): void {
  const stake = addGroup(program, "stake", "validator keys");
  addCommand(stake, world, {
    usage: "register-key",
    summary: "register a holder's BLS key with its proof of possession",
    example: "ledgercli stake register-key --holder=2E83…43bab --bls-keystore=bls.json",
    flags: [
      ["--holder <address>", "staking node that the key belongs to; it signs and pays"],
      ["--bls-keystore <file>", "EIP-2335 keystore of the BLS key"],
      ["--bls-password-file <file>", "password of that keystore (default: the holder's)"],
      ...transactionFlags,
    ],
    load: async () => (await import("./commands/staking.ts")).registerKeyCommand,
  });
}

function addQueries(program: Command, world: World): void {
  const query = addGroup(program, "query", "ask a node");
  const load = () => import("./commands/query.ts");
  const atHeight = ["--height <number>", "height (default: the newest committed)"] as const;
  addCommand(query, world, {
    usage: "account [address]",
    summary: "balances and sequence of an account",
    example: "ledgercli query account --address=9F1233798E905E173560071255140b4A8aBd3Ec6",
    flags: [
      ["--address <address>", "account to look up"],
      atHeight,
      ["--preview", "with the pending transactions applied"],
    ],
    load: async () => (await load()).accountQuery,
  });
  addCommand(query, world, {
    usage: "block [height]",
    summary: "a block, or a range of blocks",
    example: "ledgercli query block --height=3",
    flags: [
      ["--hash <hash>", "block hash"],
      ["--height <number>", "block height"],
      ["--start <number>", "first height of a range"],
      ["--end <number>", "last height of a range"],
      ["--include-eth-tx-hashes", "also the Ethereum hash of each transaction"],
      ["--include-unfinalized-blocks", "no effect: only committed blocks are shown"],
    ],
    load: async () => (await load()).blockQuery,
  });
  addCommand(query, world, {
    usage: "tx [hash]",
    summary: "a transaction with its block and receipt",
    example: "ledgercli query tx --hash=0x27f1…41dd",
    flags: [["--hash <hash>", "transaction hash, Theta's or Ethereum's"]],
    load: async () => (await load()).transactionQuery,
  });
  addCommand(query, world, {
    usage: "split_rule [resource]",
    alias: "split-rule",
    summary: "who shares in the payments for a resource",
    example: "ledgercli query split_rule --resource_id=rid1000001",
    flags: [["--resource-id <id>", "what is paid for"]],
    load: async () => (await load()).splitRuleQuery,
  });
  addPlainQueries(query, world);
  for (const [name, summary] of [
    ["vcp", "validators and their stakes at a height"],
    ["gcp", "guardians and their stakes at a height"],
    ["eenp", "elite edge nodes at a height"],
  ] as const) {
    addCommand(query, world, {
      usage: name,
      summary,
      example: `ledgercli query ${name} --height=100`,
      flags: [atHeight],
      load: async () => (await load()).stakersQuery(name),
    });
  }
  addCommand(query, world, {
    usage: "srdrs",
    summary: "rules that share staking rewards",
    example: "ledgercli query srdrs --height=100",
    flags: [atHeight, ["--address <address>", "only the rule of this holder"]],
    load: async () => (await load()).rewardRulesQuery,
  });
}

function addPlainQueries(query: Command, world: World): void {
  const load = () => import("./commands/query.ts");
  for (const [name, summary] of [
    ["status", "where the node stands"],
    ["version", "version of the node"],
    ["guardian", "guardian key of the node"],
    ["pending", "hashes of pending transactions"],
    ["validators", "the committee of the running epoch"],
  ] as const) {
    addCommand(query, world, {
      usage: name,
      summary,
      example: `ledgercli query ${name}`,
      flags: [],
      load: async () => (await load()).plainQuery(name),
    });
  }
  addCommand(query, world, {
    usage: "peers",
    summary: "peers of the node",
    example: "ledgercli query peers",
    flags: [
      ["--skip-edge-node", "leave out elite edge nodes", true],
      ["--no-skip-edge-node", "show elite edge nodes too"],
    ],
    load: async () => (await load()).peersQuery,
  });
}

function addPeers(program: Command, world: World): void {
  addCommand(program, world, {
    usage: "peers",
    summary: "nodes that are connected to the node, one a line",
    example: "ledgercli peers",
    flags: [],
    load: async () => (await import("./commands/query.ts")).listPeers,
  });
}

function addKeys(program: Command, world: World): void {
  const key = addGroup(program, "key", "keys in the wallet folder");
  const load = () => import("./commands/key.ts");
  addCommand(key, world, {
    usage: "new",
    summary: "make a key and store it encrypted",
    example: "ledgercli key new",
    flags: passwordFlags,
    load: async () => (await load()).newKey,
  });
  addCommand(key, world, {
    usage: "list",
    summary: "addresses of the stored keys",
    example: "ledgercli key list",
    flags: [],
    load: async () => (await load()).listKeys,
  });
  addCommand(key, world, {
    usage: "delete <address>",
    summary: "delete a key, after checking its password",
    example: "ledgercli key delete 2E833968E5bB786Ae419c4d13189fB081Cc43bab",
    flags: passwordFlags,
    load: async () => (await load()).deleteKey,
  });
  addCommand(key, world, {
    usage: "password <address>",
    summary: "change a key's password",
    example: "ledgercli key password 2E833968E5bB786Ae419c4d13189fB081Cc43bab",
    flags: [...passwordFlags, ["--new-password-file <file>", "file with the new password"]],
    load: async () => (await load()).changePassword,
  });
  addCommand(key, world, {
    usage: "import [file]",
    summary: "store a key from a keystore file, a private key or a mnemonic",
    example: "ledgercli key import --mnemonic-file words.txt --path m/44'/60'/0'/0/0",
    flags: [
      ["--private-key-file <file>", "file with 64 hex digits; - for standard input"],
      ["--mnemonic-file <file>", "file with BIP-39 words; - for standard input"],
      ["--path <path>", "BIP-44 path, or theta for m/44'/500'/0'/0/0", "m/44'/60'/0'/0/0"],
      ["--passphrase-file <file>", "file with the mnemonic's own passphrase"],
      ["--new-password-file <file>", "password to store it under (default: the same)"],
      ["--force", "replace a key of the same address"],
      ...passwordFlags,
    ],
    load: async () => (await load()).importKey,
  });
  addCommand(key, world, {
    usage: "export <address>",
    summary: "print the keystore JSON, or with --private-key-file write the bare key",
    example: "ledgercli key export 2E833968E5bB786Ae419c4d13189fB081Cc43bab > key.json",
    flags: [
      ["--private-key-file <file>", "write the unencrypted key to this new file, mode 0600"],
      ...passwordFlags,
    ],
    load: async () => (await load()).exportKey,
  });
}

function addEvidence(program: Command, world: World): void {
  const evidence = addGroup(program, "evidence", "proofs that a validator broke the rules");
  const load = () => import("./commands/evidence.ts");
  addCommand(evidence, world, {
    usage: "list",
    summary: "evidence that waits for a block, and who was punished",
    example: "ledgercli evidence list",
    flags: [],
    load: async () => (await load()).listEvidence,
  });
  addCommand(evidence, world, {
    usage: "show <hash>",
    summary: "one piece of evidence with its committee",
    example: "ledgercli evidence show 0x27f1…41dd --output=evidence.json",
    flags: [["--output <file>", "write it to this new file, for evidence verify"]],
    load: async () => (await load()).showEvidence,
  });
  addCommand(evidence, world, {
    usage: "verify <file>",
    summary: "check a file offline: whom it proves guilty, or why nobody",
    example: "ledgercli evidence verify evidence.json --committee=committee.json",
    flags: [
      ["--committee <file>", "committee of its epoch (default: the one in the file)"],
      ["--genesis <hash>", "genesis hash of the chain (default: the one in the file)"],
    ],
    load: async () => (await load()).verifyEvidenceFile,
  });
  addCommand(evidence, world, {
    usage: "submit <file>",
    summary: "hand a file's evidence to the node",
    example: "ledgercli evidence submit evidence.json --reporter=2E83…43bab",
    flags: [["--reporter <address>", "who is paid for it (default: nobody, all is burned)"]],
    load: async () => (await load()).submitEvidence,
  });
}

function addOthers(program: Command, world: World): void {
  addCommand(program, world, {
    usage: "rpc <method> [parameters]",
    summary: "call any JSON-RPC method",
    example: "ledgercli rpc theta.GetStatus '{}'",
    flags: [],
    load: async () => (await import("./commands/query.ts")).rawCall,
  });
  addCommand(program, world, {
    usage: "version",
    summary: "version of this program",
    example: "ledgercli version",
    flags: [],
    load: async () => (await import("./commands/version.ts")).versionCommand("ledgercli"),
  });
}

import { join } from "node:path";
import { NodeError } from "../base/nodeError.ts";
import { soundRules } from "../consensus/rules.ts";
import { blockHash } from "../ledger/header.ts";
import { bodyFault } from "../ledger/block.ts";
import { openLevel } from "../store/level.ts";
import { tableProblems } from "../store/levelFiles.ts";
import { recount } from "../store/recount.ts";
import { loadConfig } from "./config.ts";
import { DiskStore } from "./diskStore.ts";
import { openGenesis } from "./genesis.ts";
import type { NodeOptions } from "./options.ts";
import { commitProofSummary } from "./summaries.ts";

/** Problems that one run prints. */
const problemsMax = 100;

/** What a check of a data folder found. */
export type CheckReport = {
  readonly height: number;
  readonly blocks: number;
  readonly transactions: number;
  readonly nodes: number;
  readonly retainedHeights: number;
  /** One sentence each; none if the folder is whole. */
  readonly problems: readonly string[];
};

/**
 * Checks a stopped node's data folder: every committed block hangs on the one before, its body and
 * its transactions' index entries fit, the head's proof proves it, and the reference counts equal a
 * recount from the retained roots.
 */
export async function checkFolder(options: {
  readonly folder: string;
  readonly overrides: NodeOptions["overrides"];
  readonly environment: NodeJS.ProcessEnv;
}): Promise<CheckReport> {
  const config = loadConfig(options);
  const genesis = openGenesis(config);
  const { archive, retainedHeights } = config.storage;
  const store = await DiskStore.open({
    folder: config.dataFolder,
    genesis,
    archive,
    retainedHeights,
  });
  let chain: ReturnType<typeof checkChain>;
  let logEntries: number;
  try {
    chain = checkChain(store);
    logEntries = await store.logIndexCount();
  } finally {
    await store.close();
  }
  const keyValue = await openLevel(join(config.dataFolder, "store"));
  try {
    const counted = await recount(keyValue);
    return {
      height: chain.height,
      blocks: chain.blocks,
      transactions: chain.transactions,
      nodes: counted.nodes,
      retainedHeights: counted.heights,
      problems: [
        ...tableProblems(join(config.dataFolder, "store")),
        ...chain.problems,
        ...(chain.problems.length > 0 || logEntries === chain.logEntries
          ? []
          : [`the log index has ${logEntries} entries, not ${chain.logEntries}`]),
        ...counted.problems,
      ].slice(0, problemsMax),
    };
  } finally {
    await keyValue.close();
  }
}

function checkChain(store: DiskStore): Pick<
  CheckReport,
  "height" | "blocks" | "transactions" | "problems"
> & {
  readonly logEntries: number;
} {
  const { height } = store.head.header;
  const problems: string[] = [];
  let transactions = 0;
  let logEntries = 0;
  let parent = store.hashAtHeight(0);
  for (let at = 1; at <= height && problems.length < problemsMax; at += 1) {
    const hash = store.hashAtHeight(at);
    const block = hash === null ? null : store.block(hash);
    if (hash === null || block === null) {
      problems.push(`block ${at} is missing`);
      break;
    }
    const { header, body } = block;
    if (header.parentHash !== parent) problems.push(`block ${at} does not hang on block ${at - 1}`);
    if (blockHash(header) !== hash) problems.push(`block ${at} has another hash than its header`);
    const fault = bodyFault(block);
    if (fault !== null)
      problems.push(`block ${at} has a body that its header does not name: ${fault}`);
    const receipts = store.receipts(hash);
    if (receipts?.receipts.length !== body.transactions.length) {
      problems.push(`block ${at} lacks receipts`);
    }
    for (const [index, receipt] of (receipts?.receipts ?? []).entries()) {
      const place = store.transactionPosition(receipt.transactionHash);
      if (place?.height !== at || place.index !== index) {
        problems.push(`transaction ${receipt.transactionHash} of block ${at} is not indexed`);
      }
    }
    if (receipts !== null) {
      const { entries, wrong } = store.logIndexFaults(at, receipts);
      logEntries += entries;
      if (wrong > 0) problems.push(`block ${at} has ${wrong} of ${entries} logs' entries wrong`);
    }
    transactions += body.transactions.length;
    parent = hash;
  }
  if (height > 0) problems.push(...proofProblems(store));
  return { height, blocks: height + 1, transactions, logEntries, problems };
}

/** Signatures in the proof were checked when it was made; here it must fit the head. */
function proofProblems(store: DiskStore): readonly string[] {
  const proof = store.headProof();
  if (proof === null) return ["the head has no commit proof"];
  const { epoch } = store.head.header;
  const { nextCommitteeHash, height } = store.head.header;
  const lastHeight = nextCommitteeHash === null ? store.epoch.lastHeight : height;
  const summary = commitProofSummary(proof);
  const proves = soundRules.isCommitProof({ epoch, lastHeight }, summary);
  return proves && summary.links[0]?.hash === store.head.hash
    ? []
    : ["the head's commit proof does not prove it"];
}

/** `ledger check`: prints the report; problems end it with an integrity error. */
export async function runCheck(options: NodeOptions & { readonly folder: string }): Promise<void> {
  const report = await checkFolder(options);
  if (options.json) options.print(JSON.stringify(report));
  else {
    options.print(`head       block ${report.height}`);
    options.print(`checked    ${report.blocks} blocks, ${report.transactions} transactions`);
    options.print(
      `state      ${report.nodes} nodes under ${report.retainedHeights} heights, reference counts recounted`,
    );
    for (const problem of report.problems) options.print(`problem    ${problem}`);
  }
  const [first] = report.problems;
  if (first !== undefined) {
    throw new NodeError("E_DATA_CORRUPT", `${report.problems.length} problems: ${first}`, {
      hint: "restore the data folder from a backup, or remove it and let the node start anew",
    });
  }
  if (!options.json) options.print("the data folder is whole");
}

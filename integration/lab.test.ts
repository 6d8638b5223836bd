import { cpSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { cleanUp, ledgercli, temporaryFolder, waitFor } from "./harness.ts";
import { LabCluster, type ClusterOptions, type LabNode } from "./lab/cluster.ts";
import { devnetKeys } from "./lab/devnetKeys.ts";
import { checkFolder, History } from "./lab/history.ts";
import { requires } from "./requires.ts";

/*
 * Goal: validators on hosts of their own keep one chain, whatever happens to hosts and links.
 * Method: real processes in network namespaces; clients send transfers all the while; afterwards
 * everything that a node accepted is in the same block on all of them. `npm test` runs one of the
 * scenarios, `npm run campaign -- lab` all.
 */

const isWhole = process.env["LAB"] === "all";

/** A scenario of the campaign only. */
function rare(name: string, body: () => Promise<void>): void {
  if (isWhole) test(name, body);
}

/** Scenarios of the campaign only, with a cluster of their own. */
function rareSuite(name: string, body: () => void): void {
  if (!isWhole) return;
  describe(name, { timeout: 600_000 }, () => {
    body();
  });
}

/** Longest start of a cluster, and longest comparison of histories, in milliseconds. */
const startMsMax = 240_000;

/** Longest until a change of stake has changed the committee, in milliseconds: two epochs. */
const epochMsMax = 200_000;

/** Longest until a chain that was hindered goes on, in milliseconds. */
const recoverMsMax = 90_000;

/** A disk with room for the store of a scenario's chain and the engine's buffers. */
const diskBytes = 128 * 1024 * 1024;

const pace = ["consensus.blockIntervalMsIdle=500", "log.level=info", "log.format=text"];

/** A cluster for the tests of one `describe`, and clients that use it during each of them. */
function useCluster(options: Omit<ClusterOptions, "folder">): () => LabCluster {
  let cluster: LabCluster | null = null;
  let history: History | null = null;
  beforeEach(async ({ skip }) => {
    requires({ skip }, "namespaces");
    cluster ??= await LabCluster.start({ ...options, folder: join(temporaryFolder(), "net") });
    history = new History(cluster.nodes.slice(0, 3), devnetKeys, "privatenet");
  }, startMsMax);
  afterEach(async ({ task }) => {
    if (cluster === null || history === null) return;
    cluster.network.heal();
    const found = await history.check(cluster);
    expect(found).toBeGreaterThan(0);
    console.log(`${task.name}: ${found} transfers, each in one block of every node`);
  }, startMsMax);
  afterAll(async () => {
    await cluster?.close();
    await cleanUp();
  });
  return () => {
    if (cluster === null) throw new Error("the cluster did not start");
    return cluster;
  };
}

describe("four validators on four hosts", { timeout: 400_000 }, () => {
  const lab = useCluster({ validators: 4, settings: pace });
  const node = (index: number): LabNode => lab().node(index);

  rare("the leader is killed: the others go on, and it joins again", async () => {
    await lab().goOn();
    await node(0).stop("SIGKILL");
    await lab().goOn(lab().nodes.slice(1), 8);
    await checkFolder(node(0));
    node(0).start();
    await lab().goOn();
  });

  test("N5 a minority is cut off: it stands, the others go on, and it follows again", async () => {
    lab().network.partition([0], [1, 2, 3]);
    await lab().goOn(lab().nodes.slice(1), 5);
    const before = await node(0).height();
    await lab().goOn(lab().nodes.slice(1), 3);
    expect(await node(0).height()).toBe(before);
    lab().network.heal();
    await lab().goOn();
  });

  rare("N5 two halves: neither commits, and both go on together when healed", async () => {
    lab().network.partition([0, 1], [2, 3]);
    await standsStill(lab());
    lab().network.heal();
    await lab().goOn();
  });

  rare("N5 one way of one link is gone", async () => {
    lab().network.cutOneWay(0, 1);
    await lab().goOn(lab().nodes, 8);
  });

  rare("N5 a link that comes and goes", async () => {
    for (let round = 0; round < 6; round += 1) {
      lab().network.partition(
        [round % 4],
        [0, 1, 2, 3].filter((host) => host !== round % 4),
      );
      await lab().goOn(
        lab().nodes.filter((_, i) => i !== round % 4),
        2,
      );
      lab().network.heal();
    }
    await lab().goOn();
  });

  rare("A13 a validator stands still for longer than its views, then goes on", async () => {
    node(2).pause();
    const awake = lab().nodes.filter((_, i) => i !== 2);
    await lab().goOn(awake, 10);
    node(2).resume();
    await lab().goOn();
  });

  rare("every validator is restarted, one after another", async () => {
    for (const each of lab().nodes) {
      await each.stop("SIGTERM");
      await lab().goOn(
        lab().nodes.filter((other) => other !== each),
        3,
      );
      each.start();
      await each.reaches(
        (await lab()
          .node(each.host === 0 ? 1 : 0)
          .height()) + 1,
        recoverMsMax,
      );
    }
    await lab().goOn();
  });

  rare(
    "D4 the disk of one is full: it stops and says so, the others go on, it returns",
    async () => {
      await node(3).stop();
      const disk = node(3).moveStore(diskBytes);
      node(3).start();
      await lab().goOn();
      disk.fill(256 * 1024);
      await waitFor("it stops", () => !node(3).isRunning, recoverMsMax);
      expect(node(3).log).toMatch(/^error\[E_STORAGE\]: .*: The disk is full\.$/m);
      await lab().goOn(lab().nodes.slice(0, 3), 5);
      disk.free();
      node(3).start();
      await lab().goOn();
    },
  );

  rare("two are killed and come back: the chain stood and goes on by itself", async () => {
    await node(2).stop("SIGKILL");
    await node(3).stop("SIGKILL");
    await standsStill(lab());
    node(2).start();
    node(3).start();
    await lab().goOn();
  });

  rare(
    "D6 a validator loses its data: it catches up, and is silent until the next epoch",
    async () => {
      // Not the one of D4: its store is a disk of its own still, which cannot be removed.
      await node(2).stop("SIGKILL");
      rmSync(join(node(2).folder, "data"), { recursive: true });
      node(2).start();
      const isSilent = (): boolean => node(2).log.includes("signs nothing until the next epoch");
      await waitFor("it says that it is silent", isSilent, recoverMsMax);
      await lab().goOn();
    },
  );
});

rareSuite("four validators far apart", () => {
  const lab = useCluster({ validators: 4, settings: pace, withProxies: true });
  const everyLink = { address: "*", delayMs: 0, stallEvery: 0, stallMs: 0 };

  test("50 ms each way on every link", async () => {
    lab().delay([{ ...everyLink, delayMs: 50 }]);
    await lab().goOn(lab().nodes, 10);
  });

  test("every 20th piece on a link is lost and comes again after 300 ms", async () => {
    lab().delay([{ ...everyLink, delayMs: 10, stallEvery: 20, stallMs: 300 }]);
    await lab().goOn(lab().nodes, 10);
  });

  test("one validator is far from all others", async () => {
    const address = lab().network.address(3);
    lab().delay([{ ...everyLink, address, delayMs: 700 }]);
    await lab().goOn(lab().nodes.slice(0, 3), 10);
    lab().delay([]);
    await lab().goOn();
  });
});

rareSuite("a committee that changes", () => {
  const settings = ["consensus.blockIntervalMsIdle=50", "log.level=info", "log.format=text"];
  const lab = useCluster({ validators: 4, settings });

  test("a full node follows, is wiped, and follows again", async () => {
    const { node: full } = await lab().addJoining(lab().node(1), "of the full node");
    full.start();
    await lab().goOn(lab().nodes, 20);
    await full.stop("SIGKILL");
    rmSync(join(full.folder, "data"), { recursive: true });
    await lab().goOn(lab().nodes.slice(0, 4));
    full.start();
    await lab().goOn();
  });

  test("a fifth validator joins and the first leaves, under load", async () => {
    const first = lab().node(0);
    const password = "of the fifth";
    const { node: fifth, address } = await lab().addJoining(first, password);
    fifth.start();
    await lab().goOn();
    const wallet = walletOf(join(temporaryFolder(), "wallet"), fifth.url);
    const payers = [
      await importKey(wallet, 7),
      await importKey(wallet, 8),
      await importKey(wallet, 9),
    ];
    const [payer = "", ...givers] = payers;
    for (const giver of givers)
      await wallet("tx", "send", `--from=${giver}`, `--to=${payer}`, "--theta=90000", "--wait");
    await wallet("tx", "send", `--from=${payer}`, `--to=${address}`, "--tfuel=100", "--wait");
    await wallet("tx", "deposit", `--source=${payer}`, `--holder=${address}`, "--stake=200000");
    copyKeys(fifth, wallet.folder);
    const [bls = ""] = readdirSync(join(fifth.folder, "key", "bls"));
    const keystore = `--bls-keystore=${join(fifth.folder, "key", "bls", bls)}`;
    const secret = ["--password-file", join(fifth.folder, "key", "password")];
    await wallet("stake", "register-key", `--holder=${address}`, keystore, ...secret);
    const members = async (): Promise<string> => wallet("query", "validators");
    const isIn = (who: string) => async (): Promise<boolean> =>
      (await members()).toLowerCase().includes(who.toLowerCase());
    await waitFor("the fifth is in the committee", isIn(address), epochMsMax);

    const [own = ""] = readdirSync(join(first.folder, "key", "encrypted"));
    copyKeys(first, wallet.folder);
    const leaving = ["--password-file", join(first.folder, "key", "password")];
    await wallet("tx", "withdraw", `--source=0x${own}`, `--holder=0x${own}`, ...leaving);
    const isOut = async (): Promise<boolean> => !(await isIn(own)());
    await waitFor("the first is in no committee any more", isOut, epochMsMax);
    await first.stop("SIGTERM");
    await lab().goOn(lab().nodes.slice(1), 20);
  });
});

rareSuite("one key on two hosts", () => {
  const settings = [
    "consensus.blockIntervalMsIdle=50",
    "consensus.clockDriftMsMax=1000",
    "log.level=info",
    "log.format=text",
  ];
  const lab = useCluster({ validators: 4, settings });

  test("N13 both sign: that is evidence and costs the stake, and there is no fork", async () => {
    const original = lab().node(3);
    const copy = lab().addCopyOf(original);
    copy.start();
    await lab().goOn();
    const isSilent = (): boolean => copy.log.includes("signs nothing until the next epoch");
    await waitFor("the copy says that it is silent", isSilent, recoverMsMax);
    const wallet = walletOf(join(temporaryFolder(), "wallet"), lab().node(0).url);
    type Listed = { readonly punished: readonly Punished[] };
    const punished = async (): Promise<readonly Punished[]> =>
      (JSON.parse(await wallet("evidence", "list", "--json")) as Listed).punished;
    const isPunished = async (): Promise<boolean> => (await punished()).length > 0;
    await waitFor("the two contradict each other and are punished", isPunished, epochMsMax);
    const [{ evidence, holder, slashed } = nobody] = await punished();
    expect(BigInt(slashed)).toBeGreaterThan(0n);
    const [own = ""] = readdirSync(join(original.folder, "key", "encrypted"));
    expect(holder.toLowerCase()).toContain(own.toLowerCase());
    // What a node shows of it convinces whoever has no node.
    const file = join(temporaryFolder(), "evidence.json");
    await wallet("evidence", "show", evidence, `--output=${file}`);
    const verdict = JSON.parse(await wallet("evidence", "verify", file, "--json")) as Verdict;
    expect(verdict.offenders.map((each) => each.toLowerCase())).toEqual([holder.toLowerCase()]);
    await lab().goOn(lab().nodes.slice(0, 3), 5);
  });
});

/** Who was punished, as `evidence list` shows it. */
type Punished = { readonly evidence: string; readonly holder: string; readonly slashed: string };
const nobody: Punished = { evidence: "", holder: "", slashed: "0" };

/** What `evidence verify` says. */
type Verdict = { readonly offenders: readonly string[] };

/** Runs `ledgercli` with a wallet folder of its own against one node. */
function walletOf(folder: string, url: string) {
  const wallet = async (...argv: readonly (string | undefined)[]): Promise<string> => {
    const words = argv.filter((word) => word !== undefined);
    const input = words.includes("--private-key-file=-") ? words.pop() : undefined;
    const ran = await ledgercli(words, {
      ...(input === undefined ? {} : { input: input.replace("0x", "") }),
      environment: {
        LEDGERCLI_CONFIG: folder,
        LEDGERCLI_RPC: url,
        ...(words.includes("--password-file") ? {} : { LEDGER_PASSWORD: "qwertyuiop" }),
      },
    });
    if (ran.exit !== 0) throw new Error(`${words.join(" ")}: ${ran.err}`);
    return ran.out;
  };
  return Object.assign(wallet, { folder });
}

/** Imports the key of one of the accounts that a devnet funds; gives its address. */
async function importKey(wallet: ReturnType<typeof walletOf>, index: number): Promise<string> {
  const printed = await wallet("key", "import", "--private-key-file=-", devnetKeys[index]);
  return /0x[0-9a-fA-F]{40}/.exec(printed)?.[0] ?? "";
}

/** Puts a node's account key into a wallet folder. */
function copyKeys(node: LabNode, wallet: string): void {
  const to = join(wallet, "keys", "encrypted");
  cpSync(join(node.folder, "key", "encrypted"), to, { recursive: true });
}

/** Waits until no running node has committed anything for as long as several views take. */
async function standsStill(cluster: LabCluster): Promise<void> {
  const running = cluster.nodes.filter((node) => node.isRunning);
  let seen = "";
  let sinceMs = Date.now();
  await waitFor(
    "the chain stands still",
    async () => {
      const heights = (await Promise.all(running.map((node) => node.height()))).join(" ");
      if (heights !== seen) {
        seen = heights;
        sinceMs = Date.now();
      }
      return Date.now() - sinceMs > 8_000;
    },
    recoverMsMax,
  );
}

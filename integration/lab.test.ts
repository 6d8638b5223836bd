import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { cleanUp, temporaryFolder, waitFor } from "./harness.ts";
import { LabCluster, type ClusterOptions, type LabNode } from "./lab/cluster.ts";
import { devnetKeys } from "./lab/devnetKeys.ts";
import { checkFolder, History } from "./lab/history.ts";
import { requires } from "./requires.ts";

/*
 * Goal: validators on hosts of their own keep one chain, whatever happens to hosts and links.
 * Method: real processes in network namespaces; clients send transfers all the while; afterwards
 * everything that a node accepted is in the same block on all of them. `npm test` runs two of the
 * scenarios, `npm run campaign -- lab` all.
 */

const isWhole = process.env["LAB"] === "all";

/** A scenario of the campaign only. */
function rare(name: string, body: () => Promise<void>): void {
  if (isWhole) test(name, body);
}

/** Longest start of a cluster, and longest comparison of histories, in milliseconds. */
const startMsMax = 240_000;

/** Longest until a chain that was hindered goes on, in milliseconds. */
const recoverMsMax = 90_000;

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

  test("the leader is killed: the others go on, and it joins again", async () => {
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
      await node(3).stop("SIGKILL");
      rmSync(join(node(3).folder, "data"), { recursive: true });
      node(3).start();
      const isSilent = (): boolean => node(3).log.includes("signs nothing until the next epoch");
      await waitFor("it says that it is silent", isSilent, recoverMsMax);
      await lab().goOn();
    },
  );
});

describe("four validators far apart", { timeout: 400_000 }, () => {
  const lab = useCluster({ validators: 4, settings: pace, withProxies: true });
  const everyLink = { address: "*", delayMs: 0, stallEvery: 0, stallMs: 0 };

  rare("50 ms each way on every link", async () => {
    lab().delay([{ ...everyLink, delayMs: 50 }]);
    await lab().goOn(lab().nodes, 10);
  });

  rare("every 20th piece on a link is lost and comes again after 300 ms", async () => {
    lab().delay([{ ...everyLink, delayMs: 10, stallEvery: 20, stallMs: 300 }]);
    await lab().goOn(lab().nodes, 10);
  });

  rare("one validator is far from all others", async () => {
    const address = lab().network.address(3);
    lab().delay([{ ...everyLink, address, delayMs: 700 }]);
    await lab().goOn(lab().nodes.slice(0, 3), 10);
    lab().delay([]);
    await lab().goOn();
  });
});

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

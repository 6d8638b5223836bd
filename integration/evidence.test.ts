import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import {
  cleanUp,
  launchLedger,
  ledgercli,
  root,
  temporaryFolder,
  waitFor,
  type LaunchedNode,
} from "./harness.ts";

/*
 * Goal: what a node was given against a validator is not lost with the node. Method: a node of the
 * private net that has no peers and no key, so that nothing comes into a block, is killed as soon
 * as it has answered.
 */

/** Longest start of a node, in milliseconds. */
const startMsMax = 60_000;

/** Kills, each as soon after an answer as a test can. */
const kills = 3;

const fixture = join(root, "integration", "privatenet");

afterAll(cleanUp);

async function startNode(folder: string): Promise<LaunchedNode> {
  const flags = ["--set=p2p.listen=/ip4/127.0.0.1/tcp/0,log.format=text", "--log-level=info"];
  const node = await launchLedger(["start", `--config=${folder}`, ...flags]);
  const answers = (): Promise<boolean> =>
    node.client.status().then(
      () => true,
      () => node.isEnded(),
    );
  await waitFor("the node answers", answers, startMsMax);
  return node;
}

async function evidence(node: LaunchedNode, ...argv: readonly string[]): Promise<string> {
  const ran = await ledgercli(["evidence", ...argv, `--rpc=${node.url}`, "--json"]);
  expect(ran.exit, `${ran.err}\n${node.err()}`).toBe(0);
  return ran.out;
}

test("K2: evidence that waits for a block outlives kill -9, again and again", async () => {
  const folder = join(temporaryFolder(), "node");
  mkdirSync(folder);
  for (const name of ["config.yaml", "genesis.json"]) {
    cpSync(join(fixture, "node", name), join(folder, name));
  }
  let node = await startNode(folder);
  expect(await evidence(node, "list")).not.toContain("doubleVote");
  const answer = await evidence(node, "submit", join(fixture, "doubleVote.json"));
  const { hash } = JSON.parse(answer) as { readonly hash: string };
  for (let kill = 0; kill < kills; kill += 1) {
    await node.stop("SIGKILL");
    node = await startNode(folder);
    expect(node.err()).toContain("pending evidence restored");
    expect(await evidence(node, "list")).toContain(hash);
  }
  // It is the same piece, not a second one.
  expect(await evidence(node, "submit", join(fixture, "doubleVote.json"))).toContain(hash);
  expect(await node.stop()).toBe(0);
});

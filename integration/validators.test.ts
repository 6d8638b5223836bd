import { join } from "node:path";
import { HDNodeWallet, JsonRpcProvider, parseEther } from "ethers";
import { afterAll, expect, test } from "vitest";
import { cleanUp, launchLedger, startLedger, temporaryFolder, waitFor } from "./harness.ts";
import { ShownChain, watchMsMax } from "./shownChain.ts";

/*
 * Goal: four validators in four processes are one chain. What one is sent, all commit; one that
 * dies is not missed; without a quorum the chain stands and says so, and goes on by itself when one
 * returns; a clock that is far off moves neither the chain nor its time. All the while what each
 * node shows never goes back.
 */

const mnemonic = "test test test test test test test test test test test junk";
const recipient = "0x00000000000000000000000000000000000000aa";

/** Longest time for a change that all see, in milliseconds: a few views of a busy machine. */
const agreeMsMax = 60_000;

/** Blocks with a wrong clock in either direction. */
const blocksOfEach = 5;

/** How far a block may be ahead of a voter's clock, and a second for what blocks show. */
const driftMsMax = 10_000 + 1_000;

/** Most of an hour: with more, its certificates of TLS would not be valid for others. */
const clockOffMs = 50 * 60_000;

/** Makes the wall clock of a process wrong; on a signal it jumps to the other side. */
const wrongClock = `
  const trueNow = Date.now.bind(Date);
  let offMs = ${clockOffMs};
  Date.now = () => trueNow() + offMs;
  process.on("SIGUSR2", () => (offMs = -${clockOffMs}));
`;

afterAll(cleanUp);

type Member = { readonly name: string; readonly pid: number; readonly rpc: string };

function providerOf(url: string): JsonRpcProvider {
  return new JsonRpcProvider(url, undefined, {
    staticNetwork: true,
    pollingInterval: 100,
    cacheTimeout: -1,
    batchMaxCount: 1,
  });
}

/** A devnet of four, running, and how to ask and pay on it. */
async function startDevnet(folder: string): Promise<{
  readonly members: readonly Member[];
  readonly err: () => string;
  readonly stop: () => Promise<number | null>;
}> {
  const argv = ["devnet", "--validators=4", `--data=${folder}`, "--rpc-port=0", "--eth-port=0"];
  const devnet = await launchLedger([...argv, "--block-time=500", "--json"]);
  const lines = (): readonly string[] =>
    devnet
      .out()
      .split("\n")
      .filter((line) => line !== "");
  await waitFor("four nodes are shown", () => lines().length === 4 || devnet.isEnded(), agreeMsMax);
  expect(lines(), devnet.err()).toHaveLength(4);
  const members = lines().map((line) => JSON.parse(line) as Member);
  return { members, err: devnet.err, stop: () => devnet.stop("SIGINT") };
}

/** Starts the node of a member's folder again. */
function startAgain(folder: string, { name }: Member, environment: Record<string, string> = {}) {
  const password = `--password-file=${join(folder, name, "key", "password")}`;
  return startLedger(["start", `--config=${join(folder, name)}`, password], { environment });
}

const options = { timeout: watchMsMax };
test(
  "A7, A12: four agree; one dead is not missed, two are until one returns",
  options,
  async () => {
    const folder = join(temporaryFolder(), "net");
    const devnet = await startDevnet(folder);
    const [first, second, third, fourth] = devnet.members;
    if (first === undefined || second === undefined) throw new Error("four members are shown");
    if (third === undefined || fourth === undefined) throw new Error("four members are shown");
    const wallet = HDNodeWallet.fromPhrase(mnemonic, undefined, "m/44'/60'/0'/0/0");
    const provider = providerOf(first.rpc);
    let nonce = 0;
    const sent = new Set<string>();
    const watchers = devnet.members.map(({ rpc }) => new ShownChain(rpc, sent, recipient));
    const pay = async (): Promise<void> => {
      const { hash } = await wallet.connect(provider).sendTransaction({
        to: recipient,
        value: parseEther("1"),
        nonce: nonce++,
        gasLimit: 21_000n,
        gasPrice: 4_000_000_000n,
      });
      sent.add(hash);
    };
    const hasAll = (url: string) => async (): Promise<boolean> => {
      const asked = providerOf(url);
      const balance = await asked.getBalance(recipient).catch(() => -1n);
      asked.destroy();
      return balance === parseEther(`${nonce}`);
    };
    for (let count = 0; count < 5; count += 1) await pay();
    for (const { name, rpc } of devnet.members)
      await waitFor(`${name} has committed the transfers`, hasAll(rpc), agreeMsMax);

    process.kill(fourth.pid, "SIGKILL");
    for (let count = 0; count < 3; count += 1) await pay();
    for (const { name, rpc } of [first, second, third])
      await waitFor(`${name} goes on without ${fourth.name}`, hasAll(rpc), agreeMsMax);

    process.kill(third.pid, "SIGKILL");
    await waitFor(
      "the log says that too few are left",
      () => devnet.err().includes("2 of 4 validators are connected, too few to commit"),
      agreeMsMax,
    );
    const heightBefore = await provider.getBlockNumber();
    await pay();

    const again = await startAgain(folder, third);
    watchers[2]?.moved(again.url);
    for (const { name, rpc } of [first, second, { name: third.name, rpc: again.url }])
      await waitFor(`${name} has gone on by itself`, hasAll(rpc), agreeMsMax);
    expect(await provider.getBlockNumber()).toBeGreaterThan(heightBefore);

    // The fourth comes back with a clock that is far ahead, and later far behind.
    const preloaded = `--import=data:text/javascript,${encodeURIComponent(wrongClock)}`;
    const wrong = await startAgain(folder, fourth, { NODE_OPTIONS: preloaded });
    watchers[3]?.moved(wrong.url);
    for (const jump of [false, true]) {
      if (jump) process.kill(wrong.pid, "SIGUSR2");
      await pay();
      const goal = (await provider.getBlockNumber()) + blocksOfEach;
      const isThere = async (): Promise<boolean> => (await provider.getBlockNumber()) >= goal;
      await waitFor("the chain goes on", isThere, agreeMsMax);
      await waitFor("the one with the wrong clock follows", hasAll(wrong.url), agreeMsMax);
      const timestamp = (await provider.getBlock("latest"))?.timestamp ?? Number.NaN;
      expect(timestamp * 1_000).toBeLessThan(Date.now() + driftMsMax);
    }

    for (const watcher of watchers) {
      const { looks, receipts } = await watcher.stop();
      expect(looks).toBeGreaterThan(10);
      expect(receipts).toBeGreaterThanOrEqual(5);
    }
    provider.destroy();
    expect(await wrong.stop()).toBe(0);
    expect(await again.stop()).toBe(0);
    expect(await devnet.stop()).toBe(0);
  },
);

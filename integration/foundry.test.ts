import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  Contract,
  ContractFactory,
  HDNodeWallet,
  JsonRpcProvider,
  NonceManager,
  type InterfaceAbi,
} from "ethers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cleanUp, run, startLedger, type Ran, type RunningNode } from "./harness.ts";
import { installTool, solcFolder } from "./tools.ts";

/*
 * Goal: Foundry's cast and forge work against a devnet as they are, and so do the contracts of
 * Uniswap v2 as they were published.
 */

const mnemonic = "test test test test test test test test test test test junk";
const key = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

let node: RunningNode;
let folder = "";

beforeAll(async () => {
  folder = await installTool("foundry");
  node = await startLedger(["devnet", "--eth-port=0"]);
});
afterAll(cleanUp);

async function tool(
  name: "cast" | "forge",
  [command = "", ...argv]: readonly string[],
): Promise<Ran> {
  const program = join(folder, `node_modules/@foundry-rs/${name}-linux-amd64/bin/${name}`);
  return run(program, [command, "--rpc-url", node.url, ...argv], {
    folder,
    environment: { SOLC_MODULE: solcFolder },
  });
}

async function done(name: "cast" | "forge", argv: readonly string[]): Promise<string> {
  const ran = await tool(name, argv);
  expect(ran.exit, `${name} ${argv.join(" ")}\n${ran.out}\n${ran.err}`).toBe(0);
  return ran.out.trim();
}

test("forge creates and scripts, cast calls, sends and replays", async () => {
  const compiler = ["--offline", "--use", "./solc.mjs", "--private-key", key, "--broadcast"];
  const create = ["src/Counter.sol:Counter", "--constructor-args", "3"];
  const created = await done("forge", ["create", ...compiler, ...create]);
  const address = /Deployed to: (0x[0-9a-fA-F]{40})/.exec(created)?.[1] ?? "";
  expect(await done("cast", ["call", address, "number()(uint256)"])).toBe("3");
  const script = await done("forge", ["script", ...compiler, "script/Deploy.s.sol:Deploy"]);
  expect(script).toContain("ONCHAIN EXECUTION COMPLETE & SUCCESSFUL");

  expect(await done("cast", ["chain-id"])).toBe("366");
  const send = ["send", "--private-key", key, address, "set(uint256)"];
  const sent = JSON.parse(await done("cast", [...send, "9", "--json"])) as {
    readonly transactionHash: string;
    readonly status: string;
  };
  expect(sent.status).toBe("0x1");
  expect(await done("cast", ["run", sent.transactionHash])).toContain("successfully executed");
  const refused = await tool("cast", [...send, "900"]);
  expect(refused.err).toContain("too high");
  const logs = await done("cast", ["logs", "--address", address, "--from-block", "0"]);
  expect(logs).toContain(sent.transactionHash);
  const second = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
  await done("cast", ["send", "--unlocked", "--from", second, address, "set(uint256)", "11"]);
  expect(await done("cast", ["call", address, "number()(uint256)"])).toBe("11");
});

type Built = { readonly abi: InterfaceAbi; readonly bytecode: string };

function uniswap(path: string): Built {
  const text = readFileSync(join(folder, "node_modules/@uniswap", path), "utf8");
  const built = JSON.parse(text) as {
    readonly abi: InterfaceAbi;
    readonly bytecode?: string;
    readonly evm?: { readonly bytecode: { readonly object: string } };
  };
  return { abi: built.abi, bytecode: built.bytecode ?? built.evm?.bytecode.object ?? "" };
}

test("Uniswap v2: factory, router, a pool and a swap", async () => {
  const options = { pollingInterval: 20, cacheTimeout: -1 };
  const provider = new JsonRpcProvider(node.url, undefined, options);
  const path = "m/44'/60'/0'/0/5";
  const wallet = HDNodeWallet.fromPhrase(mnemonic, undefined, path).connect(provider);
  const signer = new NonceManager(wallet);
  const deploy = async (built: Built, ...args: unknown[]): Promise<Contract> => {
    const made = await new ContractFactory(built.abi, built.bytecode, signer).deploy(...args);
    await made.waitForDeployment();
    return new Contract(await made.getAddress(), built.abi, signer);
  };
  const send = async (contract: Contract, name: string, ...args: unknown[]): Promise<void> => {
    const sent = await contract.getFunction(name).send(...args);
    expect((await sent.wait())?.status).toBe(1);
  };
  const supply = 10n ** 24n;
  const factory = await deploy(uniswap("v2-core/build/UniswapV2Factory.json"), wallet.address);
  const weth = await deploy(uniswap("v2-periphery/build/WETH9.json"));
  const router = await deploy(
    uniswap("v2-periphery/build/UniswapV2Router02.json"),
    await factory.getAddress(),
    await weth.getAddress(),
  );
  const token = await deploy(uniswap("v2-periphery/build/ERC20.json"), supply);
  const at = await token.getAddress();
  await send(token, "approve", await router.getAddress(), supply);
  const deadline = 2n ** 40n;
  const pool = [at, 10n ** 21n, 0n, 0n, wallet.address, deadline];
  await send(router, "addLiquidityETH", ...pool, { value: 10n ** 19n });
  const weths = await weth.getAddress();
  const before = (await token.getFunction("balanceOf")(wallet.address)) as bigint;
  const swap = [0n, [weths, at], wallet.address, deadline];
  // With a limit of its own: an estimate for the second of the pool's last update is too low.
  const terms = { value: 10n ** 17n, gasLimit: 300_000 };
  await send(router, "swapExactETHForTokens", ...swap, terms);
  const after = (await token.getFunction("balanceOf")(wallet.address)) as bigint;
  // x · y stays, less the fee of 0.3 % [Uniswap v2, getAmountOut].
  expect(after - before).toBe(
    (997n * 10n ** 17n * 10n ** 21n) / (1_000n * 10n ** 19n + 997n * 10n ** 17n),
  );
  provider.destroy();
});

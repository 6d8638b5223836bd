import {
  ContractFactory,
  HDNodeWallet,
  JsonRpcProvider,
  NonceManager,
  type BaseContract,
} from "ethers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compileContract } from "../test/fakes/solidity.ts";
import { cleanUp, startLedger } from "./harness.ts";
import { startAnvil } from "./tools.ts";

/*
 * Goal: what `debug_traceTransaction` and its kin show is what Ethereum's tools expect. Method: the
 * same transactions, signed by the same keys, go to this node and to anvil, and both traces are
 * compared; what hangs on fees and on gas of another chain is left out of the comparison.
 */

const source = `// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;
contract Inner {
  uint256 public total;
  event Added(address indexed who, uint256 amount);
  function add(uint256 amount) external payable returns (uint256) {
    require(amount < 100, "too much");
    total += amount;
    emit Added(msg.sender, amount);
    return total;
  }
  function fail() external pure { revert("as asked"); }
  function burn() external pure { assembly { invalid() } }
}
contract Outer {
  uint256 public spare; // Where a delegate writes its total.
  Inner public inner;
  mapping(address => uint256) public calls;
  event Called(uint256 count);
  constructor() { inner = new Inner(); }
  function run(uint256 amount) external payable returns (uint256 after_) {
    calls[msg.sender] += 1;
    emit Called(calls[msg.sender]);
    after_ = inner.add{value: msg.value}(amount);
    require(inner.total() == after_);
    try inner.fail() {} catch {}
    try inner.burn{gas: 5000}() {} catch {}
    emit Called(after_);
  }
  function delegated() external {
    (bool ok,) = address(inner).delegatecall(abi.encodeCall(Inner.add, (1)));
    require(ok);
  }
  function make(bytes32 salt) external returns (address) {
    return address(new Inner{salt: salt}());
  }
  function refuse() external { inner.add(1000); }
}`;

const mnemonic = "test test test test test test test test test test test junk";

type Chain = { readonly provider: JsonRpcProvider; readonly outer: BaseContract };

const chains: Chain[] = [];

function providerOf(url: string): JsonRpcProvider {
  return new JsonRpcProvider(url, undefined, { pollingInterval: 50, cacheTimeout: -1 });
}

beforeAll(async () => {
  const { abi, bytecode } = compileContract(source, "Outer");
  const node = await startLedger(["devnet", "--eth-port=0"]);
  for (const url of [node.url, await startAnvil(["--steps-tracing"])]) {
    const provider = providerOf(url);
    const wallet = new NonceManager(HDNodeWallet.fromPhrase(mnemonic).connect(provider));
    const factory = new ContractFactory([...abi], bytecode, wallet);
    const outer = await factory.deploy({ gasLimit: 5_000_000n });
    await outer.waitForDeployment();
    chains.push({ provider, outer });
  }
});
afterAll(async () => {
  for (const { provider } of chains) provider.destroy();
  await cleanUp();
});

/** Sends a transaction to both chains; answers both hashes. */
async function send(
  name: string,
  parameters: readonly unknown[],
  options: object = {},
): Promise<readonly string[]> {
  const hashes: string[] = [];
  for (const { outer } of chains) {
    const call = outer.getFunction(name);
    const sent = await call.send(...parameters, { gasLimit: 1_000_000, ...options });
    await sent.wait().catch(() => null); // A revert is one of the cases.
    hashes.push(sent.hash);
  }
  return hashes;
}

async function traces(hashes: readonly string[], config: object): Promise<readonly unknown[]> {
  return Promise.all(
    chains.map(({ provider }, i) => provider.send("debug_traceTransaction", [hashes[i], config])),
  );
}

const cases = [
  ["run", [5], { value: 7 }],
  ["delegated", [], {}],
  ["make", [`0x${"11".repeat(32)}`], {}],
  ["refuse", [], {}],
] as const;

test.each(cases)("the call tree of %s is anvil's", async (name, parameters, options) => {
  const hashes = await send(name, parameters, options);
  for (const tracerConfig of [{ withLog: true }, {}, { onlyTopCall: true }]) {
    const [ours, theirs] = await traces(hashes, { tracer: "callTracer", tracerConfig });
    // As geth, the outermost frame shows the transaction's gas limit; anvil takes a part off.
    expect(ours).toMatchObject({ gas: "0xf4240" });
    expect(ours).toEqual({ ...(theirs as object), gas: "0xf4240" });
  }
});

type Step = {
  readonly op: string;
  readonly refund?: number;
  readonly gasCost: number;
  readonly error?: string;
};
type Steps = { readonly structLogs: readonly Step[] };

/** As geth: what is zero is left out, what a creation hands on is no cost of its own; and errors
 * without their words, for anvil has Rust's. */
function asGeth(step: Step | undefined): object {
  const { refund, gasCost, error, ...rest } = step ?? { op: "", gasCost: 0 };
  return {
    ...rest,
    failed: error !== undefined,
    ...(refund === undefined || refund === 0 ? {} : { refund }),
    ...(rest.op.startsWith("CREATE") ? {} : { gasCost }),
  };
}

type Accounts = Readonly<Record<string, { readonly balance?: string }>>;

/** Without balances, which hang on fees, and without anvil's proposer, who has no key. */
function withoutCoins(accounts: Accounts | undefined): object {
  const kept = Object.entries(accounts ?? {})
    .filter(([address]) => !/^0x0{40}$/.test(address))
    .map(([address, { balance: _balance, ...rest }]) => [address, rest]);
  return Object.fromEntries(kept);
}

test.each(cases)("each instruction of %s is anvil's", async (name, parameters, options) => {
  const hashes = await send(name, parameters, options);
  for (const config of [{ enableMemory: true }, { disableStack: true, disableStorage: true }]) {
    const [ours, theirs] = (await traces(hashes, config)) as readonly Steps[];
    expect({ ...ours, structLogs: [] }).toEqual({ ...theirs, structLogs: [] });
    expect(ours?.structLogs.length).toBe(theirs?.structLogs.length);
    for (const [index, step] of (theirs?.structLogs ?? []).entries()) {
      const shown = asGeth(ours?.structLogs[index]);
      expect({ index, ...shown }).toEqual({ index, ...asGeth(step) });
    }
  }
});

test.each(cases)("the state before %s is anvil's", async (name, parameters, options) => {
  const hashes = await send(name, parameters, options);
  const [ours, theirs] = await traces(hashes, { tracer: "prestateTracer" });
  expect(withoutCoins(ours as Accounts)).toEqual(withoutCoins(theirs as Accounts));
  const tracerConfig = { diffMode: true };
  const [our, their] = await traces(hashes, { tracer: "prestateTracer", tracerConfig });
  const [after, expected] = [our, their] as { readonly pre: Accounts; readonly post: Accounts }[];
  expect(withoutCoins(after?.pre)).toEqual(withoutCoins(expected?.pre));
  expect(withoutCoins(after?.post)).toEqual(withoutCoins(expected?.post));
});

test("a block's traces are those of its transactions, and bad requests are refused", async () => {
  const [hash] = await send("run", [1]);
  const provider = chains[0]?.provider;
  const receipt = (await provider?.send("eth_getTransactionReceipt", [hash])) as {
    readonly blockNumber: string;
    readonly blockHash: string;
  };
  const config = { tracer: "callTracer" };
  const alone: unknown = await provider?.send("debug_traceTransaction", [hash, config]);
  const expected = [{ txHash: hash, result: alone }];
  const { blockNumber, blockHash } = receipt;
  expect(await provider?.send("debug_traceBlockByNumber", [blockNumber, config])).toEqual(expected);
  expect(await provider?.send("debug_traceBlockByHash", [blockHash, config])).toEqual(expected);
  const unknown = provider?.send("debug_traceTransaction", [`0x${"00".repeat(32)}`, {}]);
  await expect(unknown).rejects.toThrow("transaction not found");
  const script = provider?.send("debug_traceTransaction", [hash, { tracer: "{step: 1}" }]);
  await expect(script).rejects.toThrow("is not one of callTracer");
});

test("a call that is no transaction is traced too, with its overrides", async () => {
  const results = await Promise.all(
    chains.map(async ({ provider, outer }) => {
      const from = `0x${"77".repeat(20)}`;
      const data = outer.interface.encodeFunctionData("run", [3]);
      const call = { from, to: await outer.getAddress(), data, gas: "0xf4240" };
      const stateOverrides = { [from]: { balance: "0xde0b6b3a7640000" } };
      const config = { tracer: "callTracer", tracerConfig: { withLog: true }, stateOverrides };
      const trace = (await provider.send("debug_traceCall", [call, "latest", config])) as object;
      return { ...trace, gas: "" };
    }),
  );
  expect(results[0]).toEqual(results[1]);
});

test("a trace that would be too large is refused by the limit's name", async () => {
  const [node] = chains;
  const loop = "0x5b5f545f5260015f55600056"; // Reads, stores and writes for ever.
  const call = { to: `0x${"88".repeat(20)}`, gas: "0x1c9c380" };
  const stateOverrides = { [call.to]: { code: loop } };
  const asked = node?.provider.send("debug_traceCall", [call, "latest", { stateOverrides }]);
  await expect(asked).rejects.toThrow(/limit (traceSizeMax|stateJobMsMax)/);
});

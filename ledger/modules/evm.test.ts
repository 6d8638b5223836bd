import { expect, test } from "vitest";
import { assert } from "../../base/assert.ts";
import type { Address, Digest } from "../../base/brand.ts";
import {
  bigIntToFixedBytes,
  bytesToBigInt,
  bytesToHex,
  concatBytes,
  emptyBytes,
  hexToBytes,
  textToAddressOrNull,
  zeroAddress,
} from "../../base/bytes.ts";
import { moduleAddress } from "../../base/moduleAddress.ts";
import { contractAddress } from "../../crypto/address.ts";
import { emptyKeccak, keccak256, keccakDigest } from "../../crypto/keccak.ts";
import { addressOf as addressOfKey, signDigest } from "../../crypto/secp256k1.ts";
import { addressOf, inputOf, LedgerNetwork, transferOf } from "../../test/fakes/ledgerNetwork.ts";
import { compileSolidity } from "../../test/fakes/solidity.ts";
import { delegationTo } from "../../vm/delegation.ts";
import { createModuleKey } from "../definitions.ts";
import { authorizationDigest } from "../ethereumCodec.ts";
import { blockHash } from "../header.ts";
import { Journal } from "../journal.ts";
import type { Parameters, ParameterValue } from "../parameters.ts";
import type { Receipt } from "../receiptTypes.ts";
import { coreRegistry } from "../runtime.ts";
import type { Coins, EthereumTransaction, ThetaTransaction } from "../thetaTypes.ts";
import { Workspace } from "../workspace.ts";
import { transactionGasOf } from "./evm.ts";
import { historyAddress } from "./evmHistory.ts";
import { precompileAddress } from "./evmPrecompiles.ts";
import { callContract } from "./evmRun.ts";
import { stakeKey } from "./stakeRecords.ts";

const rich: Coins = { thetaWei: 1_000n, tfuelWei: 10n ** 18n };

function networkOf(
  parameters: readonly (readonly [string, ParameterValue])[] = [],
  names: readonly string[] = [],
): LedgerNetwork {
  const balances = ["alice", "bob", ...names].map((name) => [name, rich] as const);
  return new LedgerNetwork({ balances, parameters: new Map(parameters) });
}

type Parts = Partial<EthereumTransaction> & Pick<EthereumTransaction, "to">;

/** The receipt, or the code of the refusal. */
async function attempt(
  network: LedgerNetwork,
  sender: string,
  parts: Parts,
): Promise<Receipt | string> {
  const nonce = network.nonceOf(sender);
  const body = transferOf({ nonce, value: 0n, gasLimit: 2_000_000n, ...parts });
  const outcome = await network.execute([network.ethereum(sender, body)]);
  if (!outcome.ok) return outcome.refusal.refusal.code;
  const receipt = outcome.value.receipts[0];
  assert(receipt !== undefined, "one transaction, one receipt");
  return receipt;
}

async function run(network: LedgerNetwork, sender: string, parts: Parts): Promise<Receipt> {
  const receipt = await attempt(network, sender, parts);
  assert(typeof receipt !== "string", typeof receipt === "string" ? receipt : "");
  return receipt;
}

/** Init code that leaves `code` (at most 255 bytes, hex) as the contract's. */
function deploying(code: string): Uint8Array {
  const size = (code.length / 2).toString(16).padStart(2, "0");
  return hexToBytes(`60${size}600c60003960${size}6000f3${code}`);
}

async function deploy(
  network: LedgerNetwork,
  code: string,
  value = 0n,
  gasLimit = 2_000_000n,
): Promise<Address> {
  const data = deploying(code);
  const receipt = await run(network, "alice", { to: null, data, value, gasLimit });
  assert(receipt.contractAddress !== null, `not deployed: ${receipt.failure}`);
  return receipt.contractAddress;
}

function word(value: bigint | Address): Uint8Array {
  return bigIntToFixedBytes(BigInt(value), 32);
}

function thetaOf(network: LedgerNetwork, address: Address): unknown {
  return network.query("bank", "balance", { address });
}

const returnTop = "60005260206000f3"; // MSTORE at 0, RETURN the word.

test("a transfer's gas: 21,000, calldata, access list, and the floor of newer forks", () => {
  const to = addressOf("bob");
  const rules = (fork: string): Parameters =>
    coreRegistry.parametersWith(new Map([["evm.fork", fork]]));
  const gas = (parts: Partial<EthereumTransaction>, fork: string): bigint =>
    transactionGasOf(transferOf({ nonce: 0n, to, value: 1n, ...parts }), rules(fork));
  const data = Uint8Array.of(0, 1, 1, 0);
  expect(gas({}, "osaka")).toBe(21_000n);
  expect(gas({ data }, "cancun")).toBe(21_000n + 2n * 4n + 2n * 16n);
  expect(gas({ data }, "osaka")).toBe(21_000n + 10n * (2n + 2n * 4n));
  expect(gas({ to: null, data }, "paris")).toBe(53_000n + 2n * 4n + 2n * 16n);
  expect(gas({ to: null, data }, "shanghai")).toBe(53_002n + 2n * 4n + 2n * 16n);
  const accessList = [{ address: to, storageKeys: [new Uint8Array(32), new Uint8Array(32)] }];
  expect(gas({ data, accessList }, "osaka")).toBe(21_000n + 40n + 2_400n + 2n * 1_900n);
});

test("a fork that is unknown or that the library has not finished is no parameter", () => {
  for (const fork of ["amsterdam", "bpo1", "Osaka", ""]) {
    expect(() => coreRegistry.parametersWith(new Map([["evm.fork", fork]]))).toThrow("evm.fork");
  }
});

/** The contract of the Theta README's walk-through, by its words. */
const squareCalculator = `
  contract SquareCalculator {
    uint public value;
    function SetValue(uint val) public { value = val; }
    function CalculateSquare() public view returns (uint) { return value * value; }
  }`;

test("Theta's walk-through: SquareCalculator is deployed, set to 3, and answers 9", async () => {
  const k0 = textToAddressOrNull("2E833968E5bB786Ae419c4d13189fB081Cc43bab");
  assert(k0 !== null, "an address");
  const network = networkOf();
  const journal = new Journal(network.state);
  const purse = journal.account(addressOf("bob"));
  assert(purse !== null, "bob has coins");
  // The walk-through's second transaction: one went before.
  journal.setAccount(addressOf("bob"), { ...purse, balance: 1n });
  journal.setAccount(k0, { ...purse, balance: purse.balance - 1n, nonce: 1n });
  network.state = network.state.apply(journal.changes());
  const call = async (to: Address, gasLimit: bigint, data: Uint8Array): Promise<Receipt> => {
    const sequence = (network.state.account(k0)?.nonce ?? 0n) + 1n;
    const coins = { thetaWei: 0n, tfuelWei: 0n };
    const body: Extract<ThetaTransaction, { type: "smartContract" }> = {
      type: "smartContract",
      from: { address: k0, coins, sequence, signature: emptyBytes },
      to: { address: to, coins },
      gasLimit,
      gasPrice: 1_000_000_000n,
      data,
    };
    const outcome = await network.execute([network.smartContract(body)]);
    assert(outcome.ok, outcome.ok ? "" : JSON.stringify(outcome.refusal.refusal.code));
    const receipt = outcome.value.receipts[0];
    assert(receipt !== undefined, "one receipt");
    return receipt;
  };
  const code = compileSolidity(squareCalculator, "SquareCalculator");
  const deployed = await call(zeroAddress, 200_000n, code);
  const address = textToAddressOrNull("5c3159ddd2fe0f9862bc7b7d60c1875fa8f81337");
  assert(address !== null, "an address");
  expect(deployed).toMatchObject({ status: 1, contractAddress: address });
  expect(deployed.fee).toBe(deployed.gasUsed * 1_000_000_000n);
  const set = await call(address, 50_000n, concatBytes(hexToBytes("ed8b0706"), word(3n)));
  expect(set).toMatchObject({ status: 1, contractAddress: null, failure: "" });
  const read = await call(address, 50_000n, hexToBytes("b5a0241a"));
  expect(bytesToBigInt(read.returnData)).toBe(9n);
  expect(network.state.account(k0)?.nonce).toBe(4n);
});

test("a call that fails costs its gas, gives its reason, and changes nothing else", async () => {
  const network = networkOf();
  const reverts = await deploy(network, "60016000556002600052602060 00fd".replaceAll(" ", ""));
  const before = network.state.account(addressOf("alice"))?.balance ?? 0n;
  const failed = await run(network, "alice", { to: reverts, value: 5n });
  expect(failed).toMatchObject({ status: 0, failure: "executionReverted", logs: [] });
  expect(bytesToBigInt(failed.returnData)).toBe(2n);
  const after = network.state.account(addressOf("alice"))?.balance ?? 0n;
  expect(before - after).toBe(failed.gasUsed);
  expect(network.state.account(reverts)?.balance).toBe(0n);
  const invalid = await deploy(network, "fe");
  const burned = await run(network, "alice", { to: invalid, gasLimit: 100_000n });
  expect(burned).toMatchObject({ status: 0, failure: "executionFailed", gasUsed: 100_000n });
  const creation = { to: null, data: hexToBytes("60006000fd") };
  const refused = await run(network, "alice", creation);
  expect(refused).toMatchObject({ status: 0, contractAddress: null });
  expect(network.nonceOf("alice")).toBe(5n);
});

test("logs, self-destruction and creation leave what Ethereum says they leave", async () => {
  const network = networkOf();
  // LOG1 with one byte, then SELFDESTRUCT to the caller.
  const logger = await deploy(network, "60aa60005360076001600060 01a133ff".replaceAll(" ", ""), 9n);
  const logged = await run(network, "alice", { to: logger });
  expect(logged.status).toBe(1);
  // Since EIP-6780 an older contract only gives its coins away.
  const gone = network.state.account(logger);
  expect([gone?.balance, gone?.nonce]).toEqual([0n, 1n]);
  // A contract that destroys itself for itself while it is created burns what it got.
  const burnt = await run(network, "alice", { to: null, data: hexToBytes("30ff"), value: 7n });
  expect(burnt.status).toBe(1);
  assert(burnt.contractAddress !== null, "created");
  expect(network.state.account(burnt.contractAddress)).toBeNull();
});

test("what a contract knows of its block, and of blocks before", async () => {
  const network = networkOf();
  const ask = async (code: string, data = emptyBytes): Promise<bigint> => {
    const to = await deploy(network, code + returnTop);
    return bytesToBigInt((await run(network, "alice", { to, data })).returnData);
  };
  expect(await ask("46")).toBe(7_660_001n);
  expect(await ask("41")).toBe(BigInt(addressOf("proposer")));
  expect(await ask("42")).toBe(BigInt(Math.floor(network.head.timestampMs / 1_000)));
  expect(await ask("43")).toBe(BigInt(network.head.height));
  expect(await ask("45")).toBe(network.head.gasLimit);
  expect(await ask("48")).toBe(network.head.baseFee);
  expect(await ask("4a")).toBe(1n); // BLOBBASEFEE: the lowest price, and nothing to buy.
  expect(await ask("600049")).toBe(0n); // BLOBHASH
  const randomness = network.head.randomness;
  expect(await ask("44")).toBe(BigInt(randomness));
  const parent = network.head;
  const height = parent.height.toString(16).padStart(2, "0");
  expect(await ask(`60${height}40`)).toBe(BigInt(blockHash(parent)));
  expect(await ask("4340")).toBe(0n); // A block does not know its own hash.
});

test("the contract of EIP-2935 answers with hashes of ancestors", async () => {
  const network = networkOf();
  const parent = network.head;
  await network.execute([]);
  await network.execute([]);
  const answer = await run(network, "alice", { to: historyAddress, data: word(0n) });
  expect(bytesToHex(answer.returnData)).toBe(blockHash(parent));
  const future = await run(network, "alice", { to: historyAddress, data: word(99n) });
  expect(future.status).toBe(0);
});

/** Calls the address in the calldata's first word with the rest of it; answers as it is answered. */
function forwarder(opcode: "f1" | "f2" | "f4" | "fa"): string {
  const value = opcode === "f1" || opcode === "f2" ? "5f" : "";
  const end = value === "" ? "1d" : "1e";
  const call = `602036036020 5f37 5f5f 602036035f ${value} 5f355a ${opcode}`;
  return `${call} 3d5f5f3e 60${end}57 3d5ffd 5b3d5ff3`.replaceAll(" ", "");
}

test("Theta's precompiles answer balances and stakes", async () => {
  const network = networkOf();
  const ask = async (number: number, input: Uint8Array): Promise<bigint> => {
    const receipt = await run(network, "bob", { to: precompileAddress(number), data: input });
    return bytesToBigInt(receipt.returnData);
  };
  expect(await ask(201, word(addressOf("alice")))).toBe(1_000n);
  expect(await ask(201, emptyBytes)).toBe(0n);
  expect(await ask(202, word(addressOf("genesis")))).toBe(1_000n);
  expect(await ask(202, hexToBytes(addressOf("alice")))).toBe(0n);
  const caller = await deploy(network, forwarder("fa"));
  const data = concatBytes(word(201n), word(addressOf("alice")));
  const receipt = await run(network, "bob", { to: caller, data });
  expect(bytesToBigInt(receipt.returnData)).toBe(1_000n);
});

test("precompile 203 sends the caller's Theta, and only from a plain call", async () => {
  const network = networkOf();
  const order = concatBytes(hexToBytes(addressOf("carol")), word(7n));
  const direct = await run(network, "alice", { to: precompileAddress(203), data: order });
  expect(direct).toMatchObject({ status: 1, failure: "" });
  expect(direct.logs).toHaveLength(1);
  expect(thetaOf(network, addressOf("carol"))).toMatchObject({ thetawei: "7" });
  const failures: string[] = [];
  for (const opcode of ["f2", "f4", "fa"] as const) {
    const to = await deploy(network, forwarder(opcode));
    const receipt = await run(network, "alice", { to, data: concatBytes(word(203n), order) });
    failures.push(reasonOf(receipt).split(": ").at(-1) ?? "");
  }
  expect(failures).toEqual([
    "got a delegate frame, expected a plain call",
    "got a delegate frame, expected a plain call",
    "got a static frame, expected a plain call",
  ]);
  const poor = await deploy(network, forwarder("f1"));
  const data = concatBytes(word(203n), order);
  expect((await run(network, "alice", { to: poor, data })).failure).toBe("executionReverted");
  const paid = await run(network, "alice", { to: precompileAddress(203), data: order, value: 1n });
  expect(reasonOf(paid)).toContain("expected no value");
  expect((await run(network, "alice", { to: precompileAddress(203) })).status).toBe(0);
  expect(thetaOf(network, addressOf("carol"))).toMatchObject({ thetawei: "7" });
});

test("precompiles for guardians and edge nodes say that there are none yet", async () => {
  const network = networkOf();
  for (const number of [204, 205, 206, 207]) {
    const receipt = await run(network, "alice", { to: precompileAddress(number) });
    expect(reasonOf(receipt)).toContain("a module for guardians");
  }
});

/** The text of `Error(string)`. */
function reasonOf(receipt: Receipt): string {
  expect(bytesToHex(receipt.returnData.subarray(0, 4))).toBe("0x08c379a0");
  const size = Number(bytesToBigInt(receipt.returnData.subarray(36, 68)));
  return new TextDecoder().decode(receipt.returnData.subarray(68, 68 + size));
}

test("Theta's type 7 carries Theta to a contract, or gives it back", async () => {
  const network = networkOf();
  const send = async (to: Address, data: Uint8Array, coins: Coins): Promise<Receipt | string> => {
    const sequence = network.nonceOf("alice") + 1n;
    const body: Extract<ThetaTransaction, { type: "smartContract" }> = {
      type: "smartContract",
      from: inputOf("alice", coins, sequence),
      to: { address: to, coins: { thetaWei: 0n, tfuelWei: 0n } },
      gasLimit: 100_000n,
      gasPrice: 1n,
      data,
    };
    const outcome = await network.execute([network.smartContract(body)]);
    if (!outcome.ok) return outcome.refusal.refusal.code;
    return outcome.value.receipts[0] ?? "none";
  };
  const coins = { thetaWei: 5n, tfuelWei: 3n };
  const created = contractAddress(addressOf("alice"), 0n);
  const first = await send(zeroAddress, deploying("00"), coins);
  expect(first).toMatchObject({ status: 1, contractAddress: created });
  expect(thetaOf(network, created)).toEqual({ thetawei: "5", tfuelwei: "3" });
  const failed = await send(zeroAddress, hexToBytes("60006000fd"), coins);
  expect(failed).toMatchObject({ status: 0, failure: "executionReverted" });
  expect(thetaOf(network, addressOf("alice"))).toMatchObject({ thetawei: "995" });
  expect(await send(created, emptyBytes, coins)).toMatchObject({ status: 1 });
  expect(thetaOf(network, created)).toEqual({ thetawei: "10", tfuelwei: "6" });
  expect(await send(created, emptyBytes, { thetaWei: 991n, tfuelWei: 0n })).toBe("balanceTooLow");
  const tooMuch = { thetaWei: 0n, tfuelWei: rich.tfuelWei };
  expect(await send(created, emptyBytes, tooMuch)).toBe("balanceTooLow");
  expect(await send(zeroAddress, new Uint8Array(49_153), coins)).toBe("gasLimitTooLow");
});

test("what a fork does not know is refused before it costs anything", async () => {
  const to = addressOf("bob");
  const old = networkOf([["evm.fork", "istanbul"]]);
  expect(await attempt(old, "alice", { to, type: "accessList" })).toBe("operationUnavailable");
  expect(await attempt(old, "alice", { to })).toBe("operationUnavailable");
  expect(await attempt(old, "alice", { to, type: "legacy" })).toMatchObject({ status: 1 });
  const cancun = networkOf([["evm.fork", "cancun"]]);
  expect(await attempt(cancun, "alice", { to, type: "setCode" })).toBe("operationUnavailable");
  const data = new Uint8Array(49_153);
  expect(await attempt(cancun, "alice", { to: null, data })).toBe("initCodeTooLarge");
  expect(cancun.nonceOf("alice")).toBe(0n);
});

function authorize(
  secret: Uint8Array,
  parts: { readonly address: Address; readonly nonce: bigint; readonly chainId?: bigint },
): EthereumTransaction["authorizations"][number] {
  const authorization = { chainId: 0n, ...parts };
  const signature = signDigest(authorizationDigest(authorization), secret);
  return {
    ...authorization,
    r: bytesToBigInt(signature.subarray(0, 32)),
    s: bytesToBigInt(signature.subarray(32, 64)),
    yParity: signature[64] ?? 0,
  };
}

test("an account delegates its code [EIP-7702], stays a person, and takes it back", async () => {
  const network = networkOf();
  const secret = keccak256(Uint8Array.of(1));
  const person = addressOfKey(secret);
  const target = await deploy(network, `60076000550000`);
  const parts = { to: person, type: "setCode" as const };
  const wrong = authorize(secret, { address: target, nonce: 0n, chainId: 5n });
  const right = authorize(secret, { address: target, nonce: 0n });
  const again = authorize(secret, { address: target, nonce: 0n });
  const authorizations = [wrong, right, again];
  const first = await run(network, "alice", { ...parts, authorizations });
  expect(first.status).toBe(1);
  const account = network.state.account(person);
  assert(account !== null, "the authority is there");
  expect(account.nonce).toBe(1n);
  expect(network.state.code(account.codeHash)).toEqual(delegationTo(target));
  // The code ran on the person's own storage.
  const slot = `0x${"00".repeat(32)}` as Digest;
  expect(network.state.storage(person, slot)).toEqual(Uint8Array.of(7));
  // A delegation stays although what follows it fails.
  const invalid = await deploy(network, "fe");
  const next = [authorize(secret, { address: invalid, nonce: 1n })];
  const failed = await run(network, "alice", { ...parts, authorizations: next });
  expect(failed).toMatchObject({ status: 0, failure: "executionFailed" });
  const changed = network.state.account(person);
  assert(changed !== null, "still there");
  expect(network.state.code(changed.codeHash)).toEqual(delegationTo(invalid));
  const last = [authorize(secret, { address: zeroAddress, nonce: 2n })];
  await run(network, "alice", { ...parts, authorizations: last });
  expect(network.state.account(person)).toMatchObject({ nonce: 3n, codeHash: emptyKeccak });
});

test("a person who delegates still sends, by Ethereum and by Theta", async () => {
  const network = networkOf();
  const journal = new Journal(network.state);
  const alice = journal.account(addressOf("alice"));
  assert(alice !== null, "alice has coins");
  const code = delegationTo(addressOf("bob"));
  const codeHash = keccakDigest(code);
  journal.setCode(codeHash, code);
  journal.setAccount(addressOf("alice"), { ...alice, codeHash });
  network.state = network.state.apply(journal.changes());
  const to = addressOf("carol");
  expect(await attempt(network, "alice", { to, value: 1n })).toMatchObject({ status: 1 });
  const fee = { thetaWei: 0n, tfuelWei: 2n };
  const coins = { thetaWei: 1n, tfuelWei: 0n };
  const body: ThetaTransaction = {
    type: "send",
    fee,
    inputs: [inputOf("alice", { ...coins, tfuelWei: 2n }, 2n)],
    outputs: [{ address: to, coins }],
  };
  const signers = [{ address: addressOf("alice"), sequence: 2n }];
  const outcome = await network.execute([network.theta(body, signers)]);
  expect(outcome.ok && outcome.value.receipts[0]?.status).toBe(1);
});

test("a module calls a contract in its own name, with a bound on gas", async () => {
  const network = networkOf([["evm.systemCallGasMax", 100_000n]]);
  const caller = await deploy(network, `33${returnTop}`);
  const endless = await deploy(network, "5b600056");
  const logger = await deploy(network, "60006000a000");
  const journal = new Journal(network.state);
  const parameters = network.executor.parameters(network.state);
  const facts = { chain: network.executor.chain, block: network.next(), parameters };
  const context = new Workspace(journal, network.registry, facts);
  const call = { input: emptyBytes, gasLimit: 1_000_000n };
  const answer = await callContract(context, stakeKey, { ...call, to: caller });
  expect(answer).toMatchObject({ ok: true, gasUsed: 17n });
  expect(bytesToHex(answer.output.subarray(12))).toBe(moduleAddress("stake"));
  const bounded = await callContract(context, stakeKey, { ...call, to: endless });
  expect(bounded).toMatchObject({ ok: false, gasUsed: 100_000n });
  const checkpoint = journal.checkpoint();
  await callContract(context, stakeKey, { ...call, to: logger });
  expect(journal.logsSince(checkpoint)).toHaveLength(1);
  const foreign = createModuleKey("stake");
  await expect(callContract(context, foreign, { ...call, to: caller })).rejects.toThrow("foreign");
});

test("several runs at once do not disturb each other", async () => {
  const network = networkOf();
  const to = await deploy(network, "5f545f5260015f540160005560205ff3");
  const block = network.next();
  const transactions = [0n, 1n].map((offset) => {
    const nonce = network.nonceOf("alice") + offset;
    const body = transferOf({ nonce, to, value: 0n, gasLimit: 100_000n });
    return network.ethereum("alice", body);
  });
  const results = await Promise.all(
    [1, 2, 3].map(() =>
      network.executor.executeBlock({ reader: network.state, block, transactions, evidence: [] }),
    ),
  );
  const values = results.map((result) =>
    result.ok ? result.value.receipts.map(({ returnData }) => bytesToBigInt(returnData)) : [],
  );
  expect(values).toEqual([
    [0n, 1n],
    [0n, 1n],
    [0n, 1n],
  ]);
});

test("code has a budget of gas in each block; transfers do not count", async () => {
  const network = networkOf([["evm.blockGasMax", 1_000_000n]], ["carol"]);
  const to = await deploy(network, "5b600056", 0n, 500_000n);
  const call = (nonce: bigint, gasLimit: bigint): ReturnType<LedgerNetwork["ethereum"]> =>
    network.ethereum("alice", transferOf({ nonce, to, value: 0n, gasLimit }));
  const transfer = network.ethereum(
    "bob",
    transferOf({ nonce: 0n, to: addressOf("alice"), value: 1n, gasLimit: 900_000n }),
  );
  // It fails by using all of its gas, which counts as well.
  const first = call(1n, 700_000n);
  const full = await network.execute([first, transfer, call(2n, 300_001n)]);
  expect(full).toMatchObject({ ok: false, refusal: { index: 2 } });
  expect(full.ok ? "" : full.refusal.refusal.code).toBe("blockGasFull");
  const fits = await network.execute([first, transfer, call(2n, 300_000n)]);
  expect(fits.ok && fits.value.receipts.map(({ status }) => status)).toEqual([0, 1, 0]);
  const next = await network.execute([call(3n, 1_000_000n)]);
  expect(next.ok).toBe(true);
  const never = await network.execute([call(4n, 1_000_001n)]);
  expect(never.ok ? "" : never.refusal.refusal.code).toBe("gasLimitTooHigh");
});

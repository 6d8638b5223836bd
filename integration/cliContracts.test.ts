import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compileContract } from "../test/fakes/solidity.ts";
import {
  checkoutFolder,
  cleanUp,
  fixturePassword,
  run,
  startPrivatenet,
  type Ran,
  type RunningNode,
} from "./harness.ts";

/*
 * Goal: contracts from the command line. The contract walk-through of the Theta README works with
 * its commands and its address; `contract deploy|call|send` compile, encode and decode. Method: a
 * shell runs the commands in a copy of the checkout, on the private-net fixture.
 */

const from = "2E833968E5bB786Ae419c4d13189fB081Cc43bab";
const to = "9F1233798E905E173560071255140b4A8aBd3Ec6";
const square = "5c3159ddd2fe0f9862bc7b7d60c1875fa8f81337";

const squareSource = `// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;
contract SquareCalculator {
  uint256 public value;
  function SetValue(uint256 v) external { value = v; }
  function CalculateSquare() external view returns (uint256) { return value * value; }
}`;

const vaultSource = `// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;
struct Order { address who; uint256[] amounts; bool urgent; }
contract Vault {
  string public name;
  mapping(address => uint256) public paid;
  event Paid(address indexed who, uint256 amount, string note);
  error TooLittle(uint256 given, uint256 wanted);
  constructor(string memory name_, uint256 first) payable {
    name = name_;
    paid[msg.sender] = first;
  }
  function pay(string calldata note) external payable {
    if (msg.value < 100) revert TooLittle(msg.value, 100);
    paid[msg.sender] += msg.value;
    emit Paid(msg.sender, msg.value, note);
  }
  function sum(Order calldata order) external pure returns (uint256 total, address who) {
    require(order.urgent, "not urgent");
    for (uint256 i; i < order.amounts.length; i++) total += order.amounts[i];
    who = order.who;
  }
}`;

let folder = "";
let node: RunningNode | null = null;

beforeAll(async () => {
  folder = checkoutFolder();
  cpSync(join(folder, "integration/privatenet/ledgercli"), join(folder, ".ledgercli"), {
    recursive: true,
  });
  writeFileSync(join(folder, "Vault.sol"), vaultSource);
  // A command that compiles takes seconds: two of them do, the others are given the artifact.
  const compiled = compileContract(vaultSource, "Vault");
  writeFileSync(join(folder, "Vault.json"), JSON.stringify(compiled));
  node = await startPrivatenet(folder);
});
afterAll(cleanUp);

function shell(command: string): Promise<Ran> {
  const environment = {
    HOME: folder,
    LEDGER_PASSWORD: fixturePassword,
    LEDGERCLI_RPC: node?.url ?? "",
  };
  return run("/bin/sh", ["-c", command], { folder, environment });
}

async function json(command: string): Promise<Readonly<Record<string, unknown>>> {
  const ran = await shell(command);
  expect(ran.exit, `${command}\n${ran.out}\n${ran.err}`).toBe(0);
  return JSON.parse(ran.out.slice(ran.out.indexOf("{"))) as Readonly<Record<string, unknown>>;
}

test("the contract walk-through of the Theta README", async () => {
  const chain = '--chain="privatenet"';
  const price = "--gas_price=1000000000wei";
  await json(
    `bin/ledgercli tx send ${chain} --from=${from} --to=${to} --theta=10 --tfuel=20 --seq=1`,
  );
  const data = compileContract(squareSource, "SquareCalculator").bytecode;
  const flags = `--from=${from} ${price} --gas_limit=300000 --data=${data}`;
  const deploy = `smart_contract ${chain} ${flags}`;
  const dry = await json(`bin/ledgercli call ${deploy} --seq=2`);
  expect(String(dry["contract_address"]).toLowerCase()).toBe(`0x${square}`);
  expect(dry["vm_error"]).toBe("");
  expect(Number(dry["gas_used"])).toBeGreaterThan(90_000);
  await json(`bin/ledgercli tx ${deploy} --seq=2`);
  const account = await json(`bin/ledgercli query account --address=0x${square}`);
  expect(account["code"]).toMatch(/^0x[0-9a-f]{64}$/);

  const set = `ed8b0706${"0".repeat(63)}3`;
  const at = `--to=${square} ${price} --gas_limit=50000`;
  await json(`bin/ledgercli tx smart_contract ${chain} --from=${from} ${at} --data=${set} --seq=3`);
  const read = await json(
    `bin/ledgercli call smart_contract ${chain} --from=${from} ${at} --data=b5a0241a --seq=4`,
  );
  expect(read["vm_return"]).toBe(`${"0".repeat(63)}9`);
});

test("contract deploy, call and send speak the contract's own language", async () => {
  const made = await json(
    `bin/ledgercli contract deploy Vault.sol --from=${from} --args "my vault" 7`,
  );
  const address = String(made["contract_address"]);
  const call = (rest: string): Promise<Ran> =>
    shell(`bin/ledgercli contract call ${address} ${rest}`);
  expect(JSON.parse((await call("'name()(string)'")).out)).toBe("my vault");
  expect(JSON.parse((await call(`paid --abi=Vault.sol 0x${from}`)).out)).toBe("7");
  const order = `'[0x${to}, [1, 2, 39], true]'`;
  const signature = "'sum((address,uint256[],bool))(uint256,address)'";
  expect(JSON.parse((await call(`${signature} ${order}`)).out)).toEqual(["42", `0x${to}`]);

  const paid = await json(
    `bin/ledgercli contract send ${address} pay "for you" --value=250wei --abi=Vault.json --from=${from}`,
  );
  expect(paid["events"]).toEqual([
    {
      event: "Paid",
      address: address.toLowerCase(),
      args: expect.objectContaining({ amount: "250" }),
    },
  ]);
  expect(JSON.parse((await call(`'paid(address)(uint256)' 0x${from}`)).out)).toBe("257");
});

test("a contract's refusal comes in its own words, sent or not", async () => {
  const made = await json(`bin/ledgercli contract deploy Vault.json --from=${from} --args v 0`);
  const address = String(made["contract_address"]);
  const flags = `--value=5wei --abi=Vault.json --from=${from}`;
  const pay = `bin/ledgercli contract send ${address} pay x ${flags}`;
  const asked = await shell(pay);
  expect([asked.exit, asked.err]).toEqual([
    1,
    'error[E_REVERTED]: the contract reverted: TooLittle("5", "100")\n',
  ]);
  const sent = await shell(`${pay} --gas-limit=100000`);
  expect(sent.exit).toBe(1);
  expect(sent.err).toContain('TooLittle("5", "100")');
  expect(JSON.parse(sent.out)).toMatchObject({ events: [] });
  const order = `'[0x${to}, [], false]'`;
  const call = await shell(
    `bin/ledgercli contract call ${address} 'sum((address,uint256[],bool))(uint256)' ${order}`,
  );
  expect(call.err).toContain("the contract reverted: not urgent");
});

test.each([
  ["contract deploy Missing.sol --from=2E833968E5bB786Ae419c4d13189fB081Cc43bab", "no file"],
  ["contract deploy Vault.json --from=2E833968E5bB786Ae419c4d13189fB081Cc43bab", "2 arguments"],
  [`contract call ${square} 'value(' `, "not a function's signature"],
  [`contract call ${square} 'SetValue(uint256)' x`, "not of type uint256"],
])("a mistake in %s is a usage error", async (command, words) => {
  const ran = await shell(`bin/ledgercli ${command}`);
  expect([ran.exit, ran.out]).toEqual([2, ""]);
  expect(ran.err).toContain(words);
});

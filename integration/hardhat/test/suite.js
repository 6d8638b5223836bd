import { test } from "node:test";
import assert from "node:assert/strict";
import { network } from "hardhat";

const { ethers, networkHelpers } = await network.create();
const [owner, other] = await ethers.getSigners();

async function rejected(work, words) {
  await assert.rejects(work, (error) => words.test(`${error.message}`) === true);
}

test("ERC-20", async () => {
  const gold = await ethers.deployContract("Gold", [1000n]);
  await (await gold.transfer(other.address, 40n)).wait();
  assert.equal(await gold.balanceOf(other.address), 40n);
  await (await gold.connect(other).approve(owner.address, 15n)).wait();
  await (await gold.transferFrom(other.address, owner.address, 15n)).wait();
  assert.equal(await gold.balanceOf(owner.address), 975n);
  await rejected(gold.transfer(other.address, 5000n), /revert|ERC20InsufficientBalance/);
  const events = await gold.queryFilter(gold.filters.Transfer(owner.address));
  assert.equal(events.length, 1);
});
test("ERC-721 and ERC-1155", async () => {
  const deed = await ethers.deployContract("Deed");
  await (await deed.mint(owner.address, 7n)).wait();
  await (await deed.transferFrom(owner.address, other.address, 7n)).wait();
  assert.equal(await deed.ownerOf(7n), other.address);
  await rejected(deed.ownerOf(8n), /revert|ERC721NonexistentToken/);
  const goods = await ethers.deployContract("Goods");
  await (await goods.mint(owner.address, 1n, 10n)).wait();
  await (await goods.safeTransferFrom(owner.address, other.address, 1n, 4n, "0x")).wait();
  assert.deepEqual(
    [...(await goods.balanceOfBatch([owner.address, other.address], [1n, 1n]))],
    [6n, 4n],
  );
});
test("AccessManager", async () => {
  const manager = await ethers.deployContract("Manager", [owner.address]);
  const safe = await ethers.deployContract("Safe", [await manager.getAddress()]);
  const selector = safe.interface.getFunction("open").selector;
  await rejected(safe.connect(other).open(), /revert|AccessManagedUnauthorized/);
  await (await manager.setTargetFunctionRole(await safe.getAddress(), [selector], 9n)).wait();
  await (await manager.grantRole(9n, other.address, 0)).wait();
  await (await safe.connect(other).open()).wait();
  assert.equal(await safe.opened(), 1n);
});
test("UUPS proxy", async () => {
  const one = await ethers.deployContract("VersionOne");
  const two = await ethers.deployContract("VersionTwo");
  const proxy = await ethers.deployContract("Proxy", [
    await one.getAddress(),
    one.interface.encodeFunctionData("set", [1n]),
  ]);
  const through = await ethers.getContractAt("VersionTwo", await proxy.getAddress());
  await (await through.set(42n)).wait();
  assert.equal(await through.version(), 1n);
  await (await through.upgradeToAndCall(await two.getAddress(), "0x")).wait();
  assert.deepEqual([await through.version(), await through.value()], [2n, 42n]);
});
test("CREATE2 factory", async () => {
  const factory = await ethers.deployContract("Factory");
  const { bytecode } = await ethers.getContractFactory("Deed");
  const salt = ethers.id("salt");
  const expected = await factory.placeOf(salt, ethers.keccak256(bytecode));
  const receipt = await (await factory.make(salt, bytecode)).wait();
  assert.equal(factory.interface.parseLog(receipt.logs.at(-1)).args.where, expected);
  const deed = await ethers.getContractAt("Deed", expected);
  assert.equal(await deed.name(), "Deed");
});
test("network helpers", async () => {
  const stranger = "0x00000000000000000000000000000000DeaDBeef";
  const restore = await networkHelpers.takeSnapshot();
  await networkHelpers.setBalance(stranger, 5n * 10n ** 18n);
  await networkHelpers.impersonateAccount(stranger);
  const signer = await ethers.getSigner(stranger);
  await (await signer.sendTransaction({ to: other.address, value: 1n })).wait();
  const latest = await networkHelpers.time.latest();
  await networkHelpers.time.increaseTo(latest + 1000);
  assert.equal(await networkHelpers.time.latest(), latest + 1000);
  await networkHelpers.mine(3);
  await restore.restore();
  assert.equal(await ethers.provider.getBalance(stranger), 0n);
});
test("loadFixture", async () => {
  async function fixture() {
    const gold = await ethers.deployContract("Gold", [1000n]);
    return { gold };
  }
  for (let round = 0; round < 2; round += 1) {
    const { gold } = await networkHelpers.loadFixture(fixture);
    await (await gold.transfer(other.address, 1n)).wait();
    assert.equal(await gold.balanceOf(other.address), 1n);
  }
});

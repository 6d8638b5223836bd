import { expect, test } from "vitest";
import { HandClock, settle } from "../test/fakes/handClock.ts";
import { MemoryNet } from "../test/fakes/memoryTransport.ts";
import { createTestNode } from "../test/fakes/testNetwork.ts";
import type { TestNode } from "../test/fakes/testNetwork.ts";
import { Dialer } from "./dialer.ts";
import { addressesMax, dialsMax, dialTickMs, outboundPeersTarget, redialMsMax } from "./limits.ts";

const clock = new HandClock();
const net = new MemoryNet(clock);

async function started(name: string): Promise<TestNode> {
  const node = createTestNode(net.transport(name), clock);
  await node.network.start();
  return node;
}

test("discovered peers are dialled until there are enough, configured ones always", async () => {
  const others: TestNode[] = [];
  for (let i = 0; i < outboundPeersTarget + 10; i += 1) others.push(await started(`found-${i}`));
  const configured: TestNode[] = [];
  for (let i = 0; i < 5; i += 1) configured.push(await started(`configured-${i}`));
  const transport = net.transport("dialler");
  const node = createTestNode(transport, clock, { bootstrap: [] });
  await node.network.start();
  transport.discover(others.flatMap(({ network }) => network.addresses()));
  await clock.advance(10 * dialTickMs);
  expect(node.network.peers()).toHaveLength(outboundPeersTarget);
  node.network.connect(configured.flatMap(({ network }) => network.addresses()));
  await clock.advance(10 * dialTickMs);
  expect(node.network.peers()).toHaveLength(outboundPeersTarget + 5);
  for (const { network } of [...others, ...configured, node]) await network.stop();
});

test("N7: discovered addresses are bounded, and never push out configured or own ones", () => {
  const transport = net.transport("bounded");
  const view = { isConnected: () => false, isBanned: () => false, outboundCount: () => 0 };
  const dialer = new Dialer(transport, view, { clock, random: () => 0.5, observe: () => {} });
  dialer.add(["/memory/mine", "/memory/bounded"], "configured");
  expect(dialer.size).toBe(1);
  for (let i = 0; i < 3 * addressesMax; i += 1) dialer.add([`/memory/sybil-${i}`], "discovered");
  expect(dialer.size).toBe(addressesMax);
  dialer.add(["not an address"], "discovered");
  expect(dialer.size).toBe(addressesMax);
});

test("only so many dials at once, with pauses that grow up to a bound", async () => {
  const dialled: string[] = [];
  const transport = net.transport("patient");
  const view = { isConnected: () => false, isBanned: () => false, outboundCount: () => 0 };
  const dialer = new Dialer(transport, view, {
    clock,
    random: () => 0.5,
    observe: (event) => {
      if (event.type === "dialFailed") dialled.push(event.address);
    },
  });
  const nobody = Array.from({ length: 2 * dialsMax }, (_, i) => `/memory/nobody-${i}`);
  dialer.add(nobody, "configured");
  dialer.start();
  dialer.start();
  await settle();
  expect(dialled).toHaveLength(dialsMax);
  await clock.advance(dialTickMs);
  expect(new Set(dialled)).toEqual(new Set(nobody));
  await clock.advance(20 * redialMsMax);
  // With the dice in the middle, pauses are 2, 4, 8 and then 15 seconds, rounded up to a tick.
  const attempts = dialled.filter((address) => address === nobody[0]).length;
  expect(attempts).toBeGreaterThanOrEqual(20);
  expect(attempts).toBeLessThanOrEqual(24);
  dialer.stop();
  await clock.advance(10 * redialMsMax);
  expect(dialled.filter((address) => address === nobody[0])).toHaveLength(attempts);
});

test("a banned peer is not dialled", async () => {
  const other = await started("banned");
  const node = createTestNode(net.transport("just"), clock);
  node.network.ban(other.network.self);
  await node.network.start();
  node.network.connect(other.network.addresses());
  await clock.advance(5 * dialTickMs);
  expect(node.count("dialFailed") + node.count("peerConnected")).toBe(0);
  for (const { network } of [node, other]) await network.stop();
});

import { expect, test } from "vitest";

import { assert } from "../base/assert.ts";
import type { Address } from "../base/brand.ts";
import {
  bigIntToFixedBytes,
  bytesToBigInt,
  bytesToDigest,
  hexToBytes,
  zeroAddress,
} from "../base/bytes.ts";
import { contractAddress } from "../crypto/address.ts";
import { addressOf, LedgerNetwork } from "../test/fakes/ledgerNetwork.ts";
import { messageOf, sceneOf } from "../test/fakes/simulation.ts";
import { precompileAddress } from "./modules/evmPrecompiles.ts";
import {
  openSimulation,
  runSimulated,
  simulate,
  type SimulatedMessage,
  type SimulationRequest,
  type TaskScene,
} from "./simulate.ts";

const rich = { thetaWei: 1_000n, tfuelWei: 10n ** 18n };

function richScene(): TaskScene {
  return sceneOf(new LedgerNetwork({ balances: [["alice", rich]] }));
}

function requestOf(
  parts: Partial<SimulatedMessage>,
  rest: Partial<Omit<SimulationRequest, "message">> = {},
): SimulationRequest {
  const message = messageOf({ to: addressOf("contract"), ...parts });
  return { message, state: new Map(), block: {}, gasMax: 1_000_000n, ...rest };
}

/** State in which `contract` has this code. */
function withCode(code: string): Pick<SimulationRequest, "state"> {
  return { state: new Map([[addressOf("contract"), { code: hexToBytes(code) }]]) };
}

const returnTop = "60005260206000f3"; // MSTORE at 0, RETURN the word.

async function answerOf(request: SimulationRequest, scene = richScene()): Promise<bigint> {
  const outcome = await simulate(scene, request);
  assert(outcome.ok && outcome.value.ok, "the message succeeds");
  return bytesToBigInt(outcome.value.returnData);
}

test("a simulated message sees what is overridden, and changes nothing", async () => {
  const scene = richScene();
  const root = scene.reader.root;
  const { state } = withCode(`47${returnTop}`); // SELFBALANCE
  const balance = new Map([
    [addressOf("contract"), { ...state.get(addressOf("contract")), balance: 77n }],
  ]);
  expect(await answerOf(requestOf({}, { state: balance }), scene)).toBe(77n);
  expect(await answerOf(requestOf({ value: 5n }, withCode(`34${returnTop}`)), scene)).toBe(5n);
  const slot = bytesToDigest(bigIntToFixedBytes(7n, 32));
  const storage = { mode: "change", words: new Map([[slot, 9n]]) } as const;
  const stored = new Map([
    [addressOf("contract"), { code: hexToBytes(`600754${returnTop}`), storage }],
  ]);
  expect(await answerOf(requestOf({}, { state: stored }), scene)).toBe(9n);
  const block = { height: 1_234, timestampMs: 5_000, baseFee: 3n, proposer: addressOf("p") };
  for (const [opcode, value] of [
    ["43", 1_234n],
    ["42", 5n],
    ["48", 3n],
    ["41", BigInt(addressOf("p"))],
  ] as const) {
    const request = requestOf({}, { block, ...withCode(opcode + returnTop) });
    expect(await answerOf(request, scene)).toBe(value);
  }
  expect(scene.reader.root).toBe(root);
  expect(scene.reader.account(addressOf("contract"))).toBeNull();
});

test("a simulated message runs native precompiles", async () => {
  const data = bigIntToFixedBytes(BigInt(addressOf("alice")), 32);
  expect(await answerOf(requestOf({ to: precompileAddress(201), data }))).toBe(1_000n);
});

test("what cannot run is refused with both values; what fails is an answer", async () => {
  const scene = richScene();
  const low = await simulate(scene, requestOf({ gasLimit: 20_999n }));
  expect(low).toMatchObject({ refusal: { code: "gasLimitTooLow", expected: 21_000n } });
  const poor = await simulate(scene, requestOf({ caller: zeroAddress, value: 1n }));
  expect(poor).toMatchObject({ refusal: { code: "balanceTooLow", expected: 1n } });
  const reverts = await simulate(
    scene,
    requestOf({}, withCode("60016000526020 6000fd".replace(" ", ""))),
  );
  assert(reverts.ok, "it ran");
  expect(reverts.value).toMatchObject({ ok: false, failure: "revert" });
  expect(bytesToBigInt(reverts.value.returnData)).toBe(1n);
  const loops = await simulate(scene, requestOf({}, { ...withCode("5b600056"), gasMax: 100_000n }));
  assert(loops.ok, "it ran");
  expect(loops.value).toMatchObject({ ok: false, gasUsed: 100_000n });
});

test("messages of one simulation see those before them, and pay", async () => {
  const simulation = openSimulation(richScene(), {});
  const alice = addressOf("alice");
  const init = hexToBytes("6001600055602a60005260206000f3"); // Stores, leaves 31 zeros and 2a.
  const nonce = simulation.journal.account(alice)?.nonce ?? 0n;
  const created = await runSimulated(
    simulation,
    messageOf({ to: null, data: init, maxFeePerGas: 2n, maxPriorityFeePerGas: 2n }),
    1_000_000n,
  );
  assert(created.ok && created.value.ok, "created");
  const address: Address = contractAddress(alice, nonce);
  expect(created.value.contractAddress).toBe(address);
  expect(simulation.journal.account(alice)).toMatchObject({
    nonce: nonce + 1n,
    balance: rich.tfuelWei - 2n * created.value.gasUsed,
  });
  const slot = bytesToDigest(new Uint8Array(32));
  expect(simulation.journal.storage(address, slot)).toEqual(Uint8Array.of(1));
});

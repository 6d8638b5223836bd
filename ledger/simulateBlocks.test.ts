import { describe, expect, test } from "vitest";

import { assert } from "../base/assert.ts";
import { bytesToBigInt, emptyBytes, hexToBytes, zeroAddress, zeroDigest } from "../base/bytes.ts";
import { contractAddress } from "../crypto/address.ts";
import { addressOf, LedgerNetwork } from "../test/fakes/ledgerNetwork.ts";
import { messageOf, sceneOf } from "../test/fakes/simulation.ts";
import type { Header } from "./blockTypes.ts";
import { emptyBloom } from "./receipt.ts";
import type { TaskScene } from "./simulate.ts";
import {
  simulateBlocks,
  simulatedBlockMs,
  simulatedBlocksMax,
  type BlockAnswer,
  type BlockInput,
  type BlocksRefusal,
  type BlocksRequest,
  type SimulatedCall,
} from "./simulateBlocks.ts";
import { transferLogAddress } from "./tracing/transferTracer.ts";

/* Equality with go-ethereum is shown by `test/vectors/rpcExchanges.test.ts`; here is our own. */

const header: Header = {
  ...new LedgerNetwork({ balances: [] }).head,
  height: 7,
  view: 7,
  timestampMs: 1_700_000_000_500,
  proposer: addressOf("proposer"),
  gasLimit: 30_000_000n,
  baseFee: 1_000_000_000n,
};

const funded = { thetaWei: 0n, tfuelWei: 10n ** 18n };

function fundedScene(): TaskScene {
  return sceneOf(new LedgerNetwork({ balances: [["alice", funded]] }));
}

function callOf(
  parts: Partial<SimulatedCall["message"]>,
  nonce: bigint | null = null,
): SimulatedCall {
  return { message: messageOf({ to: addressOf("bob"), ...parts }), type: "feeMarket", nonce };
}

function inputOf(parts: Partial<BlockInput>): BlockInput {
  return { block: {}, state: new Map(), calls: [], ...parts };
}

async function run(
  blocks: readonly BlockInput[],
  parts: Partial<BlocksRequest> = {},
): Promise<readonly BlockAnswer[] | BlocksRefusal> {
  const base = { hash: zeroDigest, header };
  const rules = { rules: "loose", transfers: "hidden", gasMax: 50_000_000n } as const;
  const outcome = await simulateBlocks(fundedScene(), { base, blocks, ...rules, ...parts });
  return outcome.ok ? outcome.value : outcome.refusal;
}

async function answersOf(...given: Parameters<typeof run>): Promise<readonly BlockAnswer[]> {
  const answers = await run(...given);
  assert("length" in answers, "the blocks are simulated");
  return answers;
}

describe("simulated blocks", () => {
  test("follow one another; those left out are there, empty", async () => {
    const answers = await answersOf([inputOf({ block: { height: 10 } }), inputOf({})]);
    expect(answers.map((answer) => answer.header.height)).toEqual([8, 9, 10, 11]);
    for (const [i, answer] of answers.entries()) {
      expect(answer.header.parentHash).toBe(answers[i - 1]?.hash ?? zeroDigest);
      expect(answer.header.timestampMs).toBe(header.timestampMs + (i + 1) * simulatedBlockMs);
    }
  });

  test("have the roots that their content gives, and leave the state alone", async () => {
    const scene = fundedScene();
    const { root } = scene.reader;
    const base = { hash: zeroDigest, header };
    const block = inputOf({ calls: [callOf({ value: 5n })] });
    const request = { base, rules: "loose", transfers: "hidden", gasMax: 1_000_000n } as const;
    const outcome = await simulateBlocks(scene, { ...request, blocks: [inputOf({}), block] });
    assert(outcome.ok, "the blocks are simulated");
    const [first, second] = outcome.value.map((answer) => answer.header.stateRoot);
    expect(new Set([root, first, second]).size).toBe(3);
    expect(scene.reader.root).toBe(root);
    expect(scene.reader.account(addressOf("bob"))).toBeNull();
  });

  test("are at most so many, those left out included", async () => {
    const far = inputOf({ block: { height: header.height + simulatedBlocksMax + 1 } });
    expect(await run([far])).toMatchObject({ code: "blocksTooMany", max: simulatedBlocksMax });
    const last = inputOf({ block: { height: header.height + simulatedBlocksMax } });
    expect(await answersOf([last])).toHaveLength(simulatedBlocksMax);
    const order = [inputOf({ block: { height: 9 } }), inputOf({ block: { height: 9 } })];
    expect(await run(order)).toMatchObject({ code: "heightOrder", got: 9, previous: 9 });
    const past = inputOf({ block: { timestampMs: 1_700_000_000_000 } }); // The same second.
    expect(await run([past])).toMatchObject({ code: "timeOrder" });
  });

  test("that would make a huge answer are refused", async () => {
    // RETURN of 100,000 bytes, 200 times.
    const state = new Map([[addressOf("bob"), { code: hexToBytes("620186a06000f3") }]]);
    const calls = Array.from({ length: 200 }, () => callOf({}));
    expect(await run([inputOf({ state, calls })])).toMatchObject({ code: "answerTooLarge" });
  });

  test("share one amount of gas, and each has its own limit", async () => {
    const spend = new Map([[addressOf("bob"), { code: hexToBytes("5b600056") }]]); // A loop.
    const [first, second] = await answersOf(
      [
        inputOf({ state: spend, calls: [callOf({ gasLimit: 70_000n })] }),
        inputOf({ calls: [callOf({})] }),
      ],
      { gasMax: 100_000n },
    );
    expect(first?.header.gasUsed).toBe(70_000n);
    expect(second?.header.gasUsed).toBe(30_000n);
    const beyond = inputOf({
      block: { gasLimit: 50_000n },
      calls: [callOf({ gasLimit: 60_000n })],
    });
    expect(await run([beyond])).toMatchObject({ refusal: { code: "blockGasFull" } });
  });
});

describe("strict rules", () => {
  const strict = { rules: "strict" } as const;
  const fee = {
    maxFeePerGas: 2_000_000_000n,
    maxPriorityFeePerGas: 500_000_000n,
    gasLimit: 21_000n,
  };

  test.each([
    ["a nonce used", callOf(fee, 0n), "sequenceTooLow"],
    ["a nonce ahead", callOf(fee, 2n), "sequenceTooHigh"],
    ["no fee", callOf({ gasLimit: 21_000n }), "feeTooLow"],
    ["no funds", callOf({ ...fee, caller: addressOf("poor") }), "balanceTooLow"],
    ["a contract that sends", callOf({ ...fee, caller: addressOf("contract") }), "senderHasCode"],
  ])("refuse %s", async (_, call, code) => {
    const state = new Map([
      [addressOf("contract"), { code: hexToBytes("00"), balance: 10n ** 18n }],
    ]);
    const inputs = [inputOf({ state, calls: [callOf(fee, 0n), call] })];
    expect(await run(inputs, strict)).toMatchObject({ code: "call", refusal: { code } });
  });

  test("are not asked for: then a nonce, a price and who sends do not matter", async () => {
    const state = new Map([[addressOf("contract"), { code: hexToBytes("00") }]]);
    const calls = [callOf({}, 7n), callOf({ caller: addressOf("contract") }, 0n)];
    const [block] = await answersOf([inputOf({ state, calls })]);
    expect(block?.calls.map(({ result }) => result.ok)).toEqual([true, true]);
  });

  test("pay tips to the proposer", async () => {
    const look = callOf({ ...fee, gasLimit: 100_000n, to: addressOf("looker") });
    // Answers with the balance of COINBASE.
    const state = new Map([[addressOf("looker"), { code: hexToBytes("413160005260206000f3") }]]);
    const blocks = [inputOf({ state, calls: [callOf(fee)] }), inputOf({ calls: [look] })];
    const [, second] = await answersOf(blocks, strict);
    const share = fundedScene().parameters.amount("chain.tipShareBasisPoints");
    const tips = 21_000n * 500_000_000n;
    const paid = bytesToBigInt(second?.calls[0]?.result.returnData ?? emptyBytes);
    expect(paid).toBe((tips * share) / 10_000n);
  });
});

describe("transfers as logs", () => {
  const transfers = { transfers: "logged" } as const;

  test("name the contract that a creation endows, and none of a failed frame", async () => {
    const create = callOf({ to: null, value: 3n, data: hexToBytes("6000ff") }); // Destroys itself.
    const fails = callOf({ value: 4n, to: addressOf("reverter") });
    const state = new Map([[addressOf("reverter"), { code: hexToBytes("60006000fd") }]]);
    const [block] = await answersOf([inputOf({ state, calls: [create, fails] })], transfers);
    const created = contractAddress(addressOf("alice"), 0n).slice(2);
    const [first, second] = block?.calls ?? [];
    expect(first?.logs.map(({ address, topics }) => [address, topics[1], topics[2]])).toEqual([
      [
        transferLogAddress,
        expect.stringContaining(addressOf("alice").slice(2)),
        expect.stringContaining(created),
      ],
      [
        transferLogAddress,
        expect.stringContaining(created),
        expect.stringContaining(zeroAddress.slice(2)),
      ],
    ]);
    expect(second?.logs).toEqual([]);
    expect(block?.header.logsBloom).toEqual(emptyBloom); // No such log is in a receipt.
  });
});

describe("moved precompiles", () => {
  const identity = `0x${"0".repeat(39)}4` as typeof zeroAddress;

  test("answer at their new place until the end, and at home again afterwards", async () => {
    const to = addressOf("elsewhere");
    const data = hexToBytes("abcd");
    const state = new Map([[identity, { movesTo: to }]]);
    const calls = [callOf({ to, data }), callOf({ to: identity, data })];
    const answers = await answersOf([inputOf({ state, calls }), inputOf({ calls })]);
    for (const { calls: ran } of answers) {
      expect(ran.map(({ result }) => result.returnData)).toEqual([data, emptyBytes]);
    }
    const [plain] = await answersOf([inputOf({ calls })]);
    expect(plain?.calls.map(({ result }) => result.returnData)).toEqual([emptyBytes, data]);
  });

  test("are precompiles, move away, and not to an account that is overridden", async () => {
    const move = (from: typeof identity, to: typeof identity): readonly BlockInput[] => [
      inputOf({ state: new Map([[from, { movesTo: to }]]) }),
    ];
    expect(await run(move(addressOf("bob"), identity))).toMatchObject({
      code: "precompileUnknown",
    });
    expect(await run(move(identity, identity))).toMatchObject({ code: "precompileToItself" });
    const taken = new Map([
      [identity, { movesTo: addressOf("bob") }],
      [addressOf("bob"), { balance: 1n }],
    ]);
    expect(await run([inputOf({ state: taken })])).toMatchObject({ code: "precompileOverridden" });
  });
});

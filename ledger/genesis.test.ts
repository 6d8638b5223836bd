import { expect, test } from "vitest";
import { blsPublicKeyOf, proveBlsPossession } from "../crypto/bls.ts";
import { bytesToHex, hexToBytes } from "../base/bytes.ts";
import { mnemonicPrivateKey } from "../crypto/mnemonic.ts";
import { addressOf as addressOfKey } from "../crypto/secp256k1.ts";
import { addressOf, blsSecretOf, LedgerNetwork } from "../test/fakes/ledgerNetwork.ts";
import { MemoryState } from "../test/fakes/memoryState.ts";
import { bodyFault } from "./block.ts";
import {
  createGenesis,
  genesisBlock,
  genesisKeyDomain,
  genesisState,
  genesisToJson,
  readGenesis,
} from "./genesis.ts";
import { blockHash, decodeHeader, encodeHeader } from "./header.ts";
import { publishedAddresses } from "./publishedKeys.ts";
import { coreRegistry } from "./runtime.ts";

const network = new LedgerNetwork({
  balances: [
    ["alice", { thetaWei: 5n, tfuelWei: 7n }],
    ["bob", { thetaWei: 0n, tfuelWei: 1n }],
  ],
  stakes: [["alice", "hugo", 1_000n]],
});
const file = genesisToJson(network.genesis.content);

/** The file with one value changed. */
function edited(change: (json: Record<string, unknown>) => void): string {
  const json: unknown = JSON.parse(file);
  const record = json as Record<string, unknown>; // What `genesisToJson` writes is an object.
  change(record);
  return JSON.stringify(record);
}

function placeOf(text: string): string {
  const outcome = readGenesis(text, coreRegistry);
  return outcome.ok ? "ok" : `${outcome.refusal.place}: ${outcome.refusal.detail}`;
}

test("a genesis file reads back to the same chain, whatever the order of its lists", () => {
  const read = readGenesis(file, coreRegistry);
  expect(read.ok && read.value.hash).toBe(network.genesis.hash);
  const shuffled = edited((json) => {
    const balances = json["balances"];
    if (Array.isArray(balances)) balances.reverse();
  });
  const again = readGenesis(shuffled, coreRegistry);
  expect(again.ok && again.value.hash).toBe(network.genesis.hash);
});

test("the genesis hash covers every part of the content", () => {
  const { content } = network.genesis;
  const hashes = [
    content,
    { ...content, chainName: "other" },
    { ...content, chainId: content.chainId + 1 },
    { ...content, kind: "private" as const },
    { ...content, timestampMs: content.timestampMs + 1 },
    { ...content, parameters: new Map() },
    { ...content, balances: content.balances.slice(1) },
    { ...content, stakes: [] },
    { ...content, keys: [] },
  ].map((changed) => createGenesis(changed).hash);
  expect(new Set(hashes).size).toBe(hashes.length);
});

test("a genesis file that is wrong is refused with the place", () => {
  const rows: readonly (readonly [string, RegExp])[] = [
    ["{", /^file: not JSON/],
    ["[]", /^file: expected an object, got a list/],
    [edited((json) => (json["extra"] = 1)), /^file: unknown key "extra", expected chainName/],
    [file.replace("{", '{"kind":"private",'), /^file: the key "kind" occurs twice/],
    [
      file.replace('"tfuelWei"', '"thetaWei":"1","tfuelWei"'),
      /^balances\[0\]: the key "thetaWei" occurs twice/,
    ],
    [edited((json) => delete json["stakes"]), /^file: the key "stakes" is missing/],
    [edited((json) => (json["kind"] = "secret")), /^kind: expected public, private, development/],
    [edited((json) => (json["timestampMs"] = 1.5)), /^timestampMs: expected a whole number/],
    [edited((json) => (json["timestampMs"] = 2 ** 53)), /^timestampMs: .* got 9007199254740992/],
    [edited((json) => (json["chainName"] = "mainnet")), /^chainName: "mainnet" is a network of/],
    [edited((json) => (json["chainName"] = "My Chain")), /^chainName: got "My Chain"/],
    [edited((json) => (json["chainName"] = "privatenet")), /^chainId: got 7660001 for "privaten/],
    [edited((json) => (json["chainId"] = 366)), /^chainId: got 366 for "testledger"/],
    [edited((json) => (json["chainId"] = 1)), /^chainId: got 1, expected 7660000 to 7669999/],
    [edited((json) => (json["parameters"] = { "bank.x": 1 })), /^parameters.bank.x: no module/],
    [
      edited((json) => (json["parameters"] = { "stake.validatorsMax": 0 })),
      /^parameters.stake.validatorsMax: got 0, expected an integer from 1 to 256/,
    ],
    [
      edited((json) => (json["parameters"] = { "evm.fork": "frontier" })),
      /^parameters.evm.fork: got frontier, expected one of/,
    ],
    [edited((json) => (json["stakes"] = [])), /^stakes: no holder has both a key and 100 ThetaW/],
    [
      edited((json) => {
        const balances = json["balances"];
        if (Array.isArray(balances)) balances.push(balances[0]);
      }),
      /^balances: 0x[0-9a-f]{40} occurs twice/,
    ],
    [
      edited((json) => (json["chainId"] = 7_660_002)),
      /^keys: the proof of possession of 0x[0-9a-f]{40} is not for this key and this file/,
    ],
  ];
  for (const [text, expected] of rows) expect(placeOf(text)).toMatch(expected);
});

test("row E9: amounts in a genesis file are decimal text and nothing else", () => {
  const amounts = ["1e18", "0x10", " 1", "1 ", "-1", "01", "1.5", "", 1, -1, null, "9".repeat(61)];
  for (const amount of amounts) {
    const text = edited((json) => {
      json["balances"] = [{ address: addressOf("alice"), thetaWei: amount, tfuelWei: "0" }];
    });
    expect(placeOf(text)).toMatch(/^balances\[0\]\.thetaWei: expected an amount in wei/);
  }
});

test("row E10: `__proto__` and `constructor` in a genesis file have no effect", () => {
  const proto = file.replace("{", '{"__proto__": {"chainId": 1},');
  expect(placeOf(proto)).toMatch(/^file: unknown key "__proto__"/);
  const constructorKey = file.replace("{", '{"constructor": 1,');
  expect(placeOf(constructorKey)).toMatch(/^file: unknown key "constructor"/);
  const parameters = file.replace('"parameters": {', '"parameters": {"__proto__": 1,');
  expect(placeOf(parameters)).toMatch(/^parameters.__proto__: no module has this parameter/);
  expect(Object.hasOwn(Object.prototype, "chainId")).toBe(false);
});

test("published keys are for private and development chains only", () => {
  const privateKeys = [
    "93a90ea508331dfdf27fb79757d4250b4e84954927ba0073cd67454ac432c737",
    ...Array.from({ length: 9 }, (_, i) => `${i + 1}`.repeat(64)),
    `1${"0".repeat(63)}`,
  ];
  for (const key of privateKeys) {
    expect(publishedAddresses.has(addressOfKey(hexToBytes(key)))).toBe(true);
  }
  const mnemonic = `${"test ".repeat(11)}junk`;
  for (let i = 0; i < 10; i += 1) {
    const key = mnemonicPrivateKey(mnemonic, i);
    expect(key !== null && publishedAddresses.has(addressOfKey(key))).toBe(true);
  }
  // The eleven and ten above, and the README's other account, whose key is in Theta's wallet
  // fixture.
  expect(publishedAddresses.size).toBe(22);
  const published = [...publishedAddresses][0] ?? "";
  const content = {
    ...network.genesis.content,
    kind: "public" as const,
    balances: [
      { address: addressOf("x"), coins: { thetaWei: 0n, tfuelWei: 1n } },
      ...network.genesis.content.balances,
    ],
  };
  const secret = blsSecretOf("hugo");
  const prove = (given: typeof content): string => {
    const subject = { holder: addressOf("hugo"), genesis: genesisKeyDomain(given) };
    const proof = proveBlsPossession(subject, secret);
    const keys = [{ holder: addressOf("hugo"), blsKey: blsPublicKeyOf(secret), proof }];
    return genesisToJson({ ...given, keys });
  };
  expect(placeOf(prove(content))).toBe("ok");
  const text = prove(content).replaceAll(addressOf("x"), published);
  expect(placeOf(text)).toMatch(/^kind: the key of 0x2e83.* is published/);
});

test("the genesis block is the root of epoch 0 and commits to content, state and committee", () => {
  const { changes, committee } = genesisState(network.genesis, coreRegistry, MemoryState.empty());
  expect(committee.validators.map(({ address, stake }) => [address, stake])).toEqual([
    [addressOf("hugo"), 1_000n],
  ]);
  const stateRoot = MemoryState.empty().apply(changes).root;
  const block = genesisBlock(network.genesis, coreRegistry, { stateRoot, committee });
  expect([block.header.height, block.header.epoch, block.header.view]).toEqual([0, 0, 0]);
  expect(block.header.genesisHash).toBe(network.genesis.hash);
  expect(bodyFault(block)).toBeNull();
  const decoded = decodeHeader(encodeHeader(block.header));
  expect(decoded.ok && blockHash(decoded.value)).toBe(blockHash(block.header));
  expect(bytesToHex(block.header.logsBloom)).toBe(`0x${"00".repeat(256)}`);
});

test("parameters change the runtime hash; order and spelling of a file do not", () => {
  const hash = (values: ReadonlyMap<string, bigint>): string =>
    coreRegistry.runtimeHash(coreRegistry.parametersWith(values));
  const base = hash(new Map());
  expect(hash(new Map([["stake.validatorsMax", 31n]]))).toBe(base);
  expect(hash(new Map([["stake.validatorsMax", 30n]]))).not.toBe(base);
});

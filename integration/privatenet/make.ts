import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Address, Digest } from "../../base/brand.ts";
import { bytesToHex, bytesToHexDigits, hexToBytes, textToBytes } from "../../base/bytes.ts";
import { assert } from "../../base/assert.ts";
import { encodeEvidence } from "../../consensus/evidence.ts";
import { signableBytes } from "../../consensus/statements.ts";
import { checksumAddress, parseAddress } from "../../crypto/address.ts";
import { blsPublicKeyOf, blsSign, proveBlsPossession } from "../../crypto/bls.ts";
import { deriveBlsMaster } from "../../crypto/blsDerivation.ts";
import { writeBlsKeystore } from "../../crypto/blsKeystore.ts";
import { keccak256, keccakDigest } from "../../crypto/keccak.ts";
import { scryptLight } from "../../crypto/kdf.ts";
import { writeKeystore } from "../../crypto/keystore.ts";
import { addressOf } from "../../crypto/secp256k1.ts";
import { createGenesis, genesisKeyDomain, genesisToJson } from "../../ledger/genesis.ts";
import type { GenesisContent } from "../../ledger/genesisTypes.ts";

/*
 * Writes the private-net fixture: a node and a wallet for chain `privatenet` with the accounts of
 * Theta's own fixture. Every key here is published and every random value is a hash of its purpose,
 * so that running this again gives the same bytes: `node integration/privatenet/make.ts`.
 */

/** Password of every key file. */
const password = "qwertyuiop";

const coin = 10n ** 18n;

/** The validator: its private key is published in Theta's tests. */
const validatorKey = hexToBytes("93a90ea508331dfdf27fb79757d4250b4e84954927ba0073cd67454ac432c737");

/** Private keys of ten test accounts: a byte repeated; the last is 0x10 and zeros. */
const testKeys = [
  ...Array.from({ length: 9 }, (_, i) => new Uint8Array(32).fill(0x11 * (i + 1))),
  Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 0x10 : 0)),
];

/** Bytes that look random and are the same each time. */
function bytesFor(purpose: string, size: number): Uint8Array {
  return keccak256(textToBytes(`ledger privatenet fixture: ${purpose}`)).slice(0, size);
}

function idFor(purpose: string): string {
  const digits = bytesToHexDigits(bytesFor(purpose, 16));
  const parts = [digits.slice(0, 8), digits.slice(8, 12), `4${digits.slice(13, 16)}`];
  return [...parts, `8${digits.slice(17, 20)}`, digits.slice(20)].join("-");
}

function keyFileOptions(name: string): { salt: Uint8Array; iv: Uint8Array; id: string } {
  return {
    salt: bytesFor(`${name} salt`, 32),
    iv: bytesFor(`${name} iv`, 16),
    id: idFor(`${name} id`),
  };
}

function address(text: string): Address {
  const outcome = parseAddress(text);
  assert(outcome.ok, `not an address: ${text}`);
  return outcome.value;
}

function balance(of: Address, theta: bigint, tfuel: bigint): GenesisContent["balances"][number] {
  return { address: of, coins: { thetaWei: theta * coin, tfuelWei: tfuel * coin } };
}

function content(): GenesisContent {
  const validator = addressOf(validatorKey);
  const balances = [
    balance(validator, 12_500_000n, 312_500_000n),
    balance(address("9F1233798E905E173560071255140b4A8aBd3Ec6"), 62_500_000n, 312_500_000n),
    ...testKeys.map((key) => balance(addressOf(key), 10_000_000n, 50_000_000n)),
  ].toSorted((a, b) => (a.address < b.address ? -1 : 1));
  const unkeyed: Omit<GenesisContent, "keys"> = {
    chainName: "privatenet",
    chainId: 366,
    kind: "private",
    // Of Theta's fixture: 0x5c54bb81 seconds.
    timestampMs: 0x5c54bb81 * 1_000,
    // The default parameters have Theta's old fee floor, which the walk-through's prices need.
    parameters: new Map(),
    balances,
    stakes: [{ source: validator, holder: validator, amount: 50_000_000n * coin }],
  };
  const secretKey = blsSecretKey();
  const subject = { holder: validator, genesis: genesisKeyDomain(unkeyed) };
  const proof = proveBlsPossession(subject, secretKey);
  return { ...unkeyed, keys: [{ holder: validator, blsKey: blsPublicKeyOf(secretKey), proof }] };
}

function blsSecretKey(): Uint8Array {
  return deriveBlsMaster(bytesFor("BLS seed", 32));
}

/** The validator votes twice in the first view: what a test of evidence hands in. */
function doubleVote(genesis: Digest): Uint8Array {
  const [first, second] = ["one block", "another block"].map((text) => {
    const vote = { epoch: 0, view: 1, block: keccakDigest(textToBytes(text)), parentView: 0 };
    const message = signableBytes({ genesis, scope: "" }, { type: "vote", vote });
    return { vote, signer: 0, signature: blsSign(message, blsSecretKey()) };
  });
  assert(first !== undefined && second !== undefined, "two votes");
  return encodeEvidence({ type: "doubleVote", first, second });
}

function write(path: string, text: string, mode: number): void {
  const target = join(import.meta.dirname, path);
  mkdirSync(dirname(target), { recursive: true });
  rmSync(target, { force: true });
  writeFileSync(target, text, { mode });
}

const genesis = createGenesis(content());
const name = checksumAddress(addressOf(validatorKey)).slice(2);
const account = await writeKeystore(validatorKey, password, keyFileOptions("account"));
const blsName = bytesToHexDigits(blsPublicKeyOf(blsSecretKey()));
const bls = await writeBlsKeystore(blsSecretKey(), password, keyFileOptions("BLS"));
// The same keys for tests that open them again and again.
const lightAccount = await writeKeystore(validatorKey, password, {
  ...keyFileOptions("light account"),
  cost: scryptLight,
});
const lightBls = await writeBlsKeystore(blsSecretKey(), password, {
  ...keyFileOptions("light BLS"),
  cost: scryptLight,
});

write("node/genesis.json", genesisToJson(genesis.content), 0o644);
write(
  "node/config.yaml",
  `# Node of the private net; start it with: bin/ledger start --config=integration/privatenet/node
genesis:
  file: genesis.json
  hash: "${genesis.hash}"
rpc:
  enabled: true
  address: 127.0.0.1
  port: 16888
consensus:
  # A fresh checkout has no record of earlier votes; nobody else could have seen any.
  soleValidator: true
`,
  0o644,
);
write(`node/key/encrypted/${name}`, `${account}\n`, 0o600);
write(`node/key/bls/${blsName}.json`, `${bls}\n`, 0o600);
write(
  "ledgercli/config.yaml",
  `# Wallet of the private net; use it with: bin/ledgercli --config=integration/privatenet/ledgercli
remoteRPCEndpoint: http://localhost:16888/rpc
`,
  0o644,
);
const evidence = { evidence: bytesToHex(doubleVote(genesis.hash)), genesisHash: genesis.hash };
write("doubleVote.json", `${JSON.stringify(evidence, null, 2)}\n`, 0o644);
write(`ledgercli/keys/encrypted/${name}`, `${account}\n`, 0o600);
write(`light/encrypted/${name}`, `${lightAccount}\n`, 0o600);
write(`light/bls/${blsName}.json`, `${lightBls}\n`, 0o600);
process.stdout.write(`genesis ${genesis.hash}\n`);

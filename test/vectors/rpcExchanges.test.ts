import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect } from "vitest";
import { assert } from "../../base/assert.ts";
import type { Address, Digest } from "../../base/brand.ts";
import {
  bigIntToBytes,
  bytesToHex,
  emptyBytes,
  hexToBytes,
  textToAddressOrNull,
  textToDigestOrNull,
  zeroAddress,
} from "../../base/bytes.ts";
import { emptyKeccak, keccakDigest } from "../../crypto/keccak.ts";
import { emptyAccount } from "../../ledger/accounts.ts";
import { signEthereum } from "../../ledger/sign.ts";
import type { Account } from "../../ledger/state.ts";
import type { EthereumTransaction } from "../../ledger/thetaTypes.ts";
import { createFakeServer, fundedSigner } from "../fakes/fakeServer.ts";
import { MemoryState } from "../fakes/memoryState.ts";
import { vectorTest } from "../vectors.ts";

/*
 * Goal: what go-ethereum answered on the specification's own chain, we answer too. Method: that
 * chain's head state under the real server. Its blocks are not there and could not be imported
 * (other headers, transactions without chain id), so answers about them are compared in form with
 * ours about blocks with the like transactions.
 */

type Exchange = { readonly send?: string; readonly recv?: string };
type Item = {
  readonly id: string;
  readonly method: string;
  readonly speconly: boolean;
  readonly exchange: readonly Exchange[];
};

type Answer = {
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
};

type Allocation = {
  readonly balance: string;
  readonly nonce: string;
  readonly code?: string;
  readonly storage?: Readonly<Record<string, string>>;
};
type Head = {
  readonly number: number;
  readonly hash: string;
  readonly chainId: number;
  readonly baseFee: string;
  readonly gasLimit: string;
  /** Seconds. */
  readonly timestamp: number;
  readonly alloc: Readonly<Record<string, Allocation>>;
};

const folder = join(import.meta.dirname, "..", "..", "..", "shared", "vectors", "rpc");

function readHead(): Head {
  const bytes = gunzipSync(readFileSync(join(folder, "head-alloc.json.gz")));
  return JSON.parse(new TextDecoder().decode(bytes)) as Head;
}

function stateOf({ alloc }: Head): MemoryState {
  const accounts = new Map<Address, Account>();
  const storage = new Map<Address, ReadonlyMap<Digest, Uint8Array | null>>();
  const code = new Map<Digest, Uint8Array>();
  for (const [text, allocation] of Object.entries(alloc)) {
    const address = textToAddressOrNull(text);
    assert(address !== null, "an address");
    const bytes = hexToBytes(allocation.code ?? "0x");
    const codeHash = bytes.length === 0 ? emptyKeccak : keccakDigest(bytes);
    if (bytes.length > 0) code.set(codeHash, bytes);
    const { balance, nonce } = allocation;
    accounts.set(address, {
      ...emptyAccount,
      balance: BigInt(balance),
      nonce: BigInt(nonce),
      codeHash,
    });
    const words = Object.entries(allocation.storage ?? {}).map(([slot, word]) => {
      const key = textToDigestOrNull(slot);
      assert(key !== null, "a slot");
      return [key, bigIntToBytes(BigInt(word))] as const;
    });
    storage.set(address, new Map(words));
  }
  const changes = { accounts, storage, storageCleared: new Set<Address>(), code };
  return MemoryState.empty().apply({ ...changes, modules: new Map() });
}

/** What is not compared, and why. */
const left: Readonly<Record<string, string>> = {
  "eth_estimateGas/estimate-with-eip4844": "no blobs on this chain",
  "eth_getTransactionByHash/get-blob-tx": "no blobs on this chain",
  "eth_getTransactionReceipt/get-blob-tx": "no blobs on this chain",
  "eth_simulateV1/ethSimulate-blobs": "no blobs on this chain",
  "eth_simulateV1/ethSimulate-blockhash-simple":
    "BLOCKHASH is read from the state (EIP-2935), and theirs does not reach back to block 1",
  "debug_traceBlockByNumber/trace-block-storage-encoding":
    "needs their blocks; integration/traces.test.ts compares traces with anvil's",
  "debug_traceTransaction/trace-legacy-transfer":
    "needs their blocks; integration/traces.test.ts compares traces with anvil's",
};

/** Members that hang on the form of headers and on the head, or are about blobs. */
const ownMembers: ReadonlySet<string> = new Set(
  "hash stateRoot size blockHash blobGasUsed excessBlobGas requestsHash withdrawalsRoot".split(" "),
);

/** With members in order, without those that are not to be compared. */
function comparable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value)
    .filter(([name]) => !ownMembers.has(name))
    .map(([name, member]) => [name, comparable(member)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members);
}

/** Simulated blocks have hashes of their own, and so has the parent of all but the first. */
function withoutParents(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  const blocks: readonly unknown[] = value;
  return blocks.map((block, i) =>
    i > 0 && typeof block === "object" && block !== null ? { ...block, parentHash: "" } : block,
  );
}

function isEqual(wanted: Answer, got: Answer): boolean {
  if (wanted.error === undefined) {
    const [a, b] = [wanted.result, got.result].map((result) => comparable(withoutParents(result)));
    return got.error === undefined && JSON.stringify(a) === JSON.stringify(b);
  }
  const { code, data } = wanted.error;
  return got.error?.code === code && (data === undefined || got.error.data === data);
}

/** Of receipts before Byzantium, of blobs, of beacon chains. */
const foreignMembers: ReadonlySet<string> = new Set([
  "root",
  "blobGasUsed",
  "excessBlobGas",
  "requestsHash",
  "withdrawalsRoot",
  "KZG_POINT_EVALUATION",
  "BEACON_ROOTS_ADDRESS",
  "CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS",
  "DEPOSIT_CONTRACT_ADDRESS",
  "WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS",
]);

/** Addresses, hashes and blooms have one size. */
const fixedSizes: ReadonlySet<number> = new Set([42, 66, 514]);

/** Where our answer has another form than theirs; `null` nowhere. */
function formFault(wanted: unknown, got: unknown, path: string): string | null {
  if (wanted === null || got === null) return null; // Creations have no target, calls no contract.
  if (typeof wanted !== typeof got) return `${path}: ${typeof got}, not ${typeof wanted}`;
  if (typeof wanted === "string" && typeof got === "string") {
    if (wanted.startsWith("0x") !== got.startsWith("0x")) return `${path}: ${got}`;
    const isFixed = fixedSizes.has(wanted.length) && path !== "result" && !path.endsWith("input");
    const isNumber = /\.(r|s|data)$/.test(path);
    return isFixed && !isNumber && wanted.length !== got.length ? `${path}: ${got}` : null;
  }
  if (Array.isArray(wanted) && Array.isArray(got)) {
    const [first, own]: readonly unknown[] = [wanted[0], got[0]];
    return first === undefined || own === undefined ? null : formFault(first, own, `${path}[0]`);
  }
  if (typeof wanted !== "object" || typeof got !== "object") return null;
  const members = new Map<string, unknown>(Object.entries(got));
  for (const [name, member] of Object.entries(wanted)) {
    if (foreignMembers.has(name)) continue;
    if (!members.has(name)) return `${path}.${name} is missing`;
    const fault = formFault(member, members.get(name), `${path}.${name}`);
    if (fault !== null) return fault;
  }
  return null;
}

type Server = ReturnType<typeof createFakeServer>;

async function ask({ server }: Server, payload: string): Promise<Answer> {
  const headers = { "content-type": "application/json" };
  const reply = await server.app.inject({ method: "POST", url: "/rpc", headers, payload });
  return reply.json<Answer>();
}

/** A server on the vectors' head. */
function serverAtHead(items: readonly Item[]): Server {
  const head = readHead();
  const made = createFakeServer({ chainId: head.chainId });
  const { node } = made;
  const safe = items.find(({ id }) => id === "eth_getBlockByNumber/get-safe");
  const { result } = JSON.parse(safe?.exchange[1]?.recv ?? "") as {
    readonly result: { readonly gasUsed: string };
  };
  while (node.head().header.height < head.number - 1) node.commit();
  node.headerParts = {
    baseFee: BigInt(head.baseFee),
    gasLimit: BigInt(head.gasLimit),
    gasUsed: BigInt(result.gasUsed),
    timestampMs: head.timestamp * 1_000,
  };
  node.foreignHash = textToDigestOrNull(head.hash);
  node.commit();
  node.parameterValues.set("chain.baseFeeFloor", 1n); // Theirs has none.
  node.headState = stateOf(head);
  return made;
}

const target = textToAddressOrNull(`0x${"77".repeat(20)}`) ?? zeroAddress;

function signed(nonce: bigint, parts: Partial<EthereumTransaction>): string {
  const fees = { maxFeePerGas: 2_000_000_000n, maxPriorityFeePerGas: 2_000_000_000n };
  const lists = { data: emptyBytes, accessList: [], authorizations: [] };
  const plain = { type: "legacy", nonce, gasLimit: 100_000n, to: target, value: 1n } as const;
  const transaction: EthereumTransaction = { ...plain, ...fees, ...lists, ...parts };
  return bytesToHex(signEthereum(transaction, 366, fundedSigner));
}

/** A server with a block of the like transactions, and what to ask it in place of each vector. */
async function serverWithBlock(): Promise<{
  readonly made: Server;
  readonly questions: ReadonlyMap<string, readonly unknown[]>;
}> {
  const made = createFakeServer();
  const { node } = made;
  const send = async (raw: string): Promise<Digest> => {
    const call = { jsonrpc: "2.0", id: 1, method: "eth_sendRawTransaction", params: [raw] };
    const { result } = await ask(made, JSON.stringify(call));
    return String(result) as Digest;
  };
  const plain = await send(signed(0n, {}));
  const creation = await send(signed(1n, { to: null, data: hexToBytes("0x600d3803") }));
  const authorization = { chainId: 366n, address: target, nonce: 0n, yParity: 0, r: 1n, s: 1n };
  const delegation = await send(signed(2n, { type: "setCode", authorizations: [authorization] }));
  const block = node.commit();
  const topics = [keccakDigest(Uint8Array.of(1)), keccakDigest(Uint8Array.of(2))];
  const log = { address: target, topics, data: new Uint8Array(32) };
  node.foundLogs = [{ log, block, index: 0, transactionHash: plain, transactionIndex: 0 }];
  return {
    made,
    questions: new Map<string, readonly unknown[]>([
      ["debug_getRawBlock/get-block-n", ["0x1"]],
      ["debug_getRawHeader/get-block-n", ["0x1"]],
      ["debug_getRawHeader/get-genesis", ["0x0"]],
      ["eth_config/get-config", []],
      ["eth_getBlockByHash/get-block-by-hash", [block.hash, true]],
      ["eth_getBlockByNumber/get-safe", ["safe", true]],
      ["eth_getBlockReceipts/get-block-receipts-by-hash", [block.hash]],
      ["eth_getBlockTransactionCountByNumber/get-block-n", ["0x1"]],
      ["eth_getLogs/topic-null-wildcard", [{ fromBlock: "0x0", topics: [null, topics] }]],
      ["eth_getTransactionByHash/get-legacy-input", [creation]],
      ["eth_getTransactionByHash/get-legacy-tx", [plain]],
      ["eth_getTransactionReceipt/get-legacy-input", [creation]],
      ["eth_getTransactionReceipt/get-setcode-tx", [delegation]],
    ]),
  };
}

vectorTest<Item>("rpc/execution-apis-io.ndjson.gz", async (items) => {
  const atHead = serverAtHead(items);
  const { made, questions } = await serverWithBlock();
  const counts = { equal: 0, form: 0, left: 0 };
  for (const { id, method, speconly, exchange } of items) {
    if (left[id] !== undefined) {
      counts.left += 1;
      continue;
    }
    const question = questions.get(id);
    let isSame = true;
    for (let i = 0; i + 1 < exchange.length; i += 2) {
      const wanted = JSON.parse(exchange[i + 1]?.recv ?? "") as Answer;
      if (question !== undefined) {
        const call = { jsonrpc: "2.0", id: 1, method, params: question };
        const got = await ask(made, JSON.stringify(call));
        expect(got.error, id).toBeUndefined();
        expect(got.result, id).not.toBeNull();
        expect(formFault(wanted.result, got.result, "result"), id).toBeNull();
        isSame = false;
        continue;
      }
      const got = await ask(atHead, exchange[i]?.send ?? "");
      if (isEqual(wanted, got)) continue;
      // Gas estimates and access lists are free in detail.
      expect(speconly, `${id}: ${JSON.stringify(got)}`).toBe(true);
      expect(got.error === undefined, `${id}: ${JSON.stringify(got)}`).toBe(
        wanted.error === undefined,
      );
      isSame = false;
    }
    counts[isSame ? "equal" : "form"] += 1;
  }
  const { equal, form } = counts;
  console.log(
    `rpc/execution-apis-io: ${equal} equal, ${form} of the same form, ${counts.left} left`,
  );
  for (const [id, reason] of Object.entries(left)) console.log(`  left: ${id}: ${reason}`);
  expect(counts).toEqual({ equal: 52, form: 14, left: Object.keys(left).length });
});

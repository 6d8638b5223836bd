import { describe, expect, test } from "vitest";
import { bytesToHex, equalBytes, hexToBytes, textToBytes } from "../../base/bytes.ts";
import {
  decodeRlp,
  encodeRlp,
  isRlpList,
  readBigInt,
  readFixed,
  rlpBigInt,
  rlpNumber,
  type RlpItem,
} from "../../base/rlp.ts";
import { knownFilesTest, vectorTest } from "../vectors.ts";

type Json = string | number | readonly Json[];

/** Ethereum's RLP tests: texts, numbers, and `#` before a decimal too wide for JSON. */
function fromEthereum(json: Json): RlpItem {
  if (typeof json === "number") return rlpNumber(json);
  if (typeof json !== "string") return json.map(fromEthereum);
  return json.startsWith("#") ? rlpBigInt(BigInt(json.slice(1))) : textToBytes(json);
}

/** All others: hex strings and lists of them. */
function fromHex(json: Json): RlpItem {
  return typeof json === "string" ? hexToBytes(json) : (json as readonly Json[]).map(fromHex);
}

function toHex(item: RlpItem): Json {
  return isRlpList(item) ? item.map(toHex) : bytesToHex(item);
}

type EthereumCase = {
  readonly id: string;
  readonly kind: "valid" | "invalid";
  readonly in: Json;
  readonly out: string;
};

type Generated = { readonly generate: string; readonly depth?: number; readonly count?: number };

type HostileCase = {
  readonly id: string;
  readonly raw: string | Generated;
  readonly as?: "uint64" | "uint256" | "address";
  readonly valid: boolean;
  readonly value?: Json;
  readonly policy?: string;
};

/** `nest`: lists inside one another, `depth` of them. Built from the inside out in one buffer. */
function nest(depth: number): Uint8Array {
  const reversed: number[] = [0xc0];
  for (let made = 1; made < depth; made += 1) {
    const size = reversed.length;
    if (size < 56) {
      reversed.push(0xc0 + size);
      continue;
    }
    let lengthOfLength = 0;
    for (let rest = size; rest > 0; rest = Math.floor(rest / 256)) {
      reversed.push(rest % 256);
      lengthOfLength += 1;
    }
    reversed.push(0xf7 + lengthOfLength);
  }
  return Uint8Array.from(reversed.toReversed());
}

function rawOf(raw: string | Generated): Uint8Array {
  if (typeof raw === "string") return hexToBytes(raw);
  if (raw.generate === "nest") return nest(raw.depth ?? 0);
  if (raw.generate === "repeat") {
    return encodeRlp(Array.from({ length: raw.count ?? 0 }, () => new Uint8Array(0)));
  }
  throw new Error(`unknown generator ${raw.generate}`);
}

/** Processor time of this thread: a loaded machine must not fail a test of effort. */
function spentMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

function typedOk(item: RlpItem, as: HostileCase["as"]): boolean {
  if (as === undefined) return true;
  if (as === "address") return readFixed(item, 20) !== null;
  return readBigInt(item, as === "uint64" ? 64 : 256) !== null;
}

describe("rlp vectors", () => {
  knownFilesTest("rlp", ["vectors.ndjson", "hostile.ndjson"]);

  vectorTest<EthereumCase>("rlp/vectors.ndjson", (items) => {
    for (const { id, kind, in: value, out } of items) {
      const raw = hexToBytes(out);
      const outcome = decodeRlp(raw);
      expect(outcome.ok, id).toBe(kind === "valid");
      if (!outcome.ok) continue;
      expect(equalBytes(encodeRlp(outcome.value), raw), id).toBe(true);
      if (value === "VALID") continue;
      const expected = id.startsWith("ethers/") ? fromHex(value) : fromEthereum(value);
      expect(toHex(outcome.value), id).toEqual(toHex(expected));
    }
  });

  vectorTest<HostileCase>("rlp/hostile.ndjson", (items) => {
    for (const { id, raw, as, valid, value, policy } of items) {
      const bytes = rawOf(raw);
      const startMs = spentMs();
      const outcome = decodeRlp(bytes);
      expect(spentMs() - startMs, id).toBeLessThan(1_000);
      const taken = outcome.ok && typedOk(outcome.value, as);
      if (taken || policy === undefined) expect(taken, id).toBe(valid);
      if (!outcome.ok) continue;
      expect(equalBytes(encodeRlp(outcome.value), bytes), id).toBe(true);
      if (value !== undefined) expect(toHex(outcome.value), id).toEqual(value);
    }
  });
});

describe("row E1: refused without work or memory beyond the input", () => {
  test.each([
    ["non-canonical", "0x8100", "notCanonical"],
    ["truncated", "0xb901", "truncated"],
    ["overrunning", "0xc28361", "truncated"],
    ["huge length", "0xbfffffffffffffffff", "truncated"],
    ["trailing bytes", "0xc000", "trailingBytes"],
    ["empty", "0x", "truncated"],
  ])("%s", (_, raw, code) => {
    const outcome = decodeRlp(hexToBytes(raw));
    expect(outcome.ok ? "taken" : outcome.refusal.code).toBe(code);
  });
});

describe("row E2: depth and count are answered within a second", () => {
  test("a million lists inside one another are refused, but decode if a caller allows them", () => {
    const raw = nest(1_000_000);
    const startMs = spentMs();
    const refused = decodeRlp(raw);
    expect(refused.ok ? "taken" : refused.refusal.code).toBe("tooDeep");
    expect(spentMs() - startMs).toBeLessThan(100);
    expect(decodeRlp(raw, { depthMax: 1_000_000 }).ok).toBe(true);
    expect(spentMs() - startMs).toBeLessThan(1_000);
  });

  test("a million empty items decode in time; more than the limit are refused", () => {
    const raw = encodeRlp(Array.from({ length: 1_000_000 }, () => new Uint8Array(0)));
    const startMs = spentMs();
    expect(decodeRlp(raw).ok).toBe(true);
    const refused = decodeRlp(raw, { itemsMax: 999_999 });
    expect(refused.ok ? "taken" : refused.refusal.code).toBe("tooManyItems");
    expect(spentMs() - startMs).toBeLessThan(2_000);
  });
});

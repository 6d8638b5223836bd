import { expect, test } from "vitest";
import { zeroAddress, emptyBytes, bytesToAddress } from "../../base/bytes.ts";
import {
  amountWord,
  frameFault,
  lastAddress,
  precompileAddress,
  readOrder,
} from "./evmPrecompiles.ts";

test("an input's last 20 bytes are the address, however long it is", () => {
  const address = bytesToAddress(new Uint8Array(20).fill(7));
  const bytes = new Uint8Array(20).fill(7);
  expect(lastAddress(bytes)).toBe(address);
  expect(lastAddress(Uint8Array.of(...new Uint8Array(12), ...bytes))).toBe(address);
  expect(lastAddress(Uint8Array.of(9, ...bytes))).toBe(address);
  expect(lastAddress(Uint8Array.of(201))).toBe(precompileAddress(201));
  expect(lastAddress(emptyBytes)).toBe(zeroAddress);
});

test("an order is 20 bytes of recipient and 32 of amount, and nothing else", () => {
  const to = new Uint8Array(20).fill(7);
  const order = Uint8Array.of(...to, ...amountWord(5n));
  expect(readOrder(order)).toEqual({ ok: true, value: { to: bytesToAddress(to), amount: 5n } });
  for (const input of [emptyBytes, order.subarray(1), Uint8Array.of(...order, 0)]) {
    const answer = readOrder(input);
    expect(answer.ok ? "" : answer.refusal.code).toBe("precompileInput");
  }
});

test("state changes only in a plain call without value", () => {
  const frame = { caller: zeroAddress, value: 0n, input: emptyBytes } as const;
  const fault = (type: "call" | "static" | "delegate", value = 0n): string | null =>
    frameFault({ ...frame, type, value })?.code ?? null;
  expect(fault("call")).toBeNull();
  expect(fault("call", 1n)).toBe("precompileInput");
  expect(fault("static")).toBe("precompileFrame");
  expect(fault("delegate")).toBe("precompileFrame");
});

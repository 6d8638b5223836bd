import { expect, test } from "vitest";
import { textToAddressOrNull } from "../../base/bytes.ts";
import { addressOf, LedgerNetwork, transferOf } from "../../test/fakes/ledgerNetwork.ts";
import type { EthereumTransaction } from "../thetaTypes.ts";
import { transferGasOf } from "./evm.ts";

const to = addressOf("bob");

test("a transfer's gas: 21,000, calldata, access list, and the floor of newer forks", () => {
  const gas = (parts: Partial<EthereumTransaction>, fork: string): bigint =>
    transferGasOf(transferOf({ nonce: 0n, to, value: 1n, ...parts }), fork);
  const data = Uint8Array.of(0, 1, 1, 0);
  expect(gas({}, "osaka")).toBe(21_000n);
  expect(gas({ data }, "cancun")).toBe(21_000n + 2n * 4n + 2n * 16n);
  expect(gas({ data }, "osaka")).toBe(21_000n + 10n * (2n + 2n * 4n));
  const accessList = [{ address: to, storageKeys: [new Uint8Array(32), new Uint8Array(32)] }];
  expect(gas({ data, accessList }, "osaka")).toBe(21_000n + 40n + 2_400n + 2n * 1_900n);
});

test("what needs code is refused before it costs anything", async () => {
  const network = new LedgerNetwork({
    balances: [["alice", { thetaWei: 0n, tfuelWei: 10_000_000n }]],
  });
  const precompile = textToAddressOrNull(`0x${"00".repeat(19)}11`);
  const p256 = textToAddressOrNull(`0x${"00".repeat(18)}0100`);
  const harmless = textToAddressOrNull(`0x${"00".repeat(19)}12`);
  const gasLimit = 200_000n;
  const codes: string[] = [];
  for (const parts of [
    { to: null },
    { to: precompile },
    { to: p256 },
    { to, type: "setCode" as const },
    { to: harmless },
  ]) {
    const body = transferOf({ nonce: 0n, value: 1n, gasLimit, ...parts });
    const outcome = await network.execute([network.ethereum("alice", body)]);
    codes.push(outcome.ok ? "ok" : outcome.refusal.refusal.code);
  }
  const refused = Array.from({ length: 4 }, () => "operationUnavailable");
  expect(codes).toEqual([...refused, "ok"]);
  expect(network.nonceOf("alice")).toBe(1n);
});

import type { Address } from "../../base/brand.ts";
import { bigIntToFixedBytes, bytesToAddress, textToBytes } from "../../base/bytes.ts";
import { keccakDigest } from "../../crypto/keccak.ts";
import type { EvmFrame, EvmFrameEnd, EvmStep, EvmTracer } from "../../vm/tracer.ts";
import { addressTopic } from "../definitions.ts";
import type { Log } from "../receiptTypes.ts";
import { beneficiaryOf, logOf } from "./steps.ts";

/** Whose logs stand for transfers of TFuel in eth_simulateV1: nobody's contract. */
export const transferLogAddress: Address = bytesToAddress(new Uint8Array(20).fill(0xee));

/** ERC-20's event, so that whoever reads token transfers reads these too. */
const transferTopic = keccakDigest(textToBytes("Transfer(address,address,uint256)"));

type OpenFrame = {
  readonly logs: Log[];
  /** Coins for a contract whose address is told at the frame's end. */
  readonly endows: bigint;
  readonly from: Address;
  stepped: boolean;
};

/** Puts transfers of TFuel among the logs of a message, each where it happened. */
export class TransferTracer implements EvmTracer {
  readonly #open: OpenFrame[] = [];
  #logs: readonly Log[] = [];

  /** Of the whole message; none of frames that failed. */
  get logs(): readonly Log[] {
    return this.#logs;
  }

  onEnter({ type, from, to, value }: EvmFrame): void {
    const moves = type === "DELEGATECALL" ? 0n : value; // That one only shows its caller's.
    const logs = moves > 0n && to !== null ? [transferLog(from, to, moves)] : [];
    this.#open.push({ logs, endows: to === null ? moves : 0n, from, stepped: false });
  }

  onStep(step: EvmStep): void {
    const frame = this.#open.at(-1);
    if (frame === undefined) return;
    frame.stepped = true;
    const log = logOf(step);
    if (log !== null) frame.logs.push(log);
    const beneficiary = beneficiaryOf(step);
    if (beneficiary !== null && step.balance > 0n) {
      frame.logs.push(transferLog(step.address, beneficiary, step.balance));
    }
  }

  onExit({ failure, contractAddress, logs: written }: EvmFrameEnd): void {
    const frame = this.#open.pop();
    if (frame === undefined) return;
    const { logs, endows, from, stepped } = frame;
    if (!stepped) logs.push(...written); // A precompile's.
    if (endows > 0n && contractAddress !== null) {
      logs.unshift(transferLog(from, contractAddress, endows));
    }
    const kept = failure === "" ? logs : [];
    const above = this.#open.at(-1);
    if (above === undefined) this.#logs = kept;
    else above.logs.push(...kept);
  }
}

function transferLog(from: Address, to: Address, value: bigint): Log {
  return {
    address: transferLogAddress,
    topics: [transferTopic, addressTopic(from), addressTopic(to)],
    data: bigIntToFixedBytes(value, 32),
  };
}

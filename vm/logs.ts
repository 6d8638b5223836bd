import type { Log } from "@ethereumjs/evm";
import { bytesToAddress, bytesToDigest } from "../base/bytes.ts";
import type { EvmLog } from "./stateAccess.ts";

/** Logs of the library in the ledger's form. */
export function evmLogs(logs: readonly Log[]): readonly EvmLog[] {
  return logs.map(([address, topics, data]) => ({
    address: bytesToAddress(address),
    topics: topics.map((topic) => bytesToDigest(topic)),
    data,
  }));
}

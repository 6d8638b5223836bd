import { equalBytes } from "../base/bytes.ts";
import { accept, refuse } from "../base/outcome.ts";
import type { Outcome } from "../base/outcome.ts";
import type { Hello } from "./envelope.ts";
import { wireVersion } from "./limits.ts";

/*
 * The first thing two nodes do: each asks the other which chain and which rules it is on. Until
 * the answer was judged nothing else of the peer is read. Both sides ask, so neither relies on the
 * other to hang up.
 */

/** Which chain this node is on, in bytes that mean something only to the caller. */
export type Chain = {
  /** The genesis hash: equal, or another chain. */
  readonly genesis: Uint8Array;
  /** The rules in force, asked at each handshake. */
  readonly runtime: () => Uint8Array;
  /** Anything the other side's `compatible` wants to see, e.g. the last committed height. */
  readonly status?: () => Uint8Array;
  /** Whether one may talk to a node with these rules; equal ones, if nothing is said. */
  readonly compatible?: (remote: Hello) => boolean;
};

/** Why a node is not one of ours. */
export type HelloRefusal =
  | { readonly code: "wireVersion"; readonly got: number; readonly expected: number }
  | { readonly code: "genesis"; readonly got: Uint8Array; readonly expected: Uint8Array }
  | { readonly code: "runtime"; readonly got: Uint8Array; readonly expected: Uint8Array };

/** What this node says of itself now. */
export function helloOf(chain: Chain): Hello {
  return {
    version: wireVersion,
    genesis: chain.genesis,
    runtime: chain.runtime(),
    status: chain.status?.() ?? new Uint8Array(0),
  };
}

/** Judges what the other side said. */
export function judgeHello(chain: Chain, remote: Hello): Outcome<Hello, HelloRefusal> {
  if (remote.version !== wireVersion)
    return refuse({ code: "wireVersion", got: remote.version, expected: wireVersion });
  if (!equalBytes(remote.genesis, chain.genesis))
    return refuse({ code: "genesis", got: remote.genesis, expected: chain.genesis });
  const own = chain.runtime();
  const compatible = chain.compatible?.(remote) ?? equalBytes(remote.runtime, own);
  return compatible
    ? accept(remote)
    : refuse({ code: "runtime", got: remote.runtime, expected: own });
}

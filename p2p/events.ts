import type { Misbehaviour } from "./peers.ts";
import type { PeerId } from "./peerId.ts";
import type { Direction } from "./transport.ts";

/** What the network tells its owner, who makes logs and metrics of it. */
export type NetworkEvent =
  | { readonly type: "peerConnected"; readonly peer: PeerId; readonly direction: Direction }
  | { readonly type: "peerJoined"; readonly peer: PeerId; readonly address: string }
  | { readonly type: "peerLeft"; readonly peer: PeerId }
  | {
      readonly type: "peerMisbehaved";
      readonly peer: PeerId;
      readonly misbehaviour: Misbehaviour;
      /** Protocol or topic, and what was wrong. */
      readonly detail: string;
    }
  | { readonly type: "peerBanned"; readonly peer: PeerId }
  | { readonly type: "dialFailed"; readonly address: string; readonly error: unknown }
  | {
      readonly type: "messageDropped";
      readonly name: string;
      readonly reason: "rate" | "queueFull" | "busy";
      readonly peer: PeerId;
    }
  /**
   * A handler or validator threw instead of giving a verdict: a bug of its owner. It counts as
   * "ignore"; an `AssertionError` must end the process.
   */
  | { readonly type: "handlerThrew"; readonly name: string; readonly error: unknown };

/** Receives events; must not throw. */
export type Observe = (event: NetworkEvent) => void;

/** What protocols and topics need of the network around them. */
export interface PeerGate {
  /** Whether the peer is connected and its handshake done. */
  isReady(peer: PeerId): boolean;
  /** Waits for that; false if the peer goes before. */
  ready(peer: PeerId): Promise<boolean>;
  report(peer: PeerId, misbehaviour: Misbehaviour, detail: string): void;
  readonly observe: Observe;
}

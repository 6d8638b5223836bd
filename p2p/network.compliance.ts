import { describe } from "vitest";
import type { Clock } from "./clock.ts";
import { describeHostility } from "./hostility.compliance.ts";
import { describeMeeting } from "./meeting.compliance.ts";
import { describeTalk } from "./talk.compliance.ts";
import type { Transport } from "./transport.ts";

/** How the suite gets fresh transports of one kind. */
export type TransportMaker = {
  /** A transport with a name of its own for each number from 1 to 200. */
  readonly transport: (number: number) => Promise<Transport>;
  /** Waits until the condition holds; fails after a while. */
  readonly reach: (condition: () => boolean, what: string) => Promise<void>;
};

/** A clock cranked by hand: no deadline falls due because the machine is slow. */
export interface CrankedClock extends Clock {
  advance(byMs: number): Promise<void>;
}

/** What a network over any transport must do; run on the fake and on libp2p alike. */
export function describeNetwork(name: string, maker: TransportMaker): void {
  describe(name, () => {
    describeMeeting(maker);
    describeTalk(maker);
    describeHostility(maker);
  });
}

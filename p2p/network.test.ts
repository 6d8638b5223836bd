import { HandClock, settle } from "../test/fakes/handClock.ts";
import { MemoryNet } from "../test/fakes/memoryTransport.ts";
import { describeNetwork } from "./network.compliance.ts";
import type { TransportMaker } from "./network.compliance.ts";

/** Turns of the event loop in which something that needs no time must have happened. */
const turnsMax = 2_000;

/** A new net in memory whenever the first node is asked for. */
function createMemoryMaker(): TransportMaker {
  let net = new MemoryNet(new HandClock());
  return {
    transport: (number) => {
      if (number === 1) net = new MemoryNet(new HandClock());
      return Promise.resolve(net.transport(`node-${number}`));
    },
    reach: async (condition, what) => {
      for (let turn = 0; turn < turnsMax; turn += 1) {
        if (condition()) return;
        await settle();
      }
      throw new Error(`not reached: ${what}`);
    },
  };
}

describeNetwork("a network in memory", createMemoryMaker());

import { createLibp2pTransport } from "../p2p/libp2pTransport.ts";
import { describeNetwork } from "../p2p/network.compliance.ts";
import { waitFor } from "./harness.ts";

/** Patience for one step among hosts that share two cores. */
const stepMsMax = 20_000;

// The same suite that the fake passes, over real sockets on this machine. Its clock is cranked by
// hand, so no deadline of ours falls due because the machine is slow.
describeNetwork("a network over libp2p", {
  transport: (number) =>
    createLibp2pTransport({
      seed: new Uint8Array(32).fill(number),
      listen: ["/ip4/127.0.0.1/tcp/0"],
      inboundPerSecondMax: 1_000,
    }),
  reach: (condition, what) => waitFor(what, condition, stepMsMax),
});

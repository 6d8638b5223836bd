import { createServer, connect, type Socket } from "node:net";

/*
 * What the kernel of a test machine does not do: delay. It stands before a node's port on the
 * node's own host and holds back every byte, both ways, by the delay of its sender's link. A "loss"
 * on a stream is a retransmission: some pieces, and all behind them, come late by `stallMs`.
 *
 *   node linkProxy.ts LISTEN-ADDRESS LISTEN-PORT TARGET-PORT
 *
 * Rules come by the process channel, and count for what arrives from then on.
 */

/** How a link treats what passes; of the address `*` where a peer has no rule of its own. */
export type LinkRule = {
  readonly address: string;
  readonly delayMs: number;
  /** Of this many pieces one stalls; 0 for none. */
  readonly stallEvery: number;
  readonly stallMs: number;
};

/** Most bytes that wait in one direction of a stream before its sender is held back. */
const waitingBytesMax = 8 * 1024 * 1024;

const straight: LinkRule = { address: "*", delayMs: 0, stallEvery: 0, stallMs: 0 };
const rules = new Map<string, LinkRule>();

function ruleOf(address: string): LinkRule {
  return rules.get(address) ?? rules.get("*") ?? straight;
}

/** Passes bytes on in order, each piece when its time has come. */
function pass(from: Socket, to: Socket, address: string): void {
  let pieces = 0;
  let waiting = 0;
  let readyMs = 0;
  from.on("data", (piece) => {
    const { delayMs, stallEvery, stallMs } = ruleOf(address);
    pieces += 1;
    const stall = stallEvery > 0 && pieces % stallEvery === 0 ? stallMs : 0;
    readyMs = Math.max(readyMs, Date.now() + delayMs + stall);
    waiting += piece.length;
    if (waiting > waitingBytesMax) from.pause();
    setTimeout(
      () => {
        waiting -= piece.length;
        if (waiting <= waitingBytesMax) from.resume();
        if (!to.destroyed) to.write(piece);
      },
      Math.max(0, readyMs - Date.now()),
    );
  });
  from.on("end", () => setTimeout(() => to.end(), Math.max(0, readyMs - Date.now())));
  from.on("error", () => to.destroy());
  from.on("close", () => setTimeout(() => to.destroy(), Math.max(0, readyMs - Date.now())));
}

const [address = "", port = "", target = ""] = process.argv.slice(2);
process.on("message", (message: readonly LinkRule[]) => {
  rules.clear();
  for (const rule of message) rules.set(rule.address, rule);
});
process.on("disconnect", () => process.exit(0));
createServer({ noDelay: true }, (inbound) => {
  const outbound = connect({ host: "127.0.0.1", port: Number(target), noDelay: true });
  const peer = inbound.remoteAddress ?? "";
  pass(inbound, outbound, peer);
  pass(outbound, inbound, peer);
}).listen(Number(port), address, () => process.send?.("ready"));

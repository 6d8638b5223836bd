/*
 * Loaded into a node before its program (`NODE_OPTIONS=--import=...`): its wall clock is most of an
 * hour ahead, and jumps to as much behind on SIGUSR2. Timers are those of the machine. An hour off,
 * its certificates of TLS would not be valid for others: it could not connect at all.
 */

const farMs = 50 * 60_000;
let offMs = farMs;
const trueNow = Date.now.bind(Date);
Date.now = () => trueNow() + offMs;
process.on("SIGUSR2", () => {
  offMs = -farMs;
});

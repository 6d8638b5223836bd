import { parseArgs } from "node:util";
import {
  aggregate,
  aggregatePublicKeys,
  blsBackend,
  blsPublicKeyOf,
  blsSign,
  blsVerify,
  parseBlsPublicKey,
  verifyAggregate,
} from "../crypto/bls.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { textToBytes } from "../base/bytes.ts";
import { median, printTable } from "./measure.ts";

/*
 * What verifying a certificate costs against verifying one signature of the same run: the same two
 * pairings, and an addition of keys for each further member.
 */

const usage = `usage: npm run bench -- certificate [flags]
  --rounds N   verifications of each size (100)`;

const flags = {
  rounds: { type: "string", default: "100" },
  help: { type: "boolean", default: false },
} as const;

const sizes = [1, 4, 16, 31] as const;

/** `npm run bench -- certificate`. */
export function run(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...argv], options: flags });
  if (values.help) return Promise.resolve(console.log(usage));
  const rounds = Number(values.rounds);
  const message = new Uint8Array(150).fill(7);
  const secrets = Array.from({ length: 31 }, (_, i) => {
    const secret = keccak256(textToBytes(`certificate ${i}`));
    secret[0] = 1; // Below the order of the group.
    return secret;
  });
  const keys = secrets.flatMap((secret) => parseBlsPublicKey(blsPublicKeyOf(secret)) ?? []);
  const signatures = secrets.map((secret) => blsSign(message, secret));
  // Rounds of all sizes by turns, so that a busy machine slows all alike.
  const timesUs = new Map<string, number[]>();
  const time = (name: string, work: () => boolean): void => {
    const startMs = performance.now();
    if (!work()) throw new Error(`${name} does not verify`);
    const spent = (performance.now() - startMs) * 1_000;
    timesUs.set(name, [...(timesUs.get(name) ?? []), spent]);
  };
  const first = { key: keys[0], signature: signatures[0] };
  if (first.key === undefined || first.signature === undefined) throw new Error("no keys");
  const { key, signature } = first;
  const sums = sizes.map((size) => aggregate(signatures.slice(0, size)));
  for (let round = 0; round < rounds; round += 1) {
    time("one signature", () => blsVerify(key, message, signature));
    time("30 additions", () => aggregatePublicKeys(keys) !== null);
    for (const [i, size] of sizes.entries()) {
      const sum = sums[i] ?? signature;
      time(`certificate of ${size}`, () => verifyAggregate(keys.slice(0, size), message, sum));
    }
  }
  const single = median(timesUs.get("one signature") ?? []);
  const rows = [...timesUs].map(([name, each]) => {
    const us = median(each);
    return [name, us.toFixed(0), (us / single).toFixed(3)];
  });
  printTable([`${blsBackend} BLS`, "µs (median)", "of one signature"], rows);
  return Promise.resolve();
}

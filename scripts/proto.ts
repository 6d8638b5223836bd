/*
 * Generates the code of the envelopes from their schema (`npm run proto`): static JavaScript and
 * its types, both committed. A folder after it takes the output elsewhere, which is how a test
 * finds stale code.
 */
import { spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";

const root = join(import.meta.dirname, "..");
const folder = process.argv[2] ?? join(root, "p2p/proto");
const binaries = [join(root, "node_modules/node/bin"), join(root, "node_modules/.bin")];

/** Only messages, `encode` and `decode`: nothing else of the generated code is used. */
const without = ["create", "verify", "convert", "delimited", "typeurl", "service"];

function run(command: string, argv: readonly string[]): void {
  const { status } = spawnSync(command, argv, {
    cwd: root,
    env: { ...process.env, PATH: [...binaries, process.env["PATH"] ?? ""].join(delimiter) },
    stdio: "inherit",
  });
  if (status !== 0) throw new Error(`${command} failed`);
}

const script = join(folder, "wire.js");
const flags = ["-t", "static-module", "-w", "es6", "-r", "ledger"];
const trims = without.map((part) => `--no-${part}`);
run("pbjs", [...flags, ...trims, "-o", script, "p2p/proto/wire.proto"]);
run("pbts", ["--no-comments", "-o", join(folder, "wire.d.ts"), script]);

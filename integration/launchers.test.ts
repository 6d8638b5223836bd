import { chmodSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { cleanUp, root, run, temporaryFolder } from "./harness.ts";

/*
 * Goal: the launchers under `bin/` work through any chain of links, and an installed package, which
 * has no pinned Node of its own, uses the host's or says in one sentence why it does not.
 */

afterAll(cleanUp);

/** A copy of `bin/` and of a program that tells how it was started, as an installed package has it. */
function installedPackage(): string {
  const folder = temporaryFolder();
  cpSync(join(root, "bin"), join(folder, "package/bin"), { recursive: true });
  mkdirSync(join(folder, "package/dist/cli"), { recursive: true });
  for (const name of ["ledger", "ledgercli"])
    writeFileSync(
      join(folder, `package/dist/cli/${name}.js`),
      `console.log(JSON.stringify(["${name}", ...process.argv.slice(2)]));`,
    );
  return folder;
}

/** A folder for PATH whose `node` claims a version. */
function hostWith(folder: string, version: string): string {
  const path = join(folder, `host-${version}`);
  mkdirSync(path);
  const node = join(path, "node");
  const claim = `#!/bin/sh\n[ "$1" = --version ] && { echo ${version}; exit; }\n`;
  writeFileSync(node, `${claim}exec "${process.execPath}" "$@"\n`);
  chmodSync(node, 0o755);
  return `${path}:/usr/bin:/bin`;
}

describe("bin/", () => {
  test("works through a chain of links, arguments as they are", async () => {
    const folder = temporaryFolder();
    symlinkSync(join(root, "bin/ledgercli"), join(folder, "one"));
    symlinkSync("one", join(folder, "two"));
    const ran = await run(join(folder, "two"), ["version"], { folder });
    expect(ran.exit, ran.err).toBe(0);
    expect(ran.out).toMatch(/^ledgercli \d+\.\d+\.\d+ /);
  });

  test.each(["v22.18.0", "v24.1.0", "v26.0.0"])("takes the host's Node %s", async (version) => {
    const folder = installedPackage();
    const environment = { PATH: hostWith(folder, version) };
    const ran = await run(join(folder, "package/bin/ledger"), ["a b", "*"], { environment });
    expect([ran.exit, ran.err]).toEqual([0, ""]);
    expect(JSON.parse(ran.out)).toEqual(["ledger", "a b", "*"]);
  });

  test.each(["v20.20.2", "v22.17.9", "v8.0.0", "odd"])("says why not %s", async (version) => {
    const folder = installedPackage();
    const environment = { PATH: hostWith(folder, version) };
    const ran = await run(join(folder, "package/bin/ledgercli"), [], { environment });
    expect([ran.exit, ran.out]).toEqual([1, ""]);
    expect(ran.err).toBe(
      `error: ledgercli needs Node 22.18 or newer and found ${version}. In a checkout run: npm ci\n`,
    );
  });
});

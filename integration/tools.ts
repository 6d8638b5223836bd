import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { freePort, root, run, start, waitFor } from "./harness.ts";

/*
 * Other people's tools, each with a package.json of its own: they would spoil the project's. They
 * are installed once per content of that file, below `node_modules/.cache`.
 */

/** Where solc's npm package lies. */
export const solcFolder: string = dirname(
  createRequire(import.meta.url).resolve("solc/package.json"),
);

/** Longest until anvil answers, in milliseconds. */
const anvilMsMax = 30_000;

/** Installs a tool and lays its project, `integration/NAME`, beside it; answers the folder. */
export async function installTool(name: string): Promise<string> {
  const project = join(root, "integration", name);
  const manifest = readFileSync(join(project, "package.json"));
  const digest = createHash("sha256").update(manifest).digest("hex").slice(0, 16);
  const folder = join(root, "node_modules", ".cache", "tools", `${name}-${digest}`);
  if (!existsSync(folder)) {
    // Under another name first: an installation that was cut off is none.
    const draft = `${folder}.draft`;
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft, { recursive: true });
    cpSync(join(project, "package.json"), join(draft, "package.json"));
    const flags = ["--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"];
    const installed = await run("npm", ["install", ...flags], { folder: draft });
    if (installed.exit !== 0) throw new Error(`npm install of ${name}\n${installed.err}`);
    renameSync(draft, folder);
  }
  cpSync(project, folder, { recursive: true });
  return folder;
}

/** Starts anvil at the newest fork under the private networks' chain id; `cleanUp` ends it. */
export async function startAnvil(flags: readonly string[] = []): Promise<string> {
  const port = await freePort();
  const program = join(root, "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil");
  const chain = ["--hardfork", "osaka", "--chain-id", "366"];
  start(program, ["--port", `${port}`, "--silent", ...chain, ...flags]);
  const url = `http://127.0.0.1:${port}`;
  const answers = (): Promise<boolean> =>
    fetch(url, { method: "POST", body: "{}" }).then(
      () => true,
      () => false,
    );
  await waitFor("anvil answers", answers, anvilMsMax);
  return url;
}

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadConfig, settingNames } from "./config.ts";

describe("config", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ledger-config-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const load = (
    text: string,
    options: { overrides?: [string, unknown][]; environment?: NodeJS.ProcessEnv } = {},
  ): ReturnType<typeof loadConfig> => {
    writeFileSync(join(folder, "config.yaml"), text);
    return loadConfig({
      folder,
      overrides: options.overrides ?? [],
      environment: options.environment ?? {},
    });
  };

  it("takes the default where nothing is said", () => {
    const config = load("");
    expect(config.rpc).toMatchObject({ address: "127.0.0.1", port: 16_888 });
    expect(config.dataFolder).toBe(join(folder, "data"));
    expect(config.genesisPath).toBe(join(folder, "genesis.json"));
  });

  it("prefers flag to environment to file", () => {
    const text = "rpc:\n  port: 1\n  secondPort: 2\nlog:\n  level: warn\n";
    const environment = { LEDGER_RPC_PORT: "11", LEDGER_RPC_SECOND_PORT: "12" };
    const config = load(text, { environment, overrides: [["rpc.port", 111]] });
    expect(config.rpc.port).toBe(111);
    expect(config.rpc.secondPort).toBe(12);
    expect(config.log.level).toBe("warn");
  });

  it.each([
    ["A17 unknown setting", "rpc:\n  prot: 1\n", /unknown setting rpc\.prot/],
    ["A17 unknown section", "rcp:\n  port: 1\n", /unknown setting rcp/],
    ["A17 wrong type", "rpc:\n  port: high\n", /rpc\.port/],
    ["A17 out of range", "rpc:\n  port: 70000\n", /rpc\.port/],
    ["A17 duplicate port", "rpc:\n  port: 5\n  secondPort: 5\n", /both 5/],
    ["A17 duplicate key", "rpc:\n  port: 5\n  port: 6\n", /the key "port" twice, in line 3/],
    ["A17 duplicate section", "rpc: {}\nlog: {}\nrpc: {}\n", /the key "rpc" twice, in line 3/],
    ["A17 broken file", "rpc: [\n", /not valid YAML/],
    ["E10 prototype key", "__proto__:\n  port: 1\n", /unknown setting __proto__/],
  ])("%s is refused with a clear word", (_, text, message) => {
    expect(() => load(text)).toThrow(message);
    expect(({} as Record<string, unknown>)["port"]).toBeUndefined();
  });

  it("is documented setting by setting", () => {
    const page = readFileSync(join(import.meta.dirname, "../docs/CONFIGURATION.md"), "utf8");
    const rows = [...page.matchAll(/^\| `(\w+\.\w+)` \|/gm)].map((row) => row[1]);
    expect(rows).toEqual(settingNames());
  });

  it("says which command makes a folder that is missing", () => {
    const missing = join(folder, "none");
    const attempt = (): unknown => loadConfig({ folder: missing, overrides: [], environment: {} });
    expect(attempt).toThrow(/no configuration folder/);
  });
});

import { readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { dirname, join } from "node:path";
import type { BuildInfo } from "../rpc/api.ts";

/** The program's folder: where package.json lies. */
function packageFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  return here.endsWith(join("dist", "node")) ? join(here, "..", "..") : join(here, "..");
}

/** Version, and in a checkout the commit; `unknown` in an installed package. */
export function buildInfo(): BuildInfo {
  const folder = packageFolder();
  const file: unknown = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const isNamed = typeof file === "object" && file !== null && "version" in file;
  const version = isNamed && typeof file.version === "string" ? file.version : "unknown";
  return { version, ...commitOf(folder) };
}

function commitOf(folder: string): Pick<BuildInfo, "commit" | "builtAt"> {
  try {
    const output = execFileSync("git", ["-C", folder, "log", "-1", "--format=%H %cI"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 2_000,
    });
    const [commit = "unknown", builtAt = "unknown"] = output.trim().split(" ");
    return { commit, builtAt };
  } catch {
    // No git, or no checkout: an installed package.
    return { commit: "unknown", builtAt: "unknown" };
  }
}

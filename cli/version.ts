import { existsSync, readFileSync } from "node:fs";

/** The package's version, such as `0.1.0`. */
export function packageVersion(): string {
  // From a checkout this file lies in `cli/`, in the published package in `dist/cli/`.
  for (const up of ["../package.json", "../../package.json"]) {
    const path = new URL(up, import.meta.url);
    if (!existsSync(path)) continue;
    const content: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof content === "object" && content !== null && "version" in content)
      return String(content.version);
  }
  return "unknown";
}

/** What `--version` prints. */
export function versionLine(program: string): string {
  const platform = `${process.platform} ${process.arch}`;
  return `${program} ${packageVersion()} (node ${process.versions.node}, ${platform})`;
}

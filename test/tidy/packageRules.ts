import type { Finding, Rule } from "./rule.ts";
import { isTest } from "./source.ts";
import type { SourceFile } from "./source.ts";

type Manifest = {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly allowScripts?: Readonly<Record<string, boolean>>;
};

type Lock = {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};

type LockedPackage = {
  readonly link?: boolean;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
};

/** The record with a reason for each runtime dependency. */
const reasonsPath = "docs/adr/007-runtime-dependencies.md";

function textOf(tree: readonly SourceFile[], path: string): string | null {
  return tree.find((file) => file.path === path)?.text ?? null;
}

function inFile(path: string, messages: readonly string[]): readonly Finding[] {
  return messages.map((message) => ({ path, line: 1, message }));
}

/** Whether some file that is no test imports the package. */
function isUsed(tree: readonly SourceFile[], name: string): boolean {
  return tree.some(
    ({ path, imports }) =>
      !isTest(path) &&
      !/^(test|integration|bench)\//.test(path) &&
      imports.some(({ specifier }) => specifier === name || specifier.startsWith(`${name}/`)),
  );
}

/** Exact versions, and a use and a written reason for each dependency that runs. */
export const dependencyRule: Rule = {
  name: "dependencies",
  check: (tree) => {
    const text = textOf(tree, "package.json");
    if (text === null) return [];
    const manifest = JSON.parse(text) as Manifest;
    const reasons = textOf(tree, reasonsPath) ?? "";
    const groups = [manifest.dependencies, manifest.devDependencies, manifest.optionalDependencies];
    const shipped = tree.filter(({ path }) => path.includes("/") && !path.startsWith("scripts/"));
    const every = groups.flatMap((group) => Object.entries(group ?? {}));
    return inFile("package.json", [
      ...every
        .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
        .map(([name, version]) => `${name} has the version ${version}, not an exact one`),
      ...Object.keys(manifest.dependencies ?? {})
        .filter((name) => !reasons.includes(`\`${name}\``))
        .map((name) => `${name} has no line in ${reasonsPath}`),
      ...Object.keys(manifest.dependencies ?? {})
        .filter((name) => !isUsed(tree, name))
        .map((name) => `${name} is used by tests only, or by nobody`),
      ...Object.keys(manifest.devDependencies ?? {})
        .filter((name) => isUsed(shipped, name))
        .map((name) => `${name} is not there in an installed package, and something imports it`),
    ]);
  },
};

/** Every locked package is fixed by its hash, and every install script is decided upon. */
export const lockRule: Rule = {
  name: "lock file",
  check: (tree) => {
    const text = textOf(tree, "package-lock.json");
    const manifestText = textOf(tree, "package.json");
    if (text === null || manifestText === null) return [];
    const lock = JSON.parse(text) as Lock;
    const decided = (JSON.parse(manifestText) as Manifest).allowScripts ?? {};
    const packages = Object.entries(lock.packages).filter(([path]) => path !== "");
    const scripted = packages.filter(([, locked]) => locked.hasInstallScript === true);
    const names = scripted.map(([path]) => path.slice(path.lastIndexOf("node_modules/") + 13));
    return inFile("package-lock.json", [
      ...packages
        .filter(
          ([, locked]) => locked.link !== true && !(locked.integrity ?? "").startsWith("sha512-"),
        )
        .map(([path]) => `${path} has no SHA-512 integrity`),
      ...names
        .filter((name) => decided[name] === undefined)
        .map((name) => `${name} has an install script that allowScripts does not decide upon`),
    ]);
  },
};

/** Only the pinned Node may run a script when it is installed. */
export const scriptRule: Rule = {
  name: "install scripts",
  check: (tree) => {
    const text = textOf(tree, "package.json");
    if (text === null) return [];
    const { allowScripts = {} } = JSON.parse(text) as Manifest;
    return inFile(
      "package.json",
      Object.entries(allowScripts)
        .filter(([name, allowed]) => allowed && name !== "node")
        .map(([name]) => `${name} may run an install script`),
    );
  },
};

import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { plantedViolations } from "./tidy/planted.ts";
import { printFinding } from "./tidy/rule.ts";
import { rules } from "./tidy/rules.ts";
import { readTree, sourceFile } from "./tidy/source.ts";

/*
 * The rules that no linter knows. Each is a pure function over the tree; each has a planted
 * violation, because a rule with a slip in its pattern matches nothing and stays green.
 */

const tree = readTree(join(import.meta.dirname, ".."));

/** Rules and plants are full of what they forbid. */
const own = /^test\/tidy\/(planted|textRules|words|arrowRules)\.ts$/;

describe("the tree", () => {
  test.each(rules)("keeps the rule: $name", ({ check }) => {
    const findings = check(tree).filter(({ path }) => !own.test(path));
    expect(findings.map(printFinding)).toEqual([]);
  });

  test("was read", () => {
    expect(tree.map((file) => file.path)).toContain("base/bytes.ts");
    expect(tree.flatMap((file) => file.imports).length).toBeGreaterThan(50);
  });
});

describe("rows of faults that a rule excludes", () => {
  const broken = (...names: readonly string[]): readonly string[] =>
    rules
      .filter(({ name }) => names.includes(name))
      .flatMap(({ check }) => check(tree).filter(({ path }) => !own.test(path)))
      .map(printFinding);

  test("E12: no order of arrival, locale or fraction in what decides a block", () => {
    expect(broken("words", "sort")).toEqual([]);
  });

  test("E13: no clock, dice or environment in what decides a block", () => {
    expect(broken("words", "arrows", "packages")).toEqual([]);
  });

  test("A16: locked by hash, exact versions with a reason each, one install script", () => {
    expect(broken("dependencies", "lock file", "install scripts", "machine")).toEqual([]);
  });
});

describe("a planted violation is found, and nothing beside it:", () => {
  test.each(plantedViolations)("$rule", ({ rule: name, files, found }) => {
    const rule = rules.find((candidate) => candidate.name === name);
    const planted = Object.entries(files).map(([path, text]) => sourceFile(path, text));
    const findings = rule?.check(planted) ?? [];
    expect(findings.map(({ path, line }) => `${path}:${line}`)).toEqual(found);
  });

  test("every rule has one", () => {
    const names = new Set(plantedViolations.map((planted) => planted.rule));
    expect(rules.map((rule) => rule.name).filter((name) => !names.has(name))).toEqual([]);
  });
});

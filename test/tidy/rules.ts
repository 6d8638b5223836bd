import { arrowRule, fileNameRule, orphanRule, packageRule } from "./arrowRules.ts";
import { dependencyRule, lockRule, scriptRule } from "./packageRules.ts";
import type { Rule } from "./rule.ts";
import {
  answerRule,
  columnRule,
  commentRule,
  documentRule,
  machineRule,
  retryRule,
  skipRule,
  sleepRule,
  todoRule,
} from "./textRules.ts";
import { castRule, sortRule, wordRule } from "./words.ts";

/** Every rule; `test/tidy.test.ts` demands a planted violation of each. */
export const rules: readonly Rule[] = [
  arrowRule,
  packageRule,
  orphanRule,
  fileNameRule,
  wordRule,
  sortRule,
  castRule,
  commentRule,
  todoRule,
  columnRule,
  skipRule,
  retryRule,
  sleepRule,
  machineRule,
  documentRule,
  answerRule,
  dependencyRule,
  lockRule,
  scriptRule,
];

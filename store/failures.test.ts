import { expect, test } from "vitest";
import { toStorageError } from "./failures.ts";

function systemError(code: string): Error {
  return Object.assign(new Error("the call failed"), { code });
}

test.each([
  ["ENOSPC", "No space left on device", "The disk is full."],
  ["EDQUOT", "Disk quota exceeded", "The disk quota is used up."],
  ["EROFS", "Read-only file system", "The file system is read-only."],
  ["EACCES", "Permission denied", "The data folder may not be written."],
  ["EIO", "Input/output error", "The disk reports an input/output error."],
  ["EMFILE", "Too many open files", "Too many files are open."],
])("D14: %s has its sentence, by code or by the engine's text", (code, phrase, sentence) => {
  const engine = new Error("Database failed to open", {
    cause: new Error(`IO error: /data/LOCK: ${phrase}`),
  });
  for (const cause of [systemError(code), engine]) {
    const failure = toStorageError("/data", cause);
    expect(failure.message).toBe(`/data: ${sentence}`);
    expect(failure).toMatchObject({ code: "E_STORAGE", cause });
  }
});

test("what has no sentence is told in its own words", () => {
  expect(toStorageError("/data", systemError("EWEIRD")).message).toContain("the call failed");
  expect(toStorageError("/data", "odd").message).toContain("odd");
});

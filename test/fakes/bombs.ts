/*
 * Code that costs a node as much as it can for its gas. Each may run as a contract or as init code,
 * so that a single transaction is the whole attack. Hex without prefix.
 */

/** Code that runs the body again and again until its gas is used up. */
function endless(body: string, times = 1): string {
  return `5b${body.repeat(times)}5f56`;
}

/** Goes through numbers: the body finds the next one on the stack, and takes nothing else. */
function counting(body: string): string {
  return `5f5b600101${body}600156`;
}

/** Asks a precompile the same again and again; its input stands behind the code. */
function asking(precompile: number, input: string): string {
  const size = (input.length / 2).toString(16).padStart(4, "0");
  const copy = `61${size}60175f39`; // From byte 23, where the input begins.
  const call = `60405f61${size}5f61${precompile.toString(16).padStart(4, "0")}5afa50`;
  return `${endless(copy + call)}${input}`;
}

const word = (value: bigint | number): string => value.toString(16).padStart(64, "0");

/** A point of bn254's G1, and one of G2. */
const g1 = word(1) + word(2);
const g2 = [
  "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2",
  "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed",
  "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b",
  "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa",
].join("");

/** A signature that recovers, and one of P-256 that verifies [EIP-7951]. */
const signature = [
  "456e9aea5e197a1f1af7a3e85a3212fa4049a3ba34c2289b4c860fc0b0c64ef3",
  word(28),
  "9242685bf161793cc25603c231bc2f568eb630ea16aa137d2664ac8038825608",
  "4f8ae3bd7535248d0bd448298cc2e2071e56992d0774dc340c368ae950852ada",
].join("");
const p256 = [
  "4cee90eb86eaa050036147a12d49004b6b9c72bd725d39d4785011fe190f0b4d",
  "a73bd4903f0ce3b639bbbf6e8e80d16931ff4bcf5993d58468e8fb19086e8cac",
  "36dbcd03009df8c59286b162af3bd7fcc0450c9aa81be5d10d312af6c66b1d60",
  "4aebd3099c618202fcfe16ae7770b0c49ab5eadf74b754204a3bb6060e44eff3",
  "7618b065f9832de4ca6ca971a7a1adc826d0f7c00181a5fb2ddf79ae00b4e10e",
].join("");

const power = [word(256), word(256), word(256), "fe".repeat(256), "ff".repeat(256)].join("");

/** What each does, and its code; the first is what others are compared with. */
export const bombs: ReadonlyMap<string, string> = new Map([
  ["additions", endless("600160020150", 200)],
  ["quadratic memory", "5b60015961200001525f56"],
  ["hashes of 32 bytes", endless("60205f2050", 100)],
  ["fresh slots", counting("808055")],
  ["cold slots", counting("805450")],
  ["sizes of cold accounts' code", counting("803b50")],
  ["copies of cold accounts' code", counting("60015f5f833c")],
  ["hashes of blocks", endless("600143034050", 100)],
  ["transient slots", counting("80805d")],
  ["logs of 1,000 bytes", endless("5f5f5f5f6103e85fa4", 50)],
  ["contracts created", endless("5f5f5ff050")],
  ["return data", endless("5f5f61ffff5f60045afa503d5f5f3e")],
  ["MODEXP of 256 bytes", asking(5, `${power}${"fd".repeat(256)}`)],
  ["bn254 products", asking(7, `${g1}${"ff".repeat(32)}`)],
  ["bn254 pairings", asking(8, `${g1}${g2}${g1}${g2}`)],
  ["signatures", asking(1, signature)],
  ["P-256 signatures", asking(256, p256)],
]);

/** Contracts that call themselves: in init code there would be nobody to call. */
export const recursions: ReadonlyMap<string, string> = new Map([
  // Until depth or gas is used up, in every frame again.
  ["calls of itself", "5b5f5f5f5f5f305af1505f56"],
  // With one byte it stops, with two it reverts, and with none it calls both ways in turns.
  [
    "calls that end well and badly",
    [
      "36806001 14602a57 600214602c57", // By the size of the input.
      "5b 5f5f60015f5f306103e8f150 5f5f60025f5f306103e8f150 600e56",
      "5b00 5b5f5ffd",
    ]
      .join("")
      .replaceAll(" ", ""),
  ],
]);

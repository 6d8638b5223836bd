import { bytesToBigInt, textToBytes } from "../base/bytes.ts";
import { keccak256 } from "../crypto/keccak.ts";

/*
 * Theta's rule from a chain's text name to its EIP-155 number (theta.md 2.6). A network of ours
 * states both in its genesis; the rule serves those that carry Theta's names.
 */

const named: ReadonlyMap<string, bigint> = new Map([
  ["mainnet", 361n],
  ["testnet_sapphire", 363n],
  ["testnet_amber", 364n],
  ["testnet", 365n],
  ["privatenet", 366n],
]);

/** What Theta added to its first numbers when wallets of Ethereum could sign for it. */
const offset = 360n;
const subchainIdMin = 1_000n;
const u64Max = 0xffff_ffff_ffff_ffffn;

/**
 * The number that Theta's clients derive from a name. For unknown names it is a hash, far above
 * 2^53.
 */
export function thetaChainId(chainName: string): bigint {
  const known = named.get(chainName);
  if (known !== undefined) return known;
  const digits = /^tsub([1-9][0-9]{3,19})$/.exec(chainName)?.[1];
  const subchain = digits === undefined ? 0n : BigInt(digits);
  if (subchain >= subchainIdMin && subchain <= u64Max) return subchain;
  return bytesToBigInt(keccak256(textToBytes(chainName))) + offset;
}

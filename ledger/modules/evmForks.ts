import type { Address } from "../../base/brand.ts";
import { forkDefault, forkOrNull, isFrom, type ForkName } from "../../vm/forks.ts";
import { historyAddress } from "./evmHistory.ts";
import { precompileAddress } from "./evmPrecompiles.ts";

/*
 * What a fork brings, for whoever asks a node about it (eth_config). Names are those of EIP-7910.
 * Point evaluation is not among them: it needs blobs, and answers nobody here.
 */

const precompileNumbers: readonly (readonly [name: string, number: number, since: ForkName])[] = [
  ["ECREC", 0x01, "istanbul"],
  ["SHA256", 0x02, "istanbul"],
  ["RIPEMD160", 0x03, "istanbul"],
  ["ID", 0x04, "istanbul"],
  ["MODEXP", 0x05, "istanbul"],
  ["BN254_ADD", 0x06, "istanbul"],
  ["BN254_MUL", 0x07, "istanbul"],
  ["BN254_PAIRING", 0x08, "istanbul"],
  ["BLAKE2F", 0x09, "istanbul"],
  ["BLS12_G1ADD", 0x0b, "prague"],
  ["BLS12_G1MSM", 0x0c, "prague"],
  ["BLS12_G2ADD", 0x0d, "prague"],
  ["BLS12_G2MSM", 0x0e, "prague"],
  ["BLS12_PAIRING_CHECK", 0x0f, "prague"],
  ["BLS12_MAP_FP_TO_G1", 0x10, "prague"],
  ["BLS12_MAP_FP2_TO_G2", 0x11, "prague"],
  ["P256VERIFY", 0x100, "osaka"],
];

/** Ethereum's contracts of the program under the parameter `evm.fork`, by name. */
export function forkContracts(forkText: string): {
  readonly precompiles: ReadonlyMap<string, Address>;
  readonly systemContracts: ReadonlyMap<string, Address>;
} {
  const fork = forkOrNull(forkText) ?? forkDefault;
  const precompiles = new Map(
    precompileNumbers
      .filter(([, , since]) => isFrom(fork, since))
      .map(([name, number]) => [name, precompileAddress(number)]),
  );
  const hasHistory = isFrom(fork, "prague");
  const systemContracts = new Map(
    hasHistory ? [["HISTORY_STORAGE_ADDRESS", historyAddress] as const] : [],
  );
  return { precompiles, systemContracts };
}

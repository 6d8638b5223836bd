import type { Address } from "../base/brand.ts";
import { bigIntToFixedBytes, bytesToAddress, textToBytes } from "../base/bytes.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { keySigner, type Signer } from "../sdk/wallet.ts";

/** TFuelWei that every sender owns at genesis, on every system that is measured. */
export const senderTfuelWei = 10n ** 24n;

/** ThetaWei that every sender owns at genesis. */
export const senderThetaWei = 10n ** 24n;

/** Chain of the measured networks; the number is in our own range and anvil is given the same. */
export const benchChainName = "ledgerbench";

/** The funded accounts: the same keys in every run, so that runs can be compared. */
export function benchSenders(count: number): readonly Signer[] {
  return Array.from({ length: count }, (_, i) =>
    keySigner(keccak256(textToBytes(`ledger bench sender ${i}`))),
  );
}

/** An account that nobody has the key of. */
export function idleAddress(index: number): Address {
  // The first byte keeps it away from precompiles and from the modules' reserved addresses.
  return bytesToAddress(bigIntToFixedBytes((0xben << 152n) | BigInt(index), 20));
}

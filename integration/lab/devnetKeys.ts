import { HDNodeWallet } from "ethers";

/** The mnemonic that every devnet funds; published, so worth nothing elsewhere. */
const mnemonic = "test test test test test test test test test test test junk";

/** Private keys of the funded accounts, in their order. */
export const devnetKeys: readonly string[] = Array.from(
  { length: 10 },
  (_, i) => HDNodeWallet.fromPhrase(mnemonic, undefined, `m/44'/60'/0'/0/${i}`).privateKey,
);

import { HDKey } from "@scure/bip32";
import {
  entropyToMnemonic,
  generateMnemonic,
  mnemonicToEntropy,
  mnemonicToSeedSync,
} from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";

/*
 * Wallets from words: a mnemonic [BIP-39, English list] gives a seed, the seed a tree of keys
 * [BIP-32], accounts lie at `m/44'/60'/0'/0/i` [BIP-44], where Ethereum's and Theta's wallets look.
 */

/** A fresh mnemonic of 12 words (128 bits) or 24 (256 bits). */
export function createMnemonic(words: 12 | 24 = 12): string {
  return generateMnemonic(wordlist, words === 12 ? 128 : 256);
}

/** One space between words, lower case, as people do not always type it. */
export function normalizeMnemonic(text: string): string {
  return text.normalize("NFKD").trim().toLowerCase().split(/\s+/).join(" ");
}

/** Whether the words are of the English list and their checksum is right. */
export function isMnemonic(mnemonic: string): boolean {
  return mnemonicEntropy(mnemonic) !== null;
}

/** The entropy behind a mnemonic, 16 to 32 bytes; `null` if it is none. */
export function mnemonicEntropy(mnemonic: string): Uint8Array | null {
  try {
    return mnemonicToEntropy(normalizeMnemonic(mnemonic), wordlist);
  } catch {
    return null; // The library throws on unknown words, wrong counts and wrong checksums.
  }
}

/** The mnemonic of 16, 20, 24, 28 or 32 bytes of entropy. */
export function mnemonicOfEntropy(entropy: Uint8Array): string {
  return entropyToMnemonic(entropy, wordlist);
}

/** The seed (64 bytes) of a mnemonic of any language; its checksum is not looked at. */
export function mnemonicSeed(mnemonic: string, passphrase = ""): Uint8Array {
  return mnemonicToSeedSync(mnemonic, passphrase);
}

/** The path of account `index`, below 2^31. */
export function accountPath(index: number): string {
  return `m/44'/60'/0'/0/${index}`;
}

/** The private key of a seed along a path `m/44'/60'/…`; `null` if the path is not one. */
export function derivePath(seed: Uint8Array, path: string): Uint8Array | null {
  if (!/^m(\/\d{1,10}'?){0,16}$/.test(path)) return null;
  const indexes = path.split("/").slice(1);
  if (indexes.some((part) => Number.parseInt(part, 10) >= 2 ** 31)) return null;
  return HDKey.fromMasterSeed(seed).derive(path).privateKey;
}

/** The private key of account `index` of an English mnemonic; `null` if it is none. */
export function mnemonicPrivateKey(
  mnemonic: string,
  index: number,
  passphrase = "",
): Uint8Array | null {
  if (!isMnemonic(mnemonic)) return null;
  return derivePath(mnemonicSeed(normalizeMnemonic(mnemonic), passphrase), accountPath(index));
}

import type { Address } from "../base/brand.ts";

/*
 * Accounts whose private keys anybody can read: Theta's privatenet fixtures (theta.md 8.8) and the
 * ten accounts of the mnemonic `test test test test test test test test test test test junk` that
 * Ethereum tools know. They own nothing on a public network (DESIGN 8).
 */

/** Addresses of published keys, lowercase. */
export const publishedAddresses: ReadonlySet<Address | string> = new Set([
  "0x2e833968e5bb786ae419c4d13189fb081cc43bab",
  "0x9f1233798e905e173560071255140b4a8abd3ec6",
  "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a",
  "0x1563915e194d8cfba1943570603f7606a3115508",
  "0x5cbdd86a2fa8dc4bddd8a8f69dba48572eec07fb",
  "0x7564105e977516c53be337314c7e53838967bdac",
  "0xe1fae9b4fab2f5726677ecfa912d96b0b683e6a9",
  "0xdb2430b4e9ac14be6554d3942822be74811a1af9",
  "0xae72a48c1a36bd18af168541c53037965d26e4a8",
  "0x62f94e9ac9349bccc61bfe66ddade6292702ecb6",
  "0x0d8e461687b7d06f86ec348e0c270b0f279855f0",
  "0x7b2419e0ee0bd034f7bf24874c12512acac6e21c",
  "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266",
  "0x70997970c51812dc3a010c7d01b50e0d17dc79c8",
  "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc",
  "0x90f79bf6eb2c4f870365e785982e1f101e93b906",
  "0x15d34aaf54267db7d7c367839aaf71a00a2c6a65",
  "0x9965507d1a55bcc2695c58ba16fb37d819b0a4dc",
  "0x976ea74026e726554db657fa54763abd0c3a0aa9",
  "0x14dc79964da2c08b23698b3d3cc7ca32193d9955",
  "0x23618e81e3f5cdf7f54c3d65f7fbc0abf5b21e8f",
  "0xa0ee7a142d267c1f36714e4a8f75612f20a79720",
]);

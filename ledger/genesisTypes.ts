import type { Address } from "../base/brand.ts";
import type { ParameterValue } from "./parameters.ts";
import type { Coins } from "./thetaTypes.ts";

/** A validator's stake at genesis. */
export type GenesisStake = {
  /** Who gets it back. */
  readonly source: Address;
  /** Who validates with it. */
  readonly holder: Address;
  /** ThetaWei. */
  readonly amount: bigint;
};

/** A validator's BLS key at genesis. */
export type GenesisKey = {
  readonly holder: Address;
  /** 48 bytes. */
  readonly blsKey: Uint8Array;
  /**
   * 96 bytes; bound to the holder and to `genesisKeyDomain`, not to the genesis hash
   * (docs/PROTOCOL.md).
   */
  readonly proof: Uint8Array;
};

/** What a genesis file says, decoded. The order of its lists has no meaning. */
export type GenesisContent = {
  readonly chainName: string;
  readonly chainId: number;
  /** What well-known keys may be used for: refused on public networks (DESIGN 8). */
  readonly kind: "public" | "private" | "development";
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
  /** Those that are set, by full name; the others have their defaults. */
  readonly parameters: ReadonlyMap<string, ParameterValue>;
  readonly balances: readonly { readonly address: Address; readonly coins: Coins }[];
  readonly stakes: readonly GenesisStake[];
  readonly keys: readonly GenesisKey[];
};

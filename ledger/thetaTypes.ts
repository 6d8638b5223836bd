import type { Address } from "../base/brand.ts";

/** Two amounts: ThetaWei and TFuelWei (1 coin = 10^18 wei). */
export type Coins = { readonly thetaWei: bigint; readonly tfuelWei: bigint };

/** A debited account of a Theta transaction; an absent signature is empty. */
export type TxInput = {
  readonly address: Address;
  readonly coins: Coins;
  readonly sequence: bigint;
  /** `r || s || v`, 65 bytes, or empty. */
  readonly signature: Uint8Array;
};

/** A credited account. */
export type TxOutput = { readonly address: Address; readonly coins: Coins };

/** A share of a split rule: whole per cent. */
export type Split = { readonly address: Address; readonly percentage: number };

/** The twelve Theta transaction types (theta.md 2.1, 2.3); `type` names the code. */
export type ThetaTransaction =
  | {
      readonly type: "coinbase";
      readonly proposer: TxInput;
      readonly outputs: readonly TxOutput[];
      readonly blockHeight: bigint;
    }
  | {
      readonly type: "slash";
      readonly proposer: TxInput;
      readonly slashedAddress: Address;
      readonly reserveSequence: bigint;
      readonly slashProof: Uint8Array;
    }
  | {
      readonly type: "send";
      readonly fee: Coins;
      readonly inputs: readonly TxInput[];
      readonly outputs: readonly TxOutput[];
    }
  | {
      readonly type: "reserveFund";
      readonly fee: Coins;
      readonly source: TxInput;
      readonly collateral: Coins;
      readonly resourceIds: readonly string[];
      readonly duration: bigint;
    }
  | {
      readonly type: "releaseFund";
      readonly fee: Coins;
      readonly source: TxInput;
      readonly reserveSequence: bigint;
    }
  | {
      readonly type: "servicePayment";
      readonly fee: Coins;
      readonly source: TxInput;
      readonly target: TxInput;
      readonly paymentSequence: bigint;
      readonly reserveSequence: bigint;
      readonly resourceId: string;
    }
  | {
      readonly type: "splitRule";
      readonly fee: Coins;
      readonly resourceId: string;
      readonly initiator: TxInput;
      readonly splits: readonly Split[];
      readonly duration: bigint;
    }
  | {
      readonly type: "smartContract";
      readonly from: TxInput;
      readonly to: TxOutput;
      readonly gasLimit: bigint;
      readonly gasPrice: bigint;
      readonly data: Uint8Array;
    }
  | {
      readonly type: "depositStake";
      readonly fee: Coins;
      readonly source: TxInput;
      readonly holder: TxOutput;
      readonly purpose: number;
    }
  | {
      readonly type: "withdrawStake";
      readonly fee: Coins;
      readonly source: TxInput;
      readonly holder: TxOutput;
      readonly purpose: number;
    }
  | {
      readonly type: "depositStakeV2";
      readonly fee: Coins;
      readonly source: TxInput;
      readonly holder: TxOutput;
      readonly purpose: number;
      /** 48 bytes or empty. */
      readonly blsPubkey: Uint8Array;
      /** 96 bytes or empty. */
      readonly blsPop: Uint8Array;
      /** 65 bytes or empty. */
      readonly holderSig: Uint8Array;
    }
  | {
      readonly type: "stakeRewardDistribution";
      readonly fee: Coins;
      readonly holder: TxInput;
      readonly beneficiary: TxOutput;
      readonly splitBasisPoint: bigint;
    };

/** An Ethereum transaction of a supported envelope, its sender recovered. */
export type EthereumTransaction = {
  readonly type: "legacy" | "accessList" | "feeMarket" | "setCode";
  readonly nonce: bigint;
  readonly gasLimit: bigint;
  readonly maxFeePerGas: bigint;
  readonly maxPriorityFeePerGas: bigint;
  /** `null` creates a contract. */
  readonly to: Address | null;
  readonly value: bigint;
  readonly data: Uint8Array;
  readonly accessList: readonly {
    readonly address: Address;
    readonly storageKeys: readonly Uint8Array[];
  }[];
  readonly authorizations: readonly {
    readonly chainId: bigint;
    readonly address: Address;
    readonly nonce: bigint;
    readonly yParity: number;
    readonly r: bigint;
    readonly s: bigint;
  }[];
};

/**
 * A module operation of type code 32: `[fee, inputs[], module, op, body, gasLimit, expiryHeight,
 * scope]` (DESIGN 3).
 */
export type ModuleOperation = {
  readonly fee: Coins;
  /** In ascending address order, none twice; each signs the same bytes. */
  readonly inputs: readonly TxInput[];
  readonly module: string;
  readonly op: string;
  /** The operation's own RLP, decoded by the module's codec. */
  readonly body: Uint8Array;
  readonly gasLimit: bigint;
  /** Last height of inclusion; 0 for none. */
  readonly expiryHeight: number;
  readonly scope: string;
};

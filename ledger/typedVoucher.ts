import type { Address, Digest } from "../base/brand.ts";
import {
  bigIntToFixedBytes,
  bytesToBigInt,
  concatBytes,
  hexToBytes,
  textToBytes,
} from "../base/bytes.ts";
import { keccak256 } from "../crypto/keccak.ts";
import type { Voucher, VoucherChain } from "./voucher.ts";

/*
 * EIP-712. The domain has no contract: a salt, the genesis hash, says which chain it is, so that a
 * network that was reset does not take the vouchers of its former life.
 */

const domainFields = [
  { name: "name", type: "string" },
  { name: "version", type: "string" },
  { name: "chainId", type: "uint256" },
  { name: "salt", type: "bytes32" },
] as const;

const voucherFields = [
  { name: "target", type: "address" },
  { name: "amount", type: "uint256" },
  { name: "paymentSequence", type: "uint64" },
  { name: "reserveSequence", type: "uint64" },
  { name: "resourceId", type: "string" },
] as const;

const domainName = "Ledger payments";
const domainVersion = "1";

/** What `eth_signTypedData_v4` takes; integers are decimal strings, so it is plain JSON. */
export type VoucherTypedData = {
  readonly types: {
    readonly EIP712Domain: typeof domainFields;
    readonly Voucher: typeof voucherFields;
  };
  readonly primaryType: "Voucher";
  readonly domain: {
    readonly name: string;
    readonly version: string;
    readonly chainId: number;
    readonly salt: Digest;
  };
  readonly message: {
    readonly target: Address;
    readonly amount: string;
    readonly paymentSequence: string;
    readonly reserveSequence: string;
    readonly resourceId: string;
  };
};

/** A voucher as typed data, for a wallet to show and to sign. */
export function voucherTypedData(voucher: Voucher, chain: VoucherChain): VoucherTypedData {
  return {
    types: { EIP712Domain: domainFields, Voucher: voucherFields },
    primaryType: "Voucher",
    domain: {
      name: domainName,
      version: domainVersion,
      chainId: chain.id,
      salt: chain.genesisHash,
    },
    message: {
      target: voucher.target,
      amount: voucher.amount.toString(),
      paymentSequence: voucher.paymentSequence.toString(),
      reserveSequence: voucher.reserveSequence.toString(),
      resourceId: voucher.resourceId,
    },
  };
}

function typeHash(
  name: string,
  fields: readonly { readonly name: string; readonly type: string }[],
): Uint8Array {
  const list = fields.map((field) => `${field.type} ${field.name}`).join(",");
  return keccak256(textToBytes(`${name}(${list})`));
}

const domainType = typeHash("EIP712Domain", domainFields);
const voucherType = typeHash("Voucher", voucherFields);

function textHash(text: string): Uint8Array {
  return keccak256(textToBytes(text));
}

function word(value: bigint): Uint8Array {
  return bigIntToFixedBytes(value, 32);
}

// A program knows one chain: its separator is hashed once, not for every voucher.
let separator: { readonly chain: VoucherChain; readonly hash: Uint8Array } | null = null;

function domainSeparator(chain: VoucherChain): Uint8Array {
  const known = separator?.chain;
  if (separator === null || known?.id !== chain.id || known.genesisHash !== chain.genesisHash) {
    const hash = keccak256(
      concatBytes(
        domainType,
        textHash(domainName),
        textHash(domainVersion),
        word(BigInt(chain.id)),
        hexToBytes(chain.genesisHash),
      ),
    );
    separator = { chain: { ...chain }, hash };
  }
  return separator.hash;
}

/** The type's hash, what a voucher says by `voucherFields`, and what a type has beyond that. */
function encodedFields(
  type: Uint8Array,
  voucher: Voucher,
  ...more: readonly Uint8Array[]
): Uint8Array {
  return concatBytes(
    type,
    word(bytesToBigInt(hexToBytes(voucher.target))),
    word(voucher.amount),
    word(voucher.paymentSequence),
    word(voucher.reserveSequence),
    textHash(voucher.resourceId),
    ...more,
  );
}

/** The typed digests of vouchers that differ in nothing but the amount. */
export function typedDigests(
  voucher: Omit<Voucher, "amount">,
  chain: VoucherChain,
): (amount: bigint) => Uint8Array {
  const fields = encodedFields(voucherType, { ...voucher, amount: 0n });
  const message = concatBytes(typedTag, domainSeparator(chain), new Uint8Array(32));
  return (amount) => {
    fields.set(word(amount), amountOffset);
    message.set(keccak256(fields), message.length - 32);
    return keccak256(message);
  };
}

/** Where the amount is among the fields: after the type and the target. */
const amountOffset = 64;

const typedTag = Uint8Array.of(0x19, 0x01);

const incrementFields = [
  ...voucherFields,
  { name: "anchor", type: "bytes32" },
  { name: "step", type: "uint256" },
] as const;

const incrementType = typeHash("Increments", incrementFields);

/**
 * What the payer of a hash chain signs: a voucher of the amount at its start, the anchor, and what
 * each step along the chain adds. Another type of the same domain, so neither passes for the other.
 */
export function incrementDigest(
  start: Voucher,
  terms: { readonly anchor: Uint8Array; readonly step: bigint },
  chain: VoucherChain,
): Uint8Array {
  const fields = encodedFields(incrementType, start, terms.anchor, word(terms.step));
  return keccak256(concatBytes(typedTag, domainSeparator(chain), keccak256(fields)));
}

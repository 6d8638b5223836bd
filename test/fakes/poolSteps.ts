import { assert } from "../../base/assert.ts";
import type { Verified } from "../../base/brand.ts";
import { emptyBytes } from "../../base/bytes.ts";
import { signDigest } from "../../crypto/secp256k1.ts";
import { incrementCount } from "../../ledger/voucherIncrements.ts";
import { encodeOverspendingProof } from "../../ledger/overspendingProof.ts";
import type { ThetaTransaction } from "../../ledger/thetaTypes.ts";
import type { Transaction } from "../../ledger/transaction.ts";
import {
  consentDigest,
  settlementOf,
  signVoucher,
  type BatchEntry,
  type SignedVoucher,
  type VoucherSigner,
} from "../../ledger/voucher.ts";
import {
  addressOf,
  inputOf,
  operationBody,
  privateKeyOf,
  type LedgerNetwork,
} from "./ledgerNetwork.ts";

/*
 * Micropayment pools in the language of `ledgerTable.ts`.
 *
 *   reserve alice fund 100 collateral 101 duration 300 for rid1,rid2
 *   open    alice fund 100 collateral 101 duration 300 for rid1 receivers 2 each 50
 *   release alice pool 1
 *   rule    dora for rid1 carol:30,alice:5 duration 100
 *   pay     alice bob 80 seq 1 pool 1 for rid1 min 0        settled by its target, bob
 *   batch   carol alice>bob:80:1:1:rid1 …          amount, payment sequence, pool, resource
 *   slash   dora alice pool 1 for rid1 bob:80:1 carol:30:1  amount, payment sequence
 *
 * A voucher of a batch may end in +typed, +forged (by another key), +consent, +min50. A fee is 2
 * unless it is given, that of a slash 9.
 */

type Words = readonly string[];

function after(words: Words, word: string, otherwise: string): string {
  const at = words.indexOf(word);
  return at < 0 ? otherwise : (words[at + 1] ?? otherwise);
}

function amountAfter(words: Words, word: string, otherwise = 0n): bigint {
  return BigInt(after(words, word, `${otherwise}`));
}

function feeIn(words: Words): { readonly thetaWei: bigint; readonly tfuelWei: bigint } {
  return { thetaWei: amountAfter(words, "feeTheta"), tfuelWei: amountAfter(words, "fee", 2n) };
}

function tfuel(amount: bigint): { readonly thetaWei: bigint; readonly tfuelWei: bigint } {
  return { thetaWei: 0n, tfuelWei: amount };
}

/** Signs for the account of this name. */
export function signerOf(name: string): VoucherSigner {
  return { address: addressOf(name), sign: (digest) => signDigest(digest, privateKeyOf(name)) };
}

/** A voucher of these names. */
export function voucherOf(
  network: LedgerNetwork,
  terms: {
    readonly source: string;
    readonly target: string;
    readonly amount: bigint;
    readonly paymentSequence: bigint;
    readonly reserveSequence: bigint;
    readonly resourceId: string;
  },
  options: { readonly typed: boolean } = { typed: false },
): SignedVoucher {
  const { chain } = network.genesis;
  const given = { ...terms, target: addressOf(terms.target) };
  const form = options.typed ? "typed" : "theta";
  return signVoucher(given, form, { chain, signer: signerOf(terms.source) });
}

/** The service payment by which its target settles a voucher. */
export function paymentOf(
  network: LedgerNetwork,
  voucher: SignedVoucher,
  terms: { readonly fee: bigint; readonly targetMin: bigint },
): Verified<Transaction> {
  const signers = [voucher.target, voucher.source].map((address) => ({ address, sequence: null }));
  return network.theta(settlementOf(voucher, terms), signers);
}

/** A slash by these vouchers, bidding this fee. */
export function slashOf(
  network: LedgerNetwork,
  prover: string,
  proof: {
    readonly owner: string;
    readonly reserveSequence: bigint;
    readonly vouchers: readonly SignedVoucher[];
    readonly fee: bigint;
  },
): Verified<Transaction> {
  const { reserveSequence } = proof;
  const terms = { fee: 0n, targetMin: 0n };
  const payments = proof.vouchers.map((voucher) => settlementOf(voucher, terms));
  const body: ThetaTransaction = {
    type: "slash",
    proposer: inputOf(prover, tfuel(proof.fee), 0n),
    slashedAddress: addressOf(proof.owner),
    reserveSequence,
    slashProof: encodeOverspendingProof({ reserveSequence, payments }),
  };
  return network.theta(body, [{ address: addressOf(prover), sequence: null }]);
}

/** A batch that one account submits. */
export function batchOf(
  network: LedgerNetwork,
  submitter: string,
  entries: readonly BatchEntry[],
): Verified<Transaction> {
  const op = { module: "reserve", name: "settleBatch" };
  const body = operationBody(network.registry, { ...op, body: { entries } });
  const signers = [{ address: addressOf(submitter), sequence: network.nonceOf(submitter) + 1n }];
  const hashes = entries.reduce((sum, { signature }) => sum + incrementCount(signature), 0);
  const gas = BigInt(entries.length + hashes) + 1n;
  return network.operation(signers, { ...op, body }, { fee: gas, gasLimit: gas });
}

/** An entry of a batch without its target's word. */
export function entryOf(voucher: SignedVoucher): BatchEntry {
  return { ...voucher, targetMin: 0n, targetSignature: emptyBytes };
}

function batchEntry(network: LedgerNetwork, text: string): BatchEntry {
  const [terms = "", ...flags] = text.split("+");
  const [source = "", rest = ""] = terms.split(">");
  const [target = "", amount = "", sequence = "", pool = "", resourceId = ""] = rest.split(":");
  const numbers = {
    amount: BigInt(amount),
    paymentSequence: BigInt(sequence),
    reserveSequence: BigInt(pool),
  };
  const typed = flags.includes("typed");
  const signer = flags.includes("forged") ? "mallory" : source;
  const names = { source: signer, target, resourceId };
  const signed = voucherOf(network, { ...names, ...numbers }, { typed });
  const voucher = { ...signed, source: addressOf(source) };
  const min = flags.find((flag) => flag.startsWith("min"))?.slice(3) ?? "0";
  const targetMin = BigInt(min);
  const digest = consentDigest(voucher, targetMin, network.genesis.chain);
  const consents = flags.includes("consent");
  const targetSignature = consents ? signerOf(target).sign(digest) : emptyBytes;
  return { ...voucher, targetMin, targetSignature };
}

function openingOf(network: LedgerNetwork, words: Words): Verified<Transaction> {
  const [verb, owner = ""] = words;
  const fee = feeIn(words);
  const sequence = network.nonceOf(owner) + 1n;
  const signers = [{ address: addressOf(owner), sequence }];
  const fund = amountAfter(words, "fund");
  const collateral = amountAfter(words, "collateral");
  const ids = after(words, "for", "");
  const resourceIds = ids === "" ? [] : ids.split(",");
  const duration = amountAfter(words, "duration", 1_000n);
  if (verb === "reserve") {
    const coins = { thetaWei: amountAfter(words, "theta"), tfuelWei: fund };
    const source = inputOf(owner, coins, sequence);
    const terms = { collateral: tfuel(collateral), resourceIds, duration };
    return network.theta({ type: "reserveFund", fee, source, ...terms }, signers);
  }
  const op = { module: "reserve", name: "open" };
  const body = {
    fund,
    collateral,
    resourceIds,
    durationBlocks: Number(duration),
    receiversMax: Number(amountAfter(words, "receivers")),
    perReceiverMax: amountAfter(words, "each"),
  };
  const bytes = operationBody(network.registry, { ...op, body });
  return network.operation(signers, { ...op, body: bytes }, { fee: 2n, gasLimit: 2n });
}

function ruleOf(network: LedgerNetwork, words: Words): Verified<Transaction> {
  const [, initiator = ""] = words;
  const sequence = network.nonceOf(initiator) + 1n;
  const splits = words
    .filter((word) => /^\w+:\d+$/.test(word))
    .map((word) => {
      const [name = "", percentage = ""] = word.split(":");
      return { address: addressOf(name), percentage: Number(percentage) };
    });
  const body: ThetaTransaction = {
    type: "splitRule",
    fee: feeIn(words),
    resourceId: after(words, "for", ""),
    initiator: inputOf(initiator, tfuel(0n), sequence),
    splits,
    duration: amountAfter(words, "duration", 1_000n),
  };
  return network.theta(body, [{ address: addressOf(initiator), sequence }]);
}

/** The transaction of a line about pools; `null` if the line is about something else. */
export function poolTransaction(
  network: LedgerNetwork,
  words: Words,
): Verified<Transaction> | null {
  const [verb = "", first = "", second = ""] = words;
  const reserveSequence = amountAfter(words, "pool", 1n);
  const resourceId = after(words, "for", "");
  const fee = feeIn(words);
  switch (verb) {
    case "reserve":
    case "open":
      return openingOf(network, words);
    case "rule":
      return ruleOf(network, words);
    case "release": {
      const sequence = network.nonceOf(first) + 1n;
      const source = inputOf(first, tfuel(0n), sequence);
      const body: ThetaTransaction = { type: "releaseFund", fee, source, reserveSequence };
      return network.theta(body, [{ address: addressOf(first), sequence }]);
    }
    case "pay": {
      const amount = BigInt(words[3] ?? "");
      const paymentSequence = amountAfter(words, "seq", 1n);
      const names = { source: first, target: second, resourceId };
      const voucher = voucherOf(network, { ...names, amount, paymentSequence, reserveSequence });
      const terms = { fee: fee.tfuelWei, targetMin: amountAfter(words, "min") };
      return paymentOf(network, voucher, terms);
    }
    case "batch":
      return batchOf(
        network,
        first,
        words.slice(2).map((word) => batchEntry(network, word)),
      );
    case "slash": {
      const vouchers = words
        .filter((word) => /^\w+:\d+:\d+$/.test(word))
        .map((word) => {
          const [target = "", amount = "", sequence = ""] = word.split(":");
          const numbers = { amount: BigInt(amount), paymentSequence: BigInt(sequence) };
          const names = { source: second, target, resourceId };
          return voucherOf(network, { ...names, ...numbers, reserveSequence });
        });
      const proof = {
        owner: second,
        reserveSequence,
        vouchers,
        fee: amountAfter(words, "fee", 9n),
      };
      return slashOf(network, first, proof);
    }
    default:
      return null;
  }
}

type PoolAnswer = {
  readonly state: string;
  readonly fund: string;
  readonly used: string;
  readonly collateral: string;
};

/** What a line may ask about pools. */
export const poolQuestions: Readonly<
  Record<string, (network: LedgerNetwork, words: Words) => string>
> = {
  /** `pool alice 1 -> 80 of 1000, 1001, open`: used, fund, collateral, state. */
  pool: (network, [, owner = "", sequence = ""]) => {
    const answer = network.query("reserve", "pool", { owner: addressOf(owner), sequence });
    if (answer === null) return "none";
    const { used, fund, collateral, state } = answer as PoolAnswer; // The query's own shape.
    return `${used} of ${fund}, ${collateral}, ${state}`;
  },
  pools: (network, [, owner = ""]) => {
    const answer = network.query("reserve", "pools", { owner: addressOf(owner) });
    assert(Array.isArray(answer), "pools are a list");
    return `${answer.length}`;
  },
  burned: (network) => {
    const supply = JSON.stringify(network.query("bank", "supply", {}));
    return /"burned":\{"thetawei":"0","tfuelwei":"(\d+)"/.exec(supply)?.[1] ?? "none";
  },
  rule_of: (network, [, resourceId = ""]) => {
    const rule = JSON.stringify(network.query("split", "rule", { resourceId }));
    return rule.replaceAll(/0x[0-9a-f]{40}/g, "");
  },
};

import { assert } from "../../base/assert.ts";
import type { Address, Verified } from "../../base/brand.ts";
import { emptyBytes } from "../../base/bytes.ts";
import { blsPublicKeyOf, proveBlsPossession } from "../../crypto/bls.ts";
import type { Receipt } from "../../ledger/receiptTypes.ts";
import type { Coins } from "../../ledger/thetaTypes.ts";
import type { Transaction } from "../../ledger/transaction.ts";
import type { ParameterValue } from "../../ledger/parameters.ts";
import {
  addressOf,
  blsSecretOf,
  inputOf,
  LedgerNetwork,
  operationBody,
  transferOf,
} from "./ledgerNetwork.ts";
import { poolQuestions, poolTransaction } from "./poolSteps.ts";

/*
 * Business rules in their own language (STYLE 2.10). One line is one block with one transaction, or
 * a question; what follows the arrow is what must come out.
 *
 *   account  alice theta 100 tfuel 50       before the first block
 *   set      reward.tfuelWeiPerBlock 7      a chain parameter, before the first block
 *   send     alice bob theta 1 tfuel 2      -> ok | failed CODE | invalid CODE
 *   theta    bob                            -> 1
 */

type Step = { readonly words: readonly string[]; readonly line: string };

/** Runs a table; a line that comes out otherwise throws and shows it. */
export async function checkTable(table: string): Promise<LedgerNetwork> {
  const lines = table
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line.length > 0);
  const network = networkOf(lines);
  const names = new Map<Address, string>();
  for (const word of lines.flatMap((line) => line.split(/\W+/))) names.set(addressOf(word), word);
  for (const line of lines) {
    const [left = "", expected] = line.split("->").map((part) => part.trim());
    const words = left.split(/\s+/);
    if (words[0] === "account" || words[0] === "set" || words[0] === "stakes") continue;
    const got = await runStep(network, { words, line }, names);
    assert(got === (expected ?? "ok"), `${line}\n  got ${got}`);
  }
  return network;
}

function networkOf(lines: readonly string[]): LedgerNetwork {
  const balances: [string, Coins][] = [];
  const stakes: [string, string, bigint][] = [];
  const parameters = new Map<string, ParameterValue>();
  for (const line of lines) {
    const [verb, first = "", ...rest] = line.split(/\s+/);
    if (verb === "account") balances.push([first, coinsIn(rest)]);
    if (verb === "set") parameters.set(first, BigInt(rest[0] ?? ""));
    if (verb === "stakes") stakes.push([first, rest[0] ?? "", BigInt(rest[1] ?? "")]);
  }
  const given = stakes.length > 0 ? { stakes } : {};
  return new LedgerNetwork({ balances, parameters, ...given });
}

function numberAfter(words: readonly string[], word: string, otherwise: bigint): bigint {
  const at = words.indexOf(word);
  return at < 0 ? otherwise : BigInt(words[at + 1] ?? "");
}

function coinsIn(words: readonly string[]): Coins {
  return { thetaWei: numberAfter(words, "theta", 0n), tfuelWei: numberAfter(words, "tfuel", 0n) };
}

const questions: Readonly<
  Record<string, (network: LedgerNetwork, words: readonly string[], names: Names) => string>
> = {
  theta: (network, [, name = ""]) => balanceOf(network, name, "thetawei"),
  tfuel: (network, [, name = ""]) => balanceOf(network, name, "tfuelwei"),
  nonce: (network, [, name = ""]) => network.nonceOf(name).toString(),
  committee: (network, _words, names) =>
    network.committee.validators
      .map(({ address, stake }) => `${names.get(address) ?? "genesis"}:${stake}`)
      .sort((a, b) => (a < b ? -1 : 1))
      .join(" "),
  stake: (network, [, source = "", holder = ""]) => stakeOf(network, source, holder),
  ...poolQuestions,
};

type Names = ReadonlyMap<Address, string>;

async function runStep(network: LedgerNetwork, step: Step, names: Names): Promise<string> {
  const [verb = "", count = ""] = step.words;
  const question = questions[verb];
  if (question !== undefined) return question(network, step.words, names);
  if (verb === "blocks") {
    for (let i = 0; i < Number(count); i += 1) {
      const outcome = await network.execute([]);
      assert(outcome.ok, "an empty block is executed");
    }
    return "ok";
  }
  if (verb === "wait") {
    network.blockMs = Number(count);
    return "ok";
  }
  const outcome = await network.execute([transactionOf(network, step.words)]);
  if (!outcome.ok) return `invalid ${outcome.refusal.refusal.code}`;
  const receipt = outcome.value.receipts[0];
  assert(receipt !== undefined, "one transaction has one receipt");
  if (receipt.status === 0) return `failed ${receipt.failure}`;
  return ["ok", ...refusedVouchers(network, receipt)].join(" ");
}

/** `INDEX CODE` of the vouchers of a batch that were not paid. */
function refusedVouchers(network: LedgerNetwork, receipt: Receipt): readonly string[] {
  return receipt.logs.flatMap((log) => {
    const event = network.registry.describeLog(log);
    if (event?.event !== "VoucherRefused") return [];
    const { index, code } = event.value as { index: number; code: string }; // Its own schema's.
    return [`${index} ${code}`];
  });
}

function transactionOf(network: LedgerNetwork, words: readonly string[]): Verified<Transaction> {
  const aboutPool = poolTransaction(network, words);
  if (aboutPool !== null) return aboutPool;
  const [verb = "", first = "", second = "", third = ""] = words;
  const sequence = numberAfter(words, "sequence", network.nonceOf(first) + 1n);
  const fee = {
    thetaWei: numberAfter(words, "feeTheta", 0n),
    tfuelWei: numberAfter(words, "fee", 2n),
  };
  const signers = [{ address: addressOf(first), sequence }];
  const coins = coinsIn(words);
  const purpose = Number(numberAfter(words, "purpose", 0n));
  const holder = { address: addressOf(second), coins: { thetaWei: 0n, tfuelWei: 0n } };
  const none = { thetaWei: 0n, tfuelWei: 0n };
  switch (verb) {
    case "send": {
      const given = { thetaWei: coins.thetaWei, tfuelWei: coins.tfuelWei + fee.tfuelWei };
      const inputs = [inputOf(first, given, sequence)];
      const outputs = [{ address: addressOf(second), coins }];
      return network.theta({ type: "send", fee, inputs, outputs }, signers);
    }
    case "deposit":
    case "depositV2": {
      const source = inputOf(first, coins, sequence);
      const body = { fee, source, holder, purpose };
      if (verb === "deposit") return network.theta({ type: "depositStake", ...body }, signers);
      const blsPubkey = third === "withKey" ? new Uint8Array(48) : emptyBytes;
      const keys = { blsPubkey, blsPop: emptyBytes, holderSig: emptyBytes };
      return network.theta({ type: "depositStakeV2", ...body, ...keys }, signers);
    }
    case "withdraw": {
      const source = inputOf(first, none, sequence);
      return network.theta({ type: "withdrawStake", fee, source, holder, purpose }, signers);
    }
    case "split": {
      const split = {
        holder: inputOf(first, none, sequence),
        beneficiary: { address: addressOf(second), coins: none },
        splitBasisPoint: BigInt(third),
      };
      return network.theta({ type: "stakeRewardDistribution", fee, ...split }, signers);
    }
    case "eth": {
      const to = second === "new" ? null : addressOf(second);
      const price = numberAfter(words, "price", 1n);
      const tip = numberAfter(words, "tip", 0n);
      const bid = { maxFeePerGas: price, maxPriorityFeePerGas: tip };
      const gasLimit = numberAfter(words, "gas", 21_000n);
      const parts = { nonce: sequence - 1n, to, value: coins.tfuelWei, gasLimit, ...bid };
      return network.ethereum(first, transferOf(parts));
    }
    case "register":
      return registration(network, words, sequence);
    default:
      throw new Error(`no such step: ${words.join(" ")}`);
  }
}

/** `register HOLDER KEY [by SIGNER] [proofFor OTHER]` */
function registration(
  network: LedgerNetwork,
  words: readonly string[],
  sequence: bigint,
): Verified<Transaction> {
  const [, holder = "", keyName = ""] = words;
  const by = words.includes("by") ? (words[words.indexOf("by") + 1] ?? "") : holder;
  const at = words.indexOf("proofFor");
  const provenFor = at < 0 ? holder : (words[at + 1] ?? "");
  const secret = blsSecretOf(keyName);
  const genesis = network.genesis.hash;
  const proof = proveBlsPossession({ holder: addressOf(provenFor), genesis }, secret);
  const body = { holder: addressOf(holder), blsKey: blsPublicKeyOf(secret), proof };
  const op = { module: "stake", name: "registerKey" };
  const bytes = operationBody(network.registry, { ...op, body });
  const signer = {
    address: addressOf(by),
    sequence: by === holder ? sequence : network.nonceOf(by) + 1n,
  };
  const gasLimit = numberAfter(words, "gas", 2n);
  return network.operation([signer], { ...op, body: bytes }, { fee: 2n, gasLimit });
}

function balanceOf(network: LedgerNetwork, name: string, coin: string): string {
  const answer = network.query("bank", "balance", { address: addressOf(name) });
  const entries = typeof answer === "object" && answer !== null ? Object.entries(answer) : [];
  const amount: unknown = entries.find(([key]) => key === coin)?.[1];
  assert(typeof amount === "string", "a balance has both coins");
  return amount;
}

function stakeOf(network: LedgerNetwork, source: string, holder: string): string {
  const pool = JSON.stringify(network.query("stake", "candidates", {}));
  const { SortedCandidates } = JSON.parse(pool) as {
    SortedCandidates: {
      Holder: string;
      Stakes: { source: string; amount: string; withdrawn: boolean; return_height: string }[];
    }[];
  }; // The shape that the query's own schema gives; a wrong one fails the row.
  const candidate = SortedCandidates.find(({ Holder }) => Holder === addressOf(holder));
  const stake = candidate?.Stakes.find((entry) => entry.source === addressOf(source));
  if (stake === undefined) return "none";
  return stake.withdrawn ? `${stake.amount} returns ${stake.return_height}` : stake.amount;
}

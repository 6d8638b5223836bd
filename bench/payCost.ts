import { zeroDigest } from "../base/bytes.ts";
import { IncrementChain } from "../ledger/voucherIncrements.ts";
import { signVoucher, type SignedVoucher } from "../ledger/voucher.ts";
import { batchGasOf, signSettleBatch } from "../sdk/pay/poolTransactions.ts";
import { nativeGasMax, signSend } from "../sdk/wallet.ts";
import { FakePayChain } from "../test/fakes/payChain.ts";
import { testAddress, testSigner } from "../test/fakes/payWorld.ts";
import { printTable } from "./measure.ts";

/*
 * What a chain is asked to carry for 1,000,000 payments from 100 payers to 10 receivers: the best
 * voucher of each pair, a batch for each receiver; beside one transfer for each payment. That such
 * batches are executed is a test (`ledger/modules/reserveBatch.test.ts`).
 */

const payers = 100;
const receivers = 10;
const paymentsPerPair = 1_000n;

/** Bytes and gas of both. */
export function printSettlementCost(): void {
  const payments = payers * receivers * Number(paymentsPerPair);
  console.log(
    `\n${payments} payments off chain, ${payers} payers, ${receivers} receivers, on chain`,
  );
  const chain = new FakePayChain().names;
  const coins = { thetaWei: 0n, tfuelWei: 1n };
  const transfer = signSend(testSigner(1), {
    chain: chain.name,
    sequence: 1_000n,
    fee: 10n ** 12n,
    outputs: [{ address: testAddress(2), coins }],
  });
  const rows = [
    row(
      "one transfer each",
      payments,
      (transfer.raw.length - 2) / 2,
      2n * nativeGasMax.sendPerAccount,
    ),
    batchRow("best voucher of each pair, signed", (pair) => signedBest(pair)),
    batchRow("the same, at the end of a hash chain", (pair) => chainBest(pair)),
  ];
  printTable(["", "transactions", "bytes each", "gas each", "bytes/voucher", "gas/voucher"], rows);
}

function row(name: string, count: number, bytes: number, gas: bigint, vouchers = 1): string[] {
  const each = [bytes / vouchers, Number(gas) / vouchers].map((value) => value.toFixed(0));
  return [name, `${count}`, `${bytes}`, `${gas}`, ...each];
}

type Pair = { readonly payer: number; readonly receiver: number };

function batchRow(name: string, best: (pair: Pair) => SignedVoucher): string[] {
  const orders = Array.from({ length: payers }, (_, i) => {
    return { voucher: best({ payer: i + 1, receiver: 201 }), targetMin: paymentsPerPair };
  });
  const { raw } = signSettleBatch(testSigner(201), {
    genesisHash: zeroDigest,
    sequence: 1n,
    fee: 10n ** 16n,
    orders,
  });
  return row(name, receivers, (raw.length - 2) / 2, batchGasOf(orders), payers);
}

function termsOf({ receiver }: Pair): Omit<SignedVoucher, "source" | "signature"> {
  const target = testAddress(receiver);
  const numbers = { paymentSequence: 1n, reserveSequence: 1n };
  return { target, amount: paymentsPerPair, ...numbers, resourceId: "rid1000001" };
}

function signedBest(pair: Pair): SignedVoucher {
  const chain = new FakePayChain().names;
  return signVoucher(termsOf(pair), "theta", { chain, signer: testSigner(pair.payer) });
}

/** Each of its payments is a step. */
function chainBest(pair: Pair): SignedVoucher {
  const signer = testSigner(pair.payer);
  const start = { ...termsOf(pair), source: signer.address, amount: 0n };
  const steps = { step: 1n, length: Number(paymentsPerPair), secret: new Uint8Array(32).fill(7) };
  const chain = new IncrementChain(start, steps, { chain: new FakePayChain().names, signer });
  while (chain.left > 0) chain.advance();
  return { ...start, amount: paymentsPerPair, signature: chain.proof };
}

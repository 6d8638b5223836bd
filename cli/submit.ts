import type { Address } from "../base/brand.ts";
import { NodeError } from "../base/nodeError.ts";
import { checksumAddress } from "../crypto/address.ts";
import { LedgerClient, type Broadcast, type StatusInfo } from "../sdk/client.ts";
import { RpcError, TimeoutError } from "../sdk/errors.ts";
import { findKey, openKey, type StoredKey } from "../sdk/keystoreFolder.node.ts";
import { formatCoins } from "../sdk/units.ts";
import { keySigner, type SignedTransaction, type Signer } from "../sdk/wallet.ts";
import type { Flags } from "./commandTree.ts";
import { printDocument, type Context } from "./context.ts";
import { UsageError } from "./failure.ts";
import { amountFlag, integerFlag, sequenceMax } from "./flags.ts";
import { readPassword } from "./password.ts";

/** What a transaction command needs before it can sign. */
export type Draft = {
  readonly client: LedgerClient;
  readonly status: StatusInfo;
  readonly chain: string;
  readonly sequence: bigint;
  /** TFuelWei. */
  readonly fee: bigint;
  readonly signer: Signer;
  /** The password that opened the signer's key; `null` if that key is not encrypted. */
  readonly password: string | null;
};

/** Longest `--timeout`, in seconds. */
const timeoutSecondsMax = 86_400n;

/**
 * Looks up what the flags leave open, and opens the key last: mistakes that need no password are
 * reported before anybody is asked for one. `gas` is what the transaction needs at most.
 */
export async function draftTransaction(
  context: Context,
  flags: Flags,
  from: Address,
  gas: bigint,
): Promise<Draft> {
  checkWallet(flags);
  waitMode(flags);
  const seqText = flags.text("seq");
  const asked =
    seqText === undefined ? null : integerFlag("--seq", seqText, { min: 1n, max: sequenceMax });
  const feeText = flags.text("fee");
  const feeAsked = feeText === undefined ? null : amountFlag("--fee", feeText, "tfuel");
  const key = findKey(context.settings.folder, from);
  const client = new LedgerClient({ url: context.settings.rpcUrl });
  const status = await client.status({ signal: context.signal });
  const chain = context.settings.chain ?? status.chain;
  if (chain !== status.chain)
    throw new NodeError(
      "E_WRONG_CHAIN",
      `this would be signed for chain ${chain.slice(0, 60)}, but the node is of chain ${status.chain}`,
      { hint: `--chain=${status.chain}   or ask another node: --rpc URL` },
    );
  const sequence = asked ?? (await client.nextSequence(from, { signal: context.signal }));
  const fee = feeAsked ?? (await client.suggestedFee(gas, { signal: context.signal }));
  return { client, status, chain, sequence, fee, ...(await openSigner(context, flags, key)) };
}

function checkWallet(flags: Flags): void {
  const wallet = flags.text("wallet") ?? "soft";
  if (wallet === "nano" || wallet === "trezor")
    throw new UsageError(`--wallet ${wallet} is not supported: keys are files`, {
      hint: "--wallet soft",
    });
  if (wallet !== "soft")
    throw new UsageError(`--wallet ${wallet.slice(0, 40)} is not a kind of wallet`, {
      hint: "--wallet soft",
    });
}

/** Opens a key for commands that sign more than one thing, asking for its password if need be. */
export async function openSigner(
  context: Context,
  flags: Flags,
  key: StoredKey,
): Promise<{ readonly signer: Signer; readonly password: string | null }> {
  let password: string | null = null;
  const opened = await openKey(key, async () => {
    password = await readPassword({
      file: flags.text("passwordFile"),
      flag: flags.text("password"),
      variable: "LEDGER_PASSWORD",
      environment: context.environment,
      warn: context.warn,
      prompt: `Password of ${checksumAddress(key.address)}`,
    });
    return password;
  });
  return { signer: keySigner(opened.privateKey), password };
}

type WaitMode = {
  /**
   * `accepted`: do not wait. `block`: the node answers when it is committed. `poll`: look again and
   * again.
   */
  readonly until: "accepted" | "block" | "poll";
  readonly timeoutMs: number;
};

function waitMode(flags: Flags): WaitMode {
  const text = flags.text("timeout") ?? "60";
  const seconds = integerFlag("--timeout", text, { min: 1n, max: timeoutSecondsMax });
  const timeoutMs = Number(seconds) * 1_000;
  if (flags.has("async") && flags.has("wait"))
    throw new UsageError("--async and --wait exclude each other");
  if (flags.has("async")) return { until: "accepted", timeoutMs };
  return { until: flags.has("wait") ? "poll" : "block", timeoutMs };
}

/** Hands the transaction in, waits as the flags say, and prints what Theta's wallet prints. */
export async function submitTransaction(
  context: Context,
  flags: Flags,
  draft: Draft,
  signed: SignedTransaction,
): Promise<void> {
  const mode = waitMode(flags);
  if (flags.text("seq") !== undefined) await noteRepetition(context, draft, signed);
  const broadcast = await handIn(context, draft, signed, mode);
  if (mode.until === "accepted") {
    printBroadcast(context, broadcast.answer);
    return;
  }
  const found =
    mode.until === "poll"
      ? await draft.client.waitCommitted(signed.hash, {
          timeoutMs: mode.timeoutMs,
          signal: context.signal,
        })
      : await draft.client.transaction(signed.hash, { signal: context.signal });
  if (found.status === "abandoned")
    throw new NodeError("E_ABANDONED", `transaction ${signed.hash} can never be committed`);
  const block = { block_hash: found.blockHash, block_height: `${found.height ?? ""}` };
  printBroadcast(
    context,
    mode.until === "poll" ? { hash: signed.hash, ...block } : broadcast.answer,
  );
  if (found.failure !== null)
    throw new NodeError(
      "E_TX_FAILED",
      `transaction ${signed.hash} is in block ${found.height} but failed: ${found.failure}`,
      { hint: "its fee was charged and nothing else changed" },
    );
}

/** The same command with the same sequence signs the same transaction: it cannot be sent twice. */
async function noteRepetition(
  context: Context,
  draft: Draft,
  signed: SignedTransaction,
): Promise<void> {
  const { status, height } = await draft.client.transaction(signed.hash, {
    signal: context.signal,
  });
  if (status === "finalized")
    context.warn(
      `note: this very transaction is already in block ${height}; nothing is sent again`,
    );
}

async function handIn(
  context: Context,
  draft: Draft,
  signed: SignedTransaction,
  mode: WaitMode,
): Promise<Broadcast> {
  const until = mode.until === "block" ? "committed" : "accepted";
  const timeoutMs = until === "committed" ? mode.timeoutMs : 30_000;
  try {
    return await draft.client.broadcast(signed.raw, until, { signal: context.signal, timeoutMs });
  } catch (error) {
    throw explained(error, draft, signed, mode);
  }
}

/** Adds what only the wallet knows: the hash that was sent, and the next command. */
function explained(
  error: unknown,
  draft: Draft,
  signed: SignedTransaction,
  mode: WaitMode,
): unknown {
  const look = `ledgercli query tx --hash=${signed.hash}`;
  if (error instanceof TimeoutError || (error instanceof RpcError && error.code === "E_TIMEOUT"))
    return new TimeoutError(
      `transaction ${signed.hash} is not committed yet`,
      mode.timeoutMs,
      look,
    );
  if (!(error instanceof RpcError)) return error;
  const hint = hintFor(error, draft);
  return hint === null ? error : error.withHint(hint);
}

function hintFor(error: RpcError, draft: Draft): string | null {
  const who = checksumAddress(draft.signer.address);
  switch (error.code) {
    case "E_SEQ_TOO_LOW":
    case "E_SEQ_GAP":
    case "E_SEQUENCE":
      return `leave --seq out to have it looked up (this used ${draft.sequence})`;
    case "E_INSUFFICIENT_FUNDS":
      return `ledgercli query account --address=${who}   (fee ${formatCoins(draft.fee)} TFUEL)`;
    case "E_FEE_TOO_LOW":
      return `leave --fee out to have it looked up (this offered ${formatCoins(draft.fee)} TFUEL)`;
    default:
      // The job that releases pools is in the first block that could hold a release transaction.
      return reasonOf(error).startsWith("release")
        ? `the chain releases a pool by itself after its freeze: ledgercli pay list --from=${who}`
        : null;
  }
}

/** Why the node refused a transaction; empty if it does not say. */
function reasonOf({ data }: RpcError): string {
  if (typeof data !== "object" || data === null || !("reason" in data)) return "";
  return typeof data.reason === "string" ? data.reason : "";
}

function printBroadcast(context: Context, answer: unknown): void {
  if (!context.json) context.print("Successfully broadcasted transaction:");
  printDocument(context, answer);
}

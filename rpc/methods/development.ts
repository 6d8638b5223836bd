import type { Address, Digest } from "../../base/brand.ts";
import {
  bigIntToDigest,
  bytesToBigInt,
  bytesToHex,
  concatBytes,
  textToBytes,
  zeroAddress,
} from "../../base/bytes.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import { keccak256 } from "../../crypto/keccak.ts";
import type { AccountWrite } from "../../ledger/modules/dev.ts";
import type { EthereumTransaction } from "../../ledger/thetaTypes.ts";
import type { DevelopmentApi } from "../developmentApi.ts";
import type { CallContext, Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import { errorCodes, invalidParams, limitExceeded, serverError } from "../errors.ts";
import type { Answer, RpcError } from "../errors.ts";
import { isJsonObject, memberOf } from "../json.ts";
import type { MethodHost } from "../methodHost.ts";
import { readThetaNumber, toQuantity } from "../numbers.ts";
import {
  anything,
  ethereumAddress,
  ethereumData,
  flag,
  optional,
  storageSlot,
  thetaNumber,
  type Parameter,
  type ParameterTable,
  type ParameterValues,
} from "../parameters.ts";
import { ethereumSubmitError } from "../refusals.ts";
import { callObject, messageOf, type CallObject } from "./callObject.ts";
import { gasEstimate, requestOf } from "./ethereumCalls.ts";
import { suggestedTip } from "./ethereumFees.ts";

/*
 * What Hardhat, Foundry and their like do to a chain under test. Only a devnet answers; elsewhere
 * each of these methods says so.
 */

const style = "array";

/** A method of a devnet, which any other node refuses in one sentence. */
function onDevnet<P extends ParameterTable>(
  { node }: MethodHost,
  definition: {
    readonly name: string;
    readonly summary: string;
    readonly parameters: P;
    readonly call: (
      dev: DevelopmentApi,
      values: ParameterValues<P>,
      context: CallContext,
    ) => Answer | Promise<Answer>;
  },
): Method {
  const { name, summary, parameters, call } = definition;
  const { development } = node;
  const here = method({
    name,
    summary: `${summary} (devnets only)`,
    style,
    parameters,
    call: (values, context) =>
      development === null ? refuse(refusedHere(name)) : call(development, values, context),
  });
  // Elsewhere it does not exist, whatever its parameters are.
  return development === null ? { ...here, invoke: () => refuse(refusedHere(name)) } : here;
}

function refusedHere(name: string): RpcError {
  return {
    code: errorCodes.methodNotFound,
    message: `${name} is for development: only a devnet answers it (ledger devnet)`,
    data: { code: "E_DEVNET_ONLY" },
  };
}

function answerOf(outcome: Outcome<unknown, string>, value: boolean | string | null): Answer {
  return outcome.ok ? accept(value) : refuse(serverError(outcome.refusal));
}

const none: AccountWrite = {
  address: zeroAddress,
  nonce: [],
  balance: [],
  code: [],
  cleared: false,
  storage: [],
};

/** The same method by Hardhat's and by anvil's name. */
function bothNames(make: (prefix: "hardhat" | "anvil") => Method): readonly Method[] {
  return [make("hardhat"), make("anvil")];
}

function writing<P extends ParameterTable>(
  host: MethodHost,
  definition: {
    readonly name: string;
    readonly summary: string;
    readonly parameters: P;
    readonly write: (values: ParameterValues<P>) => Partial<AccountWrite>;
  },
): readonly Method[] {
  const { name, summary, parameters, write } = definition;
  return bothNames((prefix) =>
    onDevnet(host, {
      name: `${prefix}_${name}`,
      summary,
      parameters,
      call: async (dev, values) =>
        answerOf(
          await dev.write([{ ...none, ...write(values) }]),
          prefix === "anvil" ? null : true,
        ),
    }),
  );
}

function stateMethods(host: MethodHost): readonly Method[] {
  return [
    ...writing(host, {
      name: "setBalance",
      summary: "Sets an account's TFuelWei.",
      parameters: { address: ethereumAddress, balance: thetaNumber },
      write: ({ address, balance }) => ({ address, balance: [balance] }),
    }),
    ...writing(host, {
      name: "setNonce",
      summary: "Sets an account's next nonce.",
      parameters: { address: ethereumAddress, nonce: thetaNumber },
      write: ({ address, nonce }) => ({ address, nonce: [nonce] }),
    }),
    ...writing(host, {
      name: "setCode",
      summary: "Puts code at an address.",
      parameters: { address: ethereumAddress, code: ethereumData },
      write: ({ address, code }) => ({ address, code: [code] }),
    }),
    ...writing(host, {
      name: "setStorageAt",
      summary: "Sets a word of a contract's storage.",
      parameters: { address: ethereumAddress, slot: storageSlot, word: ethereumData },
      write: ({ address, slot, word }) => ({
        address,
        storage: [
          {
            slot: bigIntToDigest(slot),
            word: bytesToBigInt(word.subarray(0, 32)),
          },
        ],
      }),
    }),
  ];
}

function accountMethods(host: MethodHost): readonly Method[] {
  const parameters = { address: ethereumAddress };
  return [
    ...bothNames((prefix) =>
      onDevnet(host, {
        name: `${prefix}_impersonateAccount`,
        summary: "Lets eth_sendTransaction send for an account without its key.",
        parameters,
        call: (dev, { address }) =>
          dev.impersonate(address)
            ? accept(prefix === "anvil" ? null : true)
            : refuse(serverError("too many accounts are impersonated")),
      }),
    ),
    ...bothNames((prefix) =>
      onDevnet(host, {
        name: `${prefix}_stopImpersonatingAccount`,
        summary: "Ends that.",
        parameters,
        call: (dev, { address }) => {
          const was = dev.stopImpersonating(address);
          return accept(prefix === "anvil" ? null : was);
        },
      }),
    ),
  ];
}

const countOrOne = optional(thetaNumber, 1n);

/** `evm_mine`: a time, or anvil's object with a number of blocks. */
const mineOrder: Parameter<{ readonly seconds: bigint | null; readonly blocks: bigint }> = {
  schema: { description: "time in seconds, or {blocks, timestamp}" },
  optional: true,
  read: (value) => {
    if (value === undefined || value === null) return accept({ seconds: null, blocks: 1n });
    const object = isJsonObject(value) ? value : { timestamp: value };
    const time = memberOf(object, "timestamp") ?? null;
    const seconds = time === null ? accept(null) : readThetaNumber(time);
    const blocks = readThetaNumber(memberOf(object, "blocks") ?? 1);
    if (!seconds.ok) return seconds;
    return blocks.ok ? accept({ seconds: seconds.value, blocks: blocks.value }) : blocks;
  },
};

function blockMethods(host: MethodHost): readonly Method[] {
  return [
    onDevnet(host, {
      name: "evm_mine",
      summary: "Commits blocks now.",
      parameters: { order: mineOrder },
      call: async (dev, { order }) => {
        const { seconds, blocks } = order;
        const timed = seconds === null ? null : dev.setNextTimestamp(Number(seconds));
        if (timed !== null && !timed.ok) return refuse(serverError(timed.refusal));
        return answerOf(await dev.mine(Number(blocks)), "0x0");
      },
    }),
    ...bothNames((prefix) =>
      onDevnet(host, {
        name: `${prefix}_mine`,
        summary: "Commits blocks now, so many seconds apart.",
        parameters: { blocks: countOrOne, interval: optional(thetaNumber, 0n) },
        call: async (dev, { blocks, interval }) => {
          if (interval > 1n) dev.increaseTime(Number((blocks - 1n) * interval));
          return answerOf(await dev.mine(Number(blocks)), prefix === "anvil" ? null : true);
        },
      }),
    ),
    onDevnet(host, {
      name: "evm_setAutomine",
      summary: "Whether transactions go into blocks by themselves.",
      parameters: { on: flag },
      call: (dev, { on }) => {
        dev.setAutomining(on);
        return accept(true);
      },
    }),
    ...bothNames((prefix) =>
      onDevnet(host, {
        name: `${prefix}_getAutomine`,
        summary: "Whether transactions go into blocks by themselves.",
        parameters: {},
        call: (dev) => accept(dev.isAutomining()),
      }),
    ),
  ];
}

/** Seconds that fit a block's time. */
const secondsMax = 3_155_760_000n;

function timeMethods(host: MethodHost): readonly Method[] {
  return [
    onDevnet(host, {
      name: "evm_setNextBlockTimestamp",
      summary: "Time of the next block with transactions, in seconds.",
      parameters: { seconds: thetaNumber },
      call: (dev, { seconds }) =>
        answerOf(dev.setNextTimestamp(Number(seconds)), seconds.toString()),
    }),
    onDevnet(host, {
      name: "evm_increaseTime",
      summary: "Moves the clock on.",
      parameters: { seconds: thetaNumber },
      call: (dev, { seconds }) =>
        seconds > secondsMax
          ? refuse(limitExceeded("timeJumpSecondsMax", Number(secondsMax), null))
          : accept(dev.increaseTime(Number(seconds)).toString()),
    }),
    onDevnet(host, {
      name: "evm_snapshot",
      summary: "Remembers the state.",
      parameters: {},
      call: (dev) => {
        const id = dev.snapshot();
        return id.ok ? accept(toQuantity(id.value)) : refuse(serverError(id.refusal));
      },
    }),
    onDevnet(host, {
      name: "evm_revert",
      summary: "Writes a remembered state back; height and time go on.",
      parameters: { snapshot: thetaNumber },
      call: async (dev, { snapshot }) => {
        const done = await dev.revert(Number(snapshot));
        return done.ok ? accept(done.value) : refuse(serverError(done.refusal));
      },
    }),
  ];
}

/** The transaction that an object stands for, with what it leaves open filled in. */
async function filled(
  host: MethodHost,
  call: CallObject,
  from: Address,
  signal: AbortSignal,
): Promise<Outcome<EthereumTransaction, RpcError>> {
  const { node } = host;
  const request = requestOf(host, call, { state: new Map(), block: {} });
  if (!request.ok) return request;
  const estimate =
    call.gas === null
      ? await gasEstimate(host, request.value, { tag: { type: "tag", tag: "latest" }, signal })
      : accept(call.gas);
  if (!estimate.ok) return estimate;
  const tip = call.maxPriorityFeePerGas ?? suggestedTip(node);
  const fee = call.maxFeePerGas ?? 2n * node.nextBaseFee() + tip;
  const { to, value, data, accessList, authorizations } = messageOf(call);
  const { gasPrice } = call;
  const type = authorizations.length > 0 ? "setCode" : "feeMarket";
  return accept({
    type: gasPrice === null ? type : accessList.length > 0 ? "accessList" : "legacy",
    nonce: call.nonce ?? node.pendingAccount(from).nonce,
    gasLimit: estimate.value,
    maxFeePerGas: gasPrice ?? fee,
    maxPriorityFeePerGas: gasPrice ?? tip,
    to,
    value,
    data,
    accessList,
    authorizations,
  });
}

/** Longest wait for a sent transaction's block; the hash is the answer in any case. */
const minedMsMax = 10_000;

/** As nodes for tests do: with automine the transaction is in a block when its hash is known. */
async function mined(
  { node }: MethodHost,
  dev: DevelopmentApi,
  hash: Digest,
  signal: AbortSignal,
): Promise<Answer> {
  if (dev.isAutomining()) await node.waitCommitted(hash, { timeoutMs: minedMsMax, signal });
  return accept(hash);
}

function sendTransaction(host: MethodHost): Method {
  return onDevnet(host, {
    name: "eth_sendTransaction",
    summary: "Signs with a funded account's key, or sends for an impersonated account.",
    parameters: { transaction: callObject, block: anything },
    call: async (dev, { transaction }, { signal }) => {
      const from = transaction.from ?? dev.accounts[0] ?? null;
      if (from === null) return refuse(invalidParams("from is missing"));
      const isOwn = dev.accounts.includes(from);
      if (!isOwn && !dev.isImpersonated(from))
        return refuse(
          serverError(`unknown account ${from}: it is neither funded nor impersonated`),
        );
      const whole = await filled(host, { ...transaction, from }, from, signal);
      if (!whole.ok) return whole;
      const raw = dev.sign(from, whole.value);
      if (raw === null) {
        const { to, value, data, gasLimit } = whole.value;
        const hash = await dev.transactAs({ from, to, value, data, gasLimit });
        if (!hash.ok) return refuse(ethereumSubmitError(hash.refusal));
        return mined(host, dev, hash.value, signal);
      }
      const outcome = await host.submitter.submit({ envelope: "ethereum", raw });
      if (outcome === "busy") return refuse(serverError("the node is busy"));
      if (!outcome.ok) return refuse(ethereumSubmitError(outcome.refusal));
      return mined(host, dev, outcome.value.hash, signal);
    },
  });
}

function unknownAccount(address: Address): RpcError {
  return serverError(`unknown account ${address}: only funded accounts sign`);
}

/** As wallets write a signature: its last byte is 27 or 28. */
function signed(dev: DevelopmentApi, address: Address, digest: Uint8Array): Answer {
  const signature = dev.signDigest(address, digest);
  if (signature === null) return refuse(unknownAccount(address));
  return accept(bytesToHex(signature.with(64, (signature[64] ?? 0) + 27)));
}

/** What is signed of a message for people [EIP-191]. */
function messageDigest(message: Uint8Array): Uint8Array {
  const head = textToBytes(`\x19Ethereum Signed Message:\n${message.length}`);
  return keccak256(concatBytes(head, message));
}

/** Typed data: an object, or JSON in a string, as most wallets send it. */
const typedData: Parameter<unknown> = {
  schema: { description: "typed data by EIP-712: {types, primaryType, domain, message}" },
  optional: false,
  read: (value) => {
    try {
      const data: unknown = typeof value === "string" ? JSON.parse(value) : value;
      if (isJsonObject(data)) return accept(data);
    } catch {
      // Not JSON: refused below.
    }
    return refuse("wants an object, or one in JSON");
  },
};

function signingMethods(host: MethodHost): readonly Method[] {
  return [
    onDevnet(host, {
      name: "personal_sign",
      summary: "Signs a message with a funded account's key.",
      parameters: { message: ethereumData, address: ethereumAddress, password: anything },
      call: (dev, { message, address }) => signed(dev, address, messageDigest(message)),
    }),
    onDevnet(host, {
      name: "eth_sign",
      summary: "Signs a message with a funded account's key.",
      parameters: { address: ethereumAddress, message: ethereumData },
      call: (dev, { address, message }) => signed(dev, address, messageDigest(message)),
    }),
    onDevnet(host, {
      name: "eth_signTypedData_v4",
      summary: "Signs typed data with a funded account's key.",
      parameters: { address: ethereumAddress, data: typedData },
      call: async (dev, { address, data }) => {
        const digest = await dev.typedDataDigest(data);
        if (!digest.ok) return refuse(invalidParams(`data: ${digest.refusal}`));
        return signed(dev, address, digest.value);
      },
    }),
  ];
}

/** `evm_*`, `hardhat_*`, `anvil_*`, and what needs the key of a funded account. */
export function developmentMethods(host: MethodHost): readonly Method[] {
  return [
    ...stateMethods(host),
    ...accountMethods(host),
    ...blockMethods(host),
    ...timeMethods(host),
    sendTransaction(host),
    ...signingMethods(host),
  ];
}

import type { Address } from "../base/brand.ts";
import {
  bigIntToFixedBytes,
  bytesToHex,
  concatBytes,
  hexToBytes,
  textToBytes,
} from "../base/bytes.ts";
import { contractAddress } from "../crypto/address.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { chainIdOf } from "../node/init.ts";
import { keySigner, signEthereumCall, type SignedTransaction, type Signer } from "../sdk/wallet.ts";
import { compileSolidity } from "../test/fakes/solidity.ts";
import { callBatch, callRpc, quantity, type Call } from "./rpcClient.ts";
import { benchChainName, idleAddress } from "./senders.ts";
import { pause, type Server } from "./server.ts";

/*
 * The ERC-20 contract of `bench/erc20.ts`: put on each system by the same transactions, so at the
 * same address, with tokens for every sender.
 */

const source = `
contract Token {
  string public constant name = "Bench";
  uint8 public constant decimals = 18;
  uint public totalSupply;
  mapping(address => uint) public balanceOf;
  mapping(address => mapping(address => uint)) public allowance;
  event Transfer(address indexed from, address indexed to, uint value);
  function mint(address[] calldata owners, uint value) external {
    for (uint i = 0; i < owners.length; i++) {
      balanceOf[owners[i]] += value;
      totalSupply += value;
      emit Transfer(address(0), owners[i], value);
    }
  }
  function transfer(address to, uint value) external returns (bool) {
    require(balanceOf[msg.sender] >= value, "balance");
    balanceOf[msg.sender] -= value;
    balanceOf[to] += value;
    emit Transfer(msg.sender, to, value);
    return true;
  }
}`;

/** Tokens of each sender at the start: more than it ever sends. */
const tokensEach = 1_000_000n;

/** Accounts that receive: each has tokens after its first transfer, so that most writes are changes. */
export const receiverCount = 1_000;

/** Owners in one transaction of the minting. */
const ownersPerMint = 100;

/** Far above any base fee of a run, and still a trifle for the senders. */
const maxFeePerGas = 10n ** 14n;

/** A first transfer to an account costs about 52,000. */
const transferGasLimit = 60_000n;
const deployGasLimit = 2_000_000n;
const mintGasLimit = 8_000_000n;

/** Who puts the contract there; sends nothing else. */
export const deployer: Signer = keySigner(keccak256(textToBytes("ledger bench deployer")));

const token: Address = contractAddress(deployer.address, 0n);

function word(value: bigint): Uint8Array {
  return bigIntToFixedBytes(value, 32);
}

function addressWord(address: Address): Uint8Array {
  return concatBytes(new Uint8Array(12), hexToBytes(address));
}

function callData(signature: string, ...words: readonly Uint8Array[]): Uint8Array {
  return concatBytes(keccak256(textToBytes(signature)).subarray(0, 4), ...words);
}

function signCall(
  from: Signer,
  call: {
    readonly nonce: bigint;
    readonly to: Address | null;
    readonly data: Uint8Array;
    readonly gasLimit: bigint;
  },
): SignedTransaction {
  const chainId = chainIdOf(benchChainName);
  return signEthereumCall(from, {
    ...call,
    chainId,
    value: 0n,
    maxFeePerGas,
    maxPriorityFeePerGas: 0n,
  });
}

/** Transfer k of a load: one token to the next of the receivers. */
export function signTokenTransfer(from: Signer, nonce: bigint, k: number): SignedTransaction {
  const receiver = addressWord(idleAddress(k % receiverCount));
  const data = callData("transfer(address,uint256)", receiver, word(1n));
  return signCall(from, { nonce, to: token, data, gasLimit: transferGasLimit });
}

/** Deploys the contract and gives tokens to the owners; resolves when all of it is committed. */
export async function deployToken(server: Server, owners: readonly Address[]): Promise<void> {
  const init = compileSolidity(source, "Token");
  const signed = [
    signCall(deployer, { nonce: 0n, to: null, data: init, gasLimit: deployGasLimit }),
  ];
  for (let at = 0; at < owners.length; at += ownersPerMint) {
    const some = owners.slice(at, at + ownersPerMint);
    const list = [word(64n), word(tokensEach), word(BigInt(some.length)), ...some.map(addressWord)];
    const data = callData("mint(address[],uint256)", ...list);
    const nonce = BigInt(signed.length);
    signed.push(signCall(deployer, { nonce, to: token, data, gasLimit: mintGasLimit }));
  }
  for (const { raw } of signed) {
    await callRpc(server.url, { method: "eth_sendRawTransaction", params: [raw] });
  }
  const params = [deployer.address, "latest"];
  const method = "eth_getTransactionCount";
  while (Number(await callRpc(server.url, { method, params })) < signed.length) await pause(50);
  const expected = tokensEach * BigInt(owners.length);
  const supply = quantity(await read(server, callData("totalSupply()")));
  if (supply !== expected) throw new Error(`${supply} tokens were minted, not ${expected}`);
}

/** An `eth_call` for an owner's tokens. */
export function balanceCall(owner: Address): Call {
  const data = bytesToHex(callData("balanceOf(address)", addressWord(owner)));
  return { method: "eth_call", params: [{ to: token, data }, "latest"] };
}

function read(server: Server, data: Uint8Array): Promise<unknown> {
  const params = [{ to: token, data: bytesToHex(data) }, "latest"];
  return callRpc(server.url, { method: "eth_call", params });
}

/** Checks that each committed transfer moved its token; answers one sentence. */
export async function proveTransfers(
  server: Server,
  done: { readonly accepted: number; readonly committed: number },
): Promise<string> {
  const calls = Array.from({ length: receiverCount }, (_, i) => balanceCall(idleAddress(i)));
  let received = 0n;
  for (let at = 0; at < calls.length; at += 100) {
    const results = await callBatch(server.url, calls.slice(at, at + 100));
    for (const result of results) received += quantity(result);
  }
  if (received !== BigInt(done.committed) || done.accepted !== done.committed) {
    const counts = `accepted ${done.accepted}, committed ${done.committed}`;
    throw new Error(`${counts}, tokens received ${received}`);
  }
  return `${received} tokens received`;
}

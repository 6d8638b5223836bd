import type { Address } from "../../base/brand.ts";
import { hexToBytes } from "../../base/bytes.ts";
import { addressOf, signDigest } from "../../crypto/secp256k1.ts";
import { signEthereum, signThetaTransaction, type DigestSigner } from "../../ledger/sign.ts";
import type { EthereumTransaction } from "../../ledger/thetaTypes.ts";
import type { Method } from "../../rpc/dispatch.ts";
import type { RpcLimits } from "../../rpc/limits.ts";
import { RpcServer } from "../../rpc/server.ts";
import { FakeNode } from "./fakeNode.ts";

/** First key of the `test test … junk` mnemonic: published, for tests only. */
const fundedKey = hexToBytes("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");

/** Signs for the account that `createFakeServer` funds. */
export const fundedSigner: DigestSigner = {
  address: addressOf(fundedKey),
  sign: (digest) => signDigest(digest, fundedKey),
};

/** A plain Ethereum transfer by the funded account, but for the parts that are given. */
export function ethereumTransfer(
  nonce: bigint,
  to: Address,
  value: bigint,
  parts: Partial<EthereumTransaction> = {},
): Uint8Array {
  return signEthereum(
    {
      type: "feeMarket",
      nonce,
      gasLimit: 21_000n,
      maxFeePerGas: 2_000_000_000n,
      maxPriorityFeePerGas: 1n,
      to,
      value,
      data: new Uint8Array(0),
      accessList: [],
      authorizations: [],
      ...parts,
    },
    366,
    fundedSigner,
  );
}

/** A plain Theta transfer by the funded account. */
export function thetaTransfer(sequence: bigint, to: Address, tfuelWei: bigint): Uint8Array {
  const fee = { thetaWei: 0n, tfuelWei: 1_000_000_000_000n };
  const coins = { thetaWei: 0n, tfuelWei: tfuelWei + fee.tfuelWei };
  const input = { address: fundedSigner.address, coins, sequence, signature: new Uint8Array(0) };
  return signThetaTransaction(
    {
      type: "send",
      fee,
      inputs: [input],
      outputs: [{ address: to, coins: { thetaWei: 0n, tfuelWei } }],
    },
    "privatenet",
    [fundedSigner],
  );
}

/** The real server over a node in memory, listening on a free port if asked to. */
export function createFakeServer(
  options: {
    readonly limits?: Partial<RpcLimits>;
    readonly methods?: readonly Method[];
    readonly origins?: readonly string[];
    readonly hosts?: readonly string[];
    readonly port?: number;
    readonly chainId?: number;
  } = {},
): { readonly node: FakeNode; readonly server: RpcServer; readonly logged: string[] } {
  const node = new FakeNode([[fundedSigner.address, 10n ** 24n]], options.chainId);
  const logged: string[] = [];
  const log = {
    error: (message: string): void => void logged.push(message),
    warn: (message: string): void => void logged.push(message),
  };
  const server = new RpcServer(node, {
    listen: [{ host: "127.0.0.1", port: options.port ?? 0 }],
    hosts: options.hosts ?? [],
    origins: options.origins ?? [],
    limits: options.limits ?? {},
    methods: options.methods ?? [],
    log,
  });
  return { node, server, logged };
}

/** For a process of its own: listens, prints its port, commits what is pending every 50 ms. */
export async function serveFake(limits: Partial<RpcLimits>): Promise<void> {
  const { node, server } = createFakeServer({ limits });
  await server.start();
  setInterval(() => {
    if (node.pendingHashes(1).length > 0) node.commit();
  }, 50);
  process.stdout.write(`${JSON.stringify({ port: server.addresses[0]?.port })}\n`);
}

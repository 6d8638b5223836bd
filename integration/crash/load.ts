import type { Address, Digest } from "../../base/brand.ts";
import { bigIntToFixedBytes, bytesToAddress, hexToBytesOrNull } from "../../base/bytes.ts";
import { LedgerClient } from "../../sdk/client.ts";
import { keySigner, signSend, type Signer } from "../../sdk/wallet.ts";

/** TFuelWei: what one transfer costs at the devnet's fee floor, with room. */
const fee = 10n ** 13n;

/** Smallest denominations, so that the balance of a recipient counts its transfers. */
const amount = 1n;

/**
 * What a client of the node remembers: what it was told, to be compared with what is true later.
 */
export type Told = {
  /** Accepted by the node: must be committed in the end. */
  readonly accepted: Set<Digest>;
  /** Reported committed: must be there from then on. */
  readonly committed: Set<Digest>;
  /** Highest committed height ever reported. */
  height: number;
};

/** What a client waits for before its next transfer. */
type Until = "accepted" | "committed";

/**
 * Clients that send transfers one after another, each from an account of its own, and note the
 * answers.
 */
export class Load {
  readonly told: Told = { accepted: new Set(), committed: new Set(), height: 0 };
  readonly #signers: readonly Signer[];
  readonly #chain: string;
  readonly #until: Until;
  readonly #sequences = new Map<Address, bigint>();
  #sent = 0;
  #stopped = false;
  #running: Promise<void>[] = [];

  constructor(privateKeys: readonly string[], chain: string, until: Until = "accepted") {
    this.#chain = chain;
    this.#until = until;
    this.#signers = privateKeys.map((key) => keySigner(hexToBytesOrNull(key) ?? new Uint8Array(0)));
  }

  /** Transfers handed in so far. */
  get sent(): number {
    return this.#sent;
  }

  /** Begins to send to the node at this address until `stop`. */
  start(url: string): void {
    this.#stopped = false;
    const client = new LedgerClient({ url, timeoutMs: 5_000 });
    this.#running = this.#signers.map((signer) => this.#send(client, signer));
    this.#running.push(this.#follow(client));
  }

  /** Sends nothing more; resolves when the last answers, or their absence, are known. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  async #send(client: LedgerClient, signer: Signer): Promise<void> {
    while (!this.#stopped) {
      try {
        // After a lost answer only the node knows which sequence comes next.
        const known = this.#sequences.get(signer.address);
        const sequence = known ?? (await client.nextSequence(signer.address));
        this.#sequences.delete(signer.address);
        this.#sent += 1;
        const address = bytesToAddress(bigIntToFixedBytes(0xc0ffee0000n + BigInt(this.#sent), 20));
        const outputs = [{ address, coins: { thetaWei: 0n, tfuelWei: amount } }];
        const { raw } = signSend(signer, { chain: this.#chain, sequence, fee, outputs });
        const { hash } = await client.broadcast(raw, this.#until);
        this.told.accepted.add(hash);
        this.#sequences.set(signer.address, sequence + 1n);
      } catch {
        // The node is dying or dead: what it did not answer it did not promise.
        if (this.#stopped) return;
      }
    }
  }

  async #follow(client: LedgerClient): Promise<void> {
    while (!this.#stopped) {
      try {
        const { height } = await client.status();
        this.told.height = Math.max(this.told.height, height);
        for (const hash of this.told.accepted) {
          if (this.told.committed.has(hash)) continue;
          const { status } = await client.transaction(hash);
          if (status === "finalized") this.told.committed.add(hash);
          else break;
        }
      } catch {
        if (this.#stopped) return;
      }
    }
  }
}

/** Keys of the funded accounts, as the start screen shows them. */
export function printedKeys(screen: string): readonly string[] {
  return [...screen.matchAll(/0x[0-9a-f]{40} {2}(0x[0-9a-f]{64})/gi)].map(
    (match) => match[1] ?? "",
  );
}

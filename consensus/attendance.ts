import type { Address } from "../base/brand.ts";
import { signersOf } from "./signers.ts";
import type { Certificate, Committee } from "./types.ts";

/*
 * Who took no part in an epoch, as its committed blocks show it: a member that neither proposed one
 * of them nor signed a certificate in one. It follows from headers that hang on the next epoch's
 * root by their parent hashes, and from nothing else, so a node that was not there, or has only the
 * root and its proof, finds and checks the same. (Who let a view pass cannot be said that way: that
 * depends on the leaders of the epoch, so on who was absent before it, and so on back to genesis.)
 */

/** Of a long epoch only the last blocks count, so that the cost is bounded. */
export const attendanceBlocksMax = 256;

/**
 * Of a shorter epoch nothing is concluded: a member whose votes come last may well not have led.
 */
export const attendanceBlocksMin = 16;

/** What a committed header says of who took part. */
export type Attested = {
  readonly proposer: Address;
  readonly parentCertificate: Pick<Certificate, "signers">;
};

/**
 * Indices in the next committee, ascending, of those who were members before and left no trace in
 * the blocks of the epoch that ends: its last one and those before it, newest first, at most
 * `attendanceBlocksMax`.
 */
export function absentMembers(
  committees: { readonly ending: Committee; readonly next: Committee },
  blocks: readonly Attested[],
): readonly number[] {
  const missing = new Set<Address>(committees.ending.validators.map(({ address }) => address));
  for (const { proposer, parentCertificate } of blocks) {
    missing.delete(proposer);
    for (const index of signersOf(parentCertificate.signers)) {
      const signer = committees.ending.validators[index];
      if (signer !== undefined) missing.delete(signer.address);
    }
  }
  if (blocks.length < attendanceBlocksMin) return [];
  return committees.next.validators.flatMap(({ address }, index) =>
    missing.has(address) ? [index] : [],
  );
}

/** The blocks that count, newest first: from an epoch's last one back towards its root. */
export function attendedBlocks<T extends { readonly height: number }>(
  last: T,
  rootHeight: number,
  parentOf: (block: T) => T,
): readonly T[] {
  const blocks = [last];
  for (let at = last; at.height > rootHeight + 1 && blocks.length < attendanceBlocksMax;) {
    at = parentOf(at);
    blocks.push(at);
  }
  return blocks;
}

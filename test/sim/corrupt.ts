import type { Digest } from "../../base/brand.ts";
import type { Certificate } from "../../consensus/types.ts";
import type { Prng } from "./prng.ts";
import { stubDigest } from "./stubs.ts";
import type { Wire } from "./wire.ts";

/** Another number nearby, never negative. */
function nudged(value: number, dice: Prng): number {
  const isUp = value === 0 || (value < Number.MAX_SAFE_INTEGER && dice.chance(1, 2));
  return isUp ? value + 1 : value - 1;
}

function flipped(bytes: Uint8Array, dice: Prng): Uint8Array {
  const at = dice.below(Math.max(1, bytes.length));
  return bytes.map((byte, i) => (i === at ? byte ^ (1 << dice.below(8)) : byte));
}

function otherDigest(dice: Prng): Digest {
  return stubDigest(`corrupt ${dice.next()}`);
}

function certificateWith(certificate: Certificate, dice: Prng): Certificate {
  switch (dice.below(4)) {
    case 0:
      return { ...certificate, block: otherDigest(dice) };
    case 1:
      return { ...certificate, view: nudged(certificate.view, dice) };
    case 2:
      return { ...certificate, signers: flipped(certificate.signers, dice) };
    default:
      return { ...certificate, signature: flipped(certificate.signature, dice) };
  }
}

/** The message with one thing in it changed, as damage in transit would, signatures kept. */
export function corrupted(wire: Wire, dice: Prng): Wire {
  switch (wire.type) {
    case "vote": {
      const { vote, signature } = wire.vote;
      const changed = dice.pick([
        { ...wire.vote, signature: flipped(signature, dice) },
        { ...wire.vote, signer: nudged(wire.vote.signer, dice) },
        { ...wire.vote, vote: { ...vote, view: nudged(vote.view, dice) } },
        { ...wire.vote, vote: { ...vote, block: otherDigest(dice) } },
      ]);
      return { type: "vote", vote: changed };
    }
    case "timeout": {
      const { timeout, signature } = wire.timeout;
      const highCertificate = certificateWith(timeout.highCertificate, dice);
      const changed = dice.pick([
        { ...wire.timeout, signature: flipped(signature, dice) },
        { ...wire.timeout, timeout: { ...timeout, view: nudged(timeout.view, dice) } },
        { ...wire.timeout, timeout: { ...timeout, highCertificate } },
      ]);
      return { type: "timeout", timeout: changed };
    }
    case "proposal": {
      const { proposal, block } = wire;
      const signature = flipped(proposal.signature, dice);
      const other = { ...block, payload: `${block.payload}!` };
      return dice.chance(1, 2)
        ? { ...wire, proposal: { ...proposal, signature } }
        : { ...wire, proposal: { ...proposal, block: other.summary }, block: other };
    }
    case "block":
      return { type: "block", block: { ...wire.block, state: otherDigest(dice) } };
    case "proof": {
      const { links, certificate } = wire.proof;
      return dice.chance(1, 2)
        ? { type: "proof", proof: { links: links.slice(1), certificate } }
        : { type: "proof", proof: { links, certificate: certificateWith(certificate, dice) } };
    }
    case "fetch":
      return { ...wire, hash: otherDigest(dice) };
    case "catchUp":
      return { type: "catchUp", wire: { type: "height", from: wire.wire.from, height: 0 } };
    case "ask":
      return { ...wire, epoch: nudged(wire.epoch, dice) };
  }
}

import { NodeError } from "../../base/nodeError.ts";

/** The state of a payer or receiver on disk is damaged, in use, or cannot be written. */
export class PayStateError extends NodeError {
  override readonly name = "PayStateError";
}

/** The other side of a payment does not keep to the protocol, or cannot be reached. */
export class PayPeerError extends NodeError {
  override readonly name = "PayPeerError";
}

import type { Defect } from "./defect.ts";

const receiver = "sdk/pay/receiver.test.ts";

/** Planted defects of the two sides of a payment. */
export const payDefects: readonly Defect[] = [
  {
    row: "M1",
    about: "a receiver does not mind that others empty the pool",
    file: "sdk/pay/receiver.ts",
    find: "const isScarce = unsettled * 2n > view.fund - view.used;",
    replace: "const isScarce = view.fund < 0n;",
    test: receiver,
  },
  {
    row: "M3",
    about: "a receiver serves what the pool does not pay for",
    file: "sdk/pay/account.ts",
    find: 'if (kept === null) return { code: "resourceNotInPool", resourceId };',
    replace: "if (kept === null) return null;",
    test: receiver,
  },
  {
    row: "M5",
    about: "a receiver takes a sequence that is closed",
    file: "sdk/pay/account.ts",
    find: 'if (got < expected) return refuse({ code: "sequenceStale", got, expected });',
    replace: "if (got < expected) return accept(amount);",
    test: receiver,
  },
  {
    row: "M8",
    about: "a receiver serves to the very end of a pool",
    file: "sdk/pay/account.ts",
    find: "if (height + policy.blocksLeftMin > view.endHeight)",
    replace: "if (height > view.endHeight)",
    test: receiver,
  },
  {
    row: "M10",
    about: "a receiver serves under any split rule",
    file: "sdk/pay/account.ts",
    find: "if (kept < policy.keptPercentMin)",
    replace: "if (kept < 0)",
    test: receiver,
  },
  {
    row: "M12",
    about: "a receiver does not look at the voucher's signature",
    file: "sdk/pay/receiver.ts",
    find: 'return payer === null ? { code: "signatureInvalid" } : null;',
    replace: "return payer === voucher.target ? null : null;",
    test: receiver,
  },
  {
    row: "M13",
    about: "a watcher waits until the pool is over",
    file: "sdk/pay/watcher.ts",
    find: "const isEnding = height + this.#blocksLeftMin >= view.endHeight;",
    replace: "const isEnding = height > view.endHeight;",
    test: "sdk/pay/watcher.test.ts",
  },
];

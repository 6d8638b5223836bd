/**
 * Encoded bytes of one transaction: room for the largest contract (48 KiB of init code) and its
 * calls.
 */
export const transactionBytesMax = 128 * 1024;

/** Encoded bytes of one message between nodes; gossip silently drops what is longer than 4 MiB. */
export const messageBytesMax = 4 * 1024 * 1024;

/** Bytes of one HTTP request body; Theta's limit for one message. */
export const requestBytesMax = 8 * 1024 * 1024;

/*
 * Every limit of the network that is not set per topic or per protocol. Bytes, milliseconds and
 * counts; what is dropped first when one is reached is said beside it.
 */

/** Version of the envelopes; two nodes that differ do not talk. */
export const wireVersion = 1;

/** Bytes of a frame beyond its body: kind, number, code and the body's own prefix. */
export const frameOverheadMax = 24;

/** Bytes of one frame's body, whatever a protocol asks for: the longest message between nodes. */
export const frameBodyBytesMax = 4 * 1024 * 1024;

/**
 * A frame that was begun must be whole after this; else its stream is reset (the slow reader's
 * twin).
 */
export const frameMsMax = 30_000;

/** Bytes waiting for one peer on one stream; beyond, the newest frame is refused to its sender. */
export const queueBytesMax = 16 * 1024 * 1024;

/** Frames waiting for one peer on one stream; beyond, the newest is refused to its sender. */
export const queueFramesMax = 4_096;

/** A peer that takes nothing for so long while frames wait is dropped, with its queue. */
export const stallMsMax = 10_000;

/**
 * Frames are written in pieces of at most so many bytes: small ones that wait together are joined,
 * long ones are cut. Yamux's first window; pieces of 64 KiB made 100 KB frames three times as slow.
 */
export const writeBytesMax = 256 * 1024;

/** Requests without an answer on one stream; beyond, the newest is refused to its sender. */
export const requestsInFlightMax = 256;

/** Streams that one peer may hold open to us for one protocol; the oldest is closed first. */
export const inboundStreamsMax = 2;

/** Streams of one protocol that we may have open to one peer: one, and those still closing. */
export const outboundStreamsMax = 8;

/** Opening a stream, including the negotiation of its protocol. */
export const openMsMax = 10_000;

/** From connection to a completed handshake; a peer that is silent for so long is dropped. */
export const handshakeMsMax = 10_000;

/** Bytes of a handshake: two digests and the status. */
export const handshakeBytesMax = 4_096;

/** How long a peer's next frame may be held back by its rate; beyond, it is refused as busy. */
export const holdMsMax = 2_000;

/** Validations of one topic at the same time; beyond, messages are ignored. */
export const validationsMax = 256;

/** Bytes of one gossiped message: what gossipsub carries, less room for its own envelope. */
export const gossipBytesMax = 4 * 1024 * 1024 - 1_024;

/** Peers whose score is remembered; the least interesting one that is not connected goes first. */
export const peersTrackedMax = 10_000;

/** Connections in all; beyond, new inbound ones are refused. */
export const connectionsMax = 128;

/**
 * Of these, inbound: the rest is for peers that we chose ourselves, so nobody can fill our table.
 */
export const inboundConnectionsMax = 96;

/** Inbound connections from one host in a second; libp2p's own default of 5 is for the open sea. */
export const inboundPerSecondMax = 20;

/** Inbound connections that are not encrypted yet. */
export const inboundPendingMax = 32;

/** Encrypting and multiplexing an inbound connection: a half-open one is dropped after this. */
export const upgradeMsMax = 5_000;

/** Dials at the same time. */
export const dialsMax = 8;

/** One dial, all its addresses. */
export const dialMsMax = 10_000;

/** Peers found by discovery that are dialled, besides those configured. */
export const outboundPeersTarget = 16;

/**
 * Addresses remembered for dialling; the oldest discovered one goes first, a configured one never.
 */
export const addressesMax = 1_000;

/** First pause after a failed dial; doubled at each failure. */
export const redialMsMin = 1_000;

/**
 * Longest pause between two dials of a configured address: a validator that returns is soon found.
 */
export const redialMsMax = 15_000;

/** How often the dialler looks for something to do. */
export const dialTickMs = 1_000;

/**
 * Peers whose addresses are kept across restarts, so that an attacker cannot choose all of ours.
 */
export const anchorsMax = 8;

/** Closing everything, graceful part; after this what is left is cut. */
export const stopMsMax = 3_000;

/** Topics that one peer may subscribe to, by gossipsub's account of about 1 KiB each. */
export const topicBytesPerPeerMax = 256 * 1024;

/** Entries of one gossip control message (IHAVE, IWANT, GRAFT, PRUNE); the rest is not decoded. */
export const gossipControlMax = 1_000;

import type { GossipsubOpts } from "@libp2p/gossipsub";
import { createPeerScoreParams } from "@libp2p/gossipsub/score";
import { concatBytes, textToBytes } from "../base/bytes.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { textToPeerId } from "./peerId.ts";
import type { PeerId } from "./peerId.ts";
import { gossipBytesMax, gossipControlMax, queueBytesMax, topicBytesPerPeerMax } from "./limits.ts";

/*
 * Gossipsub, configured. Messages are unsigned: what they carry is signed by whom it concerns, and
 * a signature of the transport on top halves the throughput. Our own score (p2p/peers.ts) is the
 * application's part of gossipsub's, so one opinion decides who is listened to.
 */

/** Bytes of a gossip message beside its data: topic and field prefixes. */
const gossipOverheadMax = 1_024;

/** Peers of one host that are not held against one another; a test network is one host. */
export const peersPerHostMax = 32;

/** Below the first no gossip is exchanged, below the next nothing is published to, then heard. */
const thresholds = {
  gossipThreshold: -20,
  publishThreshold: -40,
  graylistThreshold: -80,
  acceptPXThreshold: 0,
  opportunisticGraftThreshold: 1,
};

/** Between topic and data in what is hashed to a message's id: no topic holds one. */
const zeroByte = new Uint8Array(1);

/**
 * Gossipsub's options; `standing` is our score of a peer, `checkTopic` throws on a foreign topic.
 */
export function createGossipOptions(view: {
  readonly standing: (peer: PeerId) => number;
  readonly checkTopic: (topic: string) => void;
}): Partial<GossipsubOpts> {
  return {
    globalSignaturePolicy: "StrictNoSign",
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    emitSelf: false,
    floodPublish: true,
    canRelayMessage: false,
    doPX: false,
    fallbackToFloodsub: false,
    D: 8,
    Dlo: 6,
    Dhi: 12,
    msgIdFn: ({ topic, data }) => keccak256(concatBytes(textToBytes(topic), zeroByte, data)),
    dataTransform: {
      // Before the message is remembered: a flood of invented topics leaves no trace.
      inboundTransform: (topic, data) => {
        view.checkTopic(topic);
        return data;
      },
      outboundTransform: (_topic, data) => data,
    },
    maxInboundDataLength: gossipBytesMax + gossipOverheadMax,
    maxOutboundBufferSize: queueBytesMax,
    maxTopicBytesPerPeer: topicBytesPerPeerMax,
    maxInboundStreams: 2,
    maxOutboundStreams: 2,
    decodeRpcLimits: {
      maxSubscriptions: gossipControlMax,
      maxMessages: gossipControlMax,
      maxIhaveMessageIDs: gossipControlMax,
      maxIwantMessageIDs: gossipControlMax,
      maxIdontwantMessageIDs: gossipControlMax,
      maxControlMessages: gossipControlMax,
      maxPeerInfos: 0,
    },
    scoreParams: createPeerScoreParams({
      appSpecificScore: (peer) => view.standing(textToPeerId(peer)),
      appSpecificWeight: 1,
      IPColocationFactorThreshold: peersPerHostMax,
      IPColocationFactorWeight: -5,
      behaviourPenaltyWeight: -10,
      behaviourPenaltyThreshold: 6,
      behaviourPenaltyDecay: 0.9,
    }),
    scoreThresholds: thresholds,
  };
}

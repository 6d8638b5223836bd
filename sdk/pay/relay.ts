import { accept, type Outcome } from "../../base/outcome.ts";
import {
  decodeRlp,
  encodeRlp,
  rlpNumber,
  RlpReader,
  rlpText,
  type RlpItem,
} from "../../base/rlp.ts";
import type { Codec } from "../../p2p/codec.ts";
import type { Network } from "../../p2p/network.ts";
import type { PeerId } from "../../p2p/peerId.ts";
import type { Protocol } from "../../p2p/protocols.ts";
import {
  answerFile,
  type FileAnswer,
  type FileRequest,
  type FileServerParts,
} from "./fileAnswer.ts";
import { headerCharactersMax, paymentHeader } from "./x402.ts";

/*
 * The same sale between peers: the protocol `/ledger/1/pay`. A request is RLP
 * `[target, range, payment]`, an answer `[status, [[name, value] …], body]`, with the words and
 * headers of HTTP, so that whatever buys over HTTP buys from a peer as well: `relayFetch` is a
 * `fetch`.
 */

/** Bytes of one answer: what the network carries in one frame. */
const answerBytesMax = 4 * 1_024 * 1_024;

const requestBytesMax = 2 * headerCharactersMax;

/** Headers of one answer. */
const headersMax = 16;

const requestCodec: Codec<FileRequest> = {
  encode: ({ target, range, payment }) =>
    encodeRlp([rlpText(target), rlpText(range ?? ""), rlpText(payment ?? "")]),
  decode: (bytes) =>
    decoded(bytes, (reader, item) => {
      const [target, range, payment] = reader.list(item, 3);
      return {
        target: reader.text(target, 4_096),
        range: orNull(reader.text(range, 64)),
        payment: orNull(reader.text(payment, headerCharactersMax)),
      };
    }),
};

const answerCodec: Codec<FileAnswer> = {
  encode: ({ status, headers, body }) => {
    const list = Object.entries(headers).map(([name, value]) => [rlpText(name), rlpText(value)]);
    return encodeRlp([rlpNumber(status), list, body]);
  },
  decode: (bytes) =>
    decoded(bytes, (reader, item) => {
      const [status, headers, body] = reader.list(item, 3);
      const code = reader.number(status);
      reader.check(code >= 200 && code <= 599, `status ${code}`);
      const pairs = reader.array(headers, headersMax, (pair) => {
        const [name, value] = reader.list(pair, 2);
        return [reader.text(name, 64), reader.text(value, headerCharactersMax)] as const;
      });
      for (const [name] of pairs) reader.check(/^[a-z-]{1,64}$/.test(name), "a header's name");
      return {
        status: code,
        headers: Object.fromEntries(pairs),
        body: reader.bytes(body, answerBytesMax),
      };
    }),
};

function orNull(text: string): string | null {
  return text === "" ? null : text;
}

function decoded<T>(
  bytes: Uint8Array,
  read: (reader: RlpReader, item: RlpItem) => T,
): Outcome<T, { readonly code: string }> {
  const item = decodeRlp(bytes, { itemsMax: 4 * headersMax, depthMax: 4 });
  if (!item.ok) return item;
  const reader = new RlpReader("relay message");
  const value = read(reader, item.value);
  return reader.refusal === null ? accept(value) : reader.outcome(value);
}

/** The protocol by which a peer buys, and sells if it has something: declared before `start`. */
export function payProtocol(
  network: Network,
  shop: FileServerParts | null,
): Protocol<FileRequest, FileAnswer> {
  return network.protocol("pay", {
    request: requestCodec,
    response: answerCodec,
    requestBytesMax,
    responseBytesMax: answerBytesMax,
    timeoutMs: 30_000,
    rate: { perSecond: 2_000, burst: 4_000 },
    concurrencyMax: 64,
    handle: async (request) => {
      if (shop === null) return { verdict: "ignore" };
      const response = await answerFile(shop, request);
      const isCarried = response.body.length <= answerBytesMax - requestBytesMax;
      return isCarried ? { verdict: "accept", response } : { verdict: "ignore" };
    },
  });
}

/** A `fetch` that asks a peer, for `SourceParts`; the host in the URL means nothing. */
export function relayFetch(
  protocol: Protocol<FileRequest, FileAnswer>,
  peer: PeerId,
): typeof fetch {
  return async (input, init) => {
    const { pathname, search } = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init?.headers);
    const request = {
      target: `${pathname}${search}`,
      range: headers.get("range"),
      payment: headers.get(paymentHeader),
    };
    const signal = init?.signal ?? null;
    const answer = await protocol.request(peer, request, signal === null ? {} : { signal });
    if (!answer.ok) throw new TypeError(`the peer does not answer: ${answer.refusal.code}`);
    const { status, headers: given, body } = answer.value;
    return new Response(Uint8Array.from(body), { status, headers: { ...given } });
  };
}

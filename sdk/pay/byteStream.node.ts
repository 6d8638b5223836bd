import { hash } from "node:crypto";
import { Agent, request as httpRequest } from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import type { ByteAnswer, StreamOpener } from "./byteStream.ts";

const agent = new Agent({ keepAlive: true });
const tlsAgent = new TlsAgent({ keepAlive: true });

/** Streams over `node:http`, which reads an answer while it still sends the request. */
export const openNodeStream: StreamOpener = (url, { headers, timeoutMs }) => {
  const options = { method: "POST", headers, timeout: timeoutMs };
  const request = url.startsWith("https:")
    ? tlsRequest(url, { ...options, agent: tlsAgent })
    : httpRequest(url, { ...options, agent });
  request.flushHeaders();
  const answer = new Promise<ByteAnswer>((resolve, reject) => {
    request.on("response", (response) => {
      resolve({ status: response.statusCode ?? 0, body: response as AsyncIterable<Uint8Array> });
    });
    // After the answer began its body fails as well: whoever reads that is told.
    request.on("error", reject);
  });
  request.on("timeout", () => request.destroy(new Error(`nothing came for ${timeoutMs} ms`)));
  return {
    answer,
    send: (bytes) => void request.write(bytes),
    end: () => void request.end(),
    close: () => void request.destroy(),
  };
};

/** SHA-256 in place: for chunks of 64 KiB faster than on another thread. */
export function sha256InPlace(bytes: Uint8Array): Uint8Array {
  return hash("sha256", bytes, "buffer");
}

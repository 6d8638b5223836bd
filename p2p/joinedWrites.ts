import type { ConnectionEncrypter, MessageStream, SecuredConnection } from "@libp2p/interface";
import { concatBytes } from "../base/bytes.ts";
import { writeBytesMax } from "./limits.ts";

/*
 * Yamux hands each frame to the encryption by itself, head and body apart, and answers every frame
 * with a new window. Written so, a message costs three records and three system calls, and the
 * other side as many. Here what is sent in one turn becomes one piece, and a window waits a moment
 * for something to travel with.
 */

/** Bytes of a Yamux frame without a body. */
const headBytes = 12;

/** Yamux's type of a frame that only grants a window. */
const windowUpdate = 1;

/** Windows from this size on are waited for by whoever sends much: they go at once. */
const windowBytesHeldMax = 32 * 1024;

/** How long a window waits for company, in milliseconds. */
const windowHeldMs = 10;

/** Whether a frame only grants a small window, without opening or closing a stream. */
function isSmallWindow(frame: Uint8Array): boolean {
  if (frame.length !== headBytes || frame[1] !== windowUpdate) return false;
  const view = new DataView(frame.buffer, frame.byteOffset, headBytes);
  return view.getUint16(2) === 0 && view.getUint32(8) < windowBytesHeldMax;
}

/** Makes a stream write in one piece what it is given in one turn; gives the same stream. */
export function joinWrites(stream: MessageStream): MessageStream {
  const send = stream.send.bind(stream);
  const close = stream.close.bind(stream);
  let pieces: Uint8Array[] = [];
  let size = 0;
  let isDue = false;
  let held: NodeJS.Timeout | null = null;

  const flush = (): void => {
    isDue = false;
    if (held !== null) clearTimeout(held);
    held = null;
    if (size === 0) return;
    const joined = concatBytes(...pieces);
    pieces = [];
    size = 0;
    try {
      send(joined);
    } catch {
      // It ended since: its end is told to all who use it.
    }
  };

  stream.send = (data) => {
    if (stream.status !== "open") return send(data);
    const bytes = data instanceof Uint8Array ? data : data.subarray();
    pieces.push(bytes);
    size += bytes.length;
    if (size >= writeBytesMax) flush();
    else if (isSmallWindow(bytes)) held ??= setTimeout(flush, windowHeldMs);
    else if (!isDue) {
      isDue = true;
      queueMicrotask(flush);
    }
    return !stream.writableNeedsDrain;
  };
  stream.close = (options) => {
    flush();
    return close(options);
  };
  return stream;
}

/** The same encryption, whose connections write joined. */
export function joiningWrites<Components>(
  make: (components: Components) => ConnectionEncrypter,
): (components: Components) => ConnectionEncrypter {
  const joined = async (secured: Promise<SecuredConnection>): Promise<SecuredConnection> => {
    const found = await secured;
    joinWrites(found.connection);
    return found;
  };
  return (components) => {
    const encrypter = make(components);
    const inbound = encrypter.secureInbound.bind(encrypter);
    const outbound = encrypter.secureOutbound.bind(encrypter);
    encrypter.secureInbound = (stream, options) => joined(inbound(stream, options));
    encrypter.secureOutbound = (stream, options) => joined(outbound(stream, options));
    return encrypter;
  };
}

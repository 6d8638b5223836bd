import { connect, type Socket } from "node:net";

/*
 * One kept-alive HTTP connection, written by hand because the generator shares two cores with what
 * it measures: a request costs it about ten microseconds. One request is in flight at a time, as
 * with any client that does not pipeline.
 */

/** What became of a request. */
export type LaneAnswer = { readonly status: number; readonly body: string };

/** Where requests go. */
export type LaneTarget = { readonly port: number; readonly path: string };

const host = "127.0.0.1";

/** HTTP's word for a connection on which no whole request came in time; its body is empty. */
const timedOutStatus = 408;

/** A connection that answers one request at a time, and connects again when it is closed. */
export class Lane {
  readonly #head: string;
  readonly #port: number;
  readonly #onAnswer: (answer: LaneAnswer) => void;
  readonly #onIdle: () => void;
  #socket: Socket | null = null;
  #received = "";
  #isReady = false;
  #isClosed = false;
  /** The request whose answer is awaited; sent again when the connection breaks. */
  #awaited: string | null = null;

  /** `onIdle` is called when a request may be sent again after a connection was made. */
  constructor(
    target: LaneTarget,
    handlers: {
      readonly onAnswer: (answer: LaneAnswer) => void;
      readonly onIdle: () => void;
    },
  ) {
    this.#head = [
      `POST ${target.path} HTTP/1.1`,
      `host: ${host}:${target.port}`,
      "content-type: application/json",
      "content-length: ",
    ].join("\r\n");
    this.#port = target.port;
    this.#onAnswer = handlers.onAnswer;
    this.#onIdle = handlers.onIdle;
  }

  /** Whether `send` may be called. */
  get isIdle(): boolean {
    return this.#isReady && this.#awaited === null;
  }

  open(): void {
    const socket = connect({ host, port: this.#port, noDelay: true });
    socket.setEncoding("latin1");
    socket.on("connect", () => {
      this.#isReady = true;
      if (this.#awaited === null) this.#onIdle();
      else socket.write(this.#awaited, "latin1");
    });
    socket.on("data", (text: string | Uint8Array) => this.#take(String(text)));
    socket.on("error", () => undefined); // `close` follows.
    socket.on("close", () => {
      this.#isReady = false;
      this.#received = "";
      if (!this.#isClosed) setTimeout(() => this.open(), 50);
    });
    this.#socket = socket;
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.destroy();
  }

  /** Posts a JSON body of ASCII characters. */
  send(body: string): void {
    this.#awaited = `${this.#head}${body.length}\r\n\r\n${body}`;
    this.#socket?.write(this.#awaited, "latin1");
  }

  #take(text: string): void {
    this.#received = this.#received.length === 0 ? text : this.#received + text;
    const headEnd = this.#received.indexOf("\r\n\r\n");
    if (headEnd < 0) return;
    const head = this.#received.slice(0, headEnd);
    const length = /content-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined) throw new Error(`an answer without content-length:\n${head}`);
    const end = headEnd + 4 + Number(length);
    if (this.#received.length < end) return;
    const body = this.#received.slice(headEnd + 4, end);
    this.#received = this.#received.slice(end);
    const status = Number(head.slice(9, 12));
    // A busy server saw no request here in time and closes: nothing of one was carried out.
    if (status === timedOutStatus) return;
    this.#awaited = null;
    this.#onAnswer({ status, body });
  }
}

/** One request whose body is written while its answer is read. */
export interface ByteStream {
  /** Resolves when the answer begins; rejects when there is none. */
  readonly answer: Promise<ByteAnswer>;
  /** Sends some of the request's body. */
  send(bytes: Uint8Array): void;
  /** Says that nothing more is sent. */
  end(): void;
  /** Gives up; after the answer's end it does nothing. */
  close(): void;
}

/** The beginning of an answer, and its body as it comes: a piece is gone when the next is asked for. */
export type ByteAnswer = { readonly status: number; readonly body: AsyncIterable<Uint8Array> };

/** Opens such a request, of the method POST; `fetch` cannot in all browsers. */
export type StreamOpener = (
  url: string,
  options: {
    readonly headers: Readonly<Record<string, string>>;
    /** Without a byte for so long it fails. */
    readonly timeoutMs: number;
  },
) => ByteStream;

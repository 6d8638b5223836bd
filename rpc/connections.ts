import type { Server } from "node:http";
import type { Socket } from "node:net";

/**
 * Keeps the number of open connections at a maximum by closing the one that has been quiet longest.
 * Turning new ones away instead would let 1,000 silent sockets keep every good client out. Quiet is
 * who is not being answered: sending a request slowly is quiet too. A client that finishes a
 * request moves to the end of the line.
 */
export class Connections {
  readonly #connectionsMax: number;
  readonly #onChange: (change: 1 | -1) => void;
  readonly #onEvicted: () => void;
  /** In order of last activity; a set iterates in order of insertion. */
  readonly #quiet = new Set<Socket>();
  readonly #answering = new Map<Socket, number>();

  constructor(
    connectionsMax: number,
    on: { readonly change: (change: 1 | -1) => void; readonly evicted: () => void },
  ) {
    this.#connectionsMax = connectionsMax;
    this.#onChange = on.change;
    this.#onEvicted = on.evicted;
  }

  get count(): number {
    return this.#quiet.size + this.#answering.size;
  }

  /** Watches a server's connections from now on. */
  watch(server: Server): void {
    server.on("connection", (socket) => this.#onConnection(socket));
  }

  /** The socket's request is read and being answered: it is not closed to make room. */
  beginAnswer(socket: Socket): void {
    if (socket.destroyed) return;
    this.#quiet.delete(socket);
    this.#answering.set(socket, (this.#answering.get(socket) ?? 0) + 1);
  }

  endAnswer(socket: Socket): void {
    const answers = this.#answering.get(socket);
    if (answers === undefined) return;
    if (answers > 1) this.#answering.set(socket, answers - 1);
    else {
      this.#answering.delete(socket);
      this.#quiet.add(socket);
    }
  }

  /** Closes the connections that are not being answered. */
  destroyQuiet(): void {
    for (const socket of this.#quiet) socket.destroy();
  }

  /** Closes all connections at once, the answering ones too. */
  destroyAll(): void {
    for (const socket of [...this.#quiet, ...this.#answering.keys()]) socket.destroy();
  }

  #onConnection(socket: Socket): void {
    if (this.count >= this.#connectionsMax) {
      const oldest = this.#quiet.values().next();
      this.#onEvicted();
      if (oldest.done === true) {
        socket.destroy(); // All the others are being answered.
        return;
      }
      this.#forget(oldest.value);
      oldest.value.destroy();
    }
    this.#quiet.add(socket);
    this.#onChange(1);
    socket.once("close", () => this.#forget(socket));
  }

  #forget(socket: Socket): void {
    const quiet = this.#quiet.delete(socket);
    if (this.#answering.delete(socket) || quiet) this.#onChange(-1);
  }
}

// SPDX-License-Identifier: Apache-2.0
// A server whose every byte the test decides.
import net from "node:net";
import { awaitCondition } from "@meerkat/testkit";

/** One accepted connection. */
export interface RawPeer {
  readonly socket: net.Socket;
  /** Counts from 1 in the order of acceptance. */
  readonly id: number;
}

/** Called with what arrived: one chunk is one request, since clients write a request in one piece. */
export type OnRequest = (peer: RawPeer, bytes: Buffer) => void;

/** A raw server on a free port. */
export class RawServer implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #onRequest: OnRequest;
  /** Connections accepted since the start. */
  accepted = 0;
  /** Everything received, chunk by chunk. */
  readonly requests: Buffer[] = [];

  private constructor(onRequest: OnRequest) {
    this.#onRequest = onRequest;
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
  }

  static async listen(onRequest: OnRequest, port = 0): Promise<RawServer> {
    const server = new RawServer(onRequest);
    await new Promise<void>((resolve, reject) => {
      server.#server.once("error", reject);
      server.#server.listen(port, "127.0.0.1", resolve);
    });
    return server;
  }

  get host(): string {
    return "127.0.0.1";
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Connections open on this side. */
  get open(): number {
    return this.#sockets.size;
  }

  /** Ends our direction of every connection. */
  endAll(): void {
    for (const socket of this.#sockets) socket.end();
  }

  #accept(socket: net.Socket): void {
    const peer: RawPeer = { socket, id: ++this.accepted };
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("end", () => socket.end());
    socket.on("data", (bytes) => {
      this.requests.push(bytes);
      this.#onRequest(peer, bytes);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    await awaitCondition(() => this.#sockets.size === 0);
  }
}

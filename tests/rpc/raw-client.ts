// SPDX-License-Identifier: Apache-2.0
// A socket that keeps what it receives: the test says every byte itself.
import net from "node:net";
import { awaitCondition } from "@meerkat/testkit";

/** A raw connection to a server. */
export class RawClient implements AsyncDisposable {
  readonly socket: net.Socket;
  /** Everything received so far. */
  received: Buffer = Buffer.alloc(0);
  /** Chunks received so far. */
  chunks = 0;
  /** The server closed its direction. */
  ended = false;
  closed = false;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("data", (chunk) => {
      this.chunks++;
      this.received = Buffer.concat([this.received, chunk]);
    });
    socket.on("end", () => {
      this.ended = true;
    });
    socket.on("close", () => {
      this.closed = true;
    });
    socket.on("error", () => {});
  }

  static async connect(
    target: { readonly port: number },
    options: { readonly allowHalfOpen?: boolean } = {},
  ): Promise<RawClient> {
    const socket = net.connect({ host: "127.0.0.1", port: target.port, noDelay: true, ...options });
    const client = new RawClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return client;
  }

  write(...pieces: readonly Buffer[]): void {
    for (const piece of pieces) this.socket.write(piece);
  }

  /** Waits for exactly these bytes, then forgets them. */
  async expectBytes(...pieces: readonly Buffer[]): Promise<void> {
    const expected = Buffer.concat(pieces);
    await awaitCondition(() => this.received.length >= expected.length || this.closed, {
      describe: `${expected.length} bytes, having ${this.received.toString("hex")}`,
    });
    const received = this.received.toString("hex");
    if (received !== expected.toString("hex")) {
      throw new Error(`received ${received} instead of ${expected.toString("hex")}`);
    }
    this.received = Buffer.alloc(0);
  }

  /** Waits until the server closed the connection. */
  async expectClosed(): Promise<void> {
    await awaitCondition(() => this.closed || this.ended, { describe: "the server to close" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await awaitCondition(() => this.closed);
  }
}

/** Sockets that this process has open. */
export function openSockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length;
}

/** Timers that keep this process alive. */
export function activeTimers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
}

// SPDX-License-Identifier: Apache-2.0
// The seam between sockets and wires: several wires share a port, told apart by the first byte.
import type { Socket } from "@meerkat/runtime";

/** What one connection is in a particular wire. Told of the socket's events by the server. */
export interface ServerSession {
  /** Bytes arrived; the chunk is valid only during the call. */
  onData(chunk: Buffer): void;
  /** The socket takes bytes again. */
  onDrain(): void;
  /** The client will send no more; it may still wait for replies. */
  onEnd(): void;
  /** The connection is gone. */
  onClose(): void;
  /** True while a call is being served or waits for its turn. */
  readonly busy: boolean;
  /** True when nothing was received that is not answered yet. */
  readonly quiet: boolean;
  /** Answer the call being served, then end the connection. What comes after is not served. Idempotent. */
  finish(): void;
}

/** A wire as the server sees it. */
export interface ServerWire {
  readonly name: string;
  /** Whether a connection that starts with this byte speaks this wire. */
  matches(firstByte: number): boolean;
  accept(socket: Socket): ServerSession;
}

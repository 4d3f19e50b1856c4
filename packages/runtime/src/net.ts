// SPDX-License-Identifier: Apache-2.0
// Sockets as a dependency. One shape serves TCP, TLS and the simulated network of the testkit.
import type { TlsClientOptions, TlsServerOptions } from "./tls.ts";

/** Events of one socket. All run on the event loop and must not throw. */
export interface SocketHandler {
  /** Outgoing sockets only: connected (and, with TLS, the handshake done). */
  onConnect?(): void;
  /** Bytes arrived. **The chunk is only valid during the call**: its memory is reused. */
  onData(chunk: Buffer): void;
  /** All bytes written so far were handed to the operating system, after `write` returned false. */
  onDrain?(): void;
  /** The peer will send no more. Left out, the socket is ended in turn. */
  onEnd?(): void;
  /** The last event, exactly once; `error` is set when it was not a clean close. */
  onClose(error: Error | undefined): void;
}

/** A connected (or connecting) byte stream. */
export interface Socket {
  /** Address of the peer: an IP address, or "" when not connected. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Bytes written but not yet accepted by the operating system. */
  readonly bufferedBytes: number;
  /** The client's certificate subject (RFC 2253) where TLS verified one. */
  readonly peerSubject: string | undefined;
  /**
   * Sends bytes in order. The caller must not change them afterwards. Returns false when more is
   * buffered than is sensible: go on at `onDrain`.
   */
  write(bytes: Uint8Array): boolean;
  /** Stops and restarts `onData`; bytes stay with the operating system meanwhile. */
  pause(): void;
  resume(): void;
  /** Sends what is buffered, then closes this direction. */
  end(): void;
  /** Closes at once; buffered bytes are dropped. `onClose` follows with `error`. */
  destroy(error?: Error): void;
}

/** Where to connect. */
export interface ConnectTarget {
  /** Host name or address (IPv6 without brackets). */
  readonly host: string;
  readonly port: number;
  /** TLS instead of plain TCP. */
  readonly tls?: TlsClientOptions | undefined;
}

/** Where to listen. */
export interface ListenTarget {
  /** Address to bind; loopback unless the user says otherwise. */
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** Length of the kernel's accept queue. */
  readonly backlog?: number | undefined;
  readonly tls?: TlsServerOptions | undefined;
}

/** A bound listener. */
export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Stops accepting; open sockets stay. Resolves when the port is free. */
  close(): Promise<void>;
}

/** The network. */
export interface Net {
  /** Starts connecting and returns at once; the outcome arrives at the handler. */
  connect(target: ConnectTarget, handler: SocketHandler): Socket;
  /** Binds; `accept` makes the handler of each new socket. Rejects when the address is taken. */
  listen(target: ListenTarget, accept: (socket: Socket) => SocketHandler): Promise<Listener>;
  /** All addresses of a host name, IPv4 and IPv6, in the resolver's order. */
  resolve(host: string): Promise<string[]>;
}

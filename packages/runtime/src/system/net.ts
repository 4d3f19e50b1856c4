// SPDX-License-Identifier: Apache-2.0
// The real network over node:net, node:tls and node:dns.
import { lookup } from "node:dns/promises";
import net from "node:net";
import tls from "node:tls";
import type { ConnectTarget, Listener, ListenTarget, Net, Socket, SocketHandler } from "../net.ts";
import type { TlsClientOptions, TlsServerOptions } from "../tls.ts";

/** Size of the one buffer that a plain socket reads into. */
const READ_BUFFER_BYTES = 64 * 1024;

/**
 * Every plain socket of the process reads into this buffer: handlers must use a chunk before they return,
 * so no two chunks are alive at once. Saves an allocation and a copy per read.
 */
const readBuffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);

/** Adapts a node socket to `Socket` and feeds its events to the handler. */
class SystemSocket implements Socket {
  readonly #socket: net.Socket;
  #error: Error | undefined;
  #remoteAddress = "";
  #remotePort = 0;

  constructor(socket: net.Socket) {
    this.#socket = socket;
    this.captureAddress();
  }

  /** The addresses vanish when the socket closes, so they are kept as soon as they are known. */
  captureAddress(): void {
    this.#remoteAddress = this.#socket.remoteAddress ?? this.#remoteAddress;
    this.#remotePort = this.#socket.remotePort ?? this.#remotePort;
  }

  bind(handler: SocketHandler): void {
    const socket = this.#socket;
    socket.on("drain", () => handler.onDrain?.());
    socket.on("end", () => {
      if (handler.onEnd === undefined) socket.end();
      else handler.onEnd();
    });
    socket.on("error", (error) => {
      this.#error ??= error;
    });
    socket.on("close", () => handler.onClose(this.#error));
  }

  get remoteAddress(): string {
    return this.#remoteAddress;
  }
  get remotePort(): number {
    return this.#remotePort;
  }
  get localAddress(): string {
    return this.#socket.localAddress ?? "";
  }
  get localPort(): number {
    return this.#socket.localPort ?? 0;
  }
  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }
  get peerSubject(): string | undefined {
    const socket = this.#socket;
    if (!(socket instanceof tls.TLSSocket) || !socket.authorized) return undefined;
    const certificate = socket.getPeerX509Certificate();
    // Node prints one attribute a line, most general first; RFC 2253 wants commas and the reverse order.
    return certificate?.subject.split("\n").reverse().join(",");
  }

  write(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes);
  }
  pause(): void {
    this.#socket.pause();
  }
  resume(): void {
    this.#socket.resume();
  }
  end(): void {
    this.#socket.end();
  }
  destroy(error?: Error): void {
    this.#error ??= error;
    this.#socket.destroy();
  }
}

function clientTls(
  options: TlsClientOptions,
  host: string,
): tls.ConnectionOptions & { readonly allowHalfOpen: boolean } {
  const serverName = options.serverName ?? host;
  return {
    allowHalfOpen: true,
    ca: options.ca as tls.SecureContextOptions["ca"],
    cert: options.cert,
    key: options.key,
    passphrase: options.passphrase,
    rejectUnauthorized: options.insecure !== true,
    // A server name indication must not be an address (RFC 6066 §3).
    servername: net.isIP(serverName) === 0 ? serverName : "",
    checkServerIdentity: (_name, certificate) => tls.checkServerIdentity(serverName, certificate),
  };
}

function serverTls(options: TlsServerOptions): tls.TlsOptions {
  const clientAuth = options.clientAuth ?? "none";
  return {
    cert: options.cert,
    key: options.key,
    passphrase: options.passphrase,
    pfx: options.pfx,
    ca: options.ca as tls.SecureContextOptions["ca"],
    requestCert: clientAuth !== "none",
    rejectUnauthorized: clientAuth === "need",
  };
}

function connect(target: ConnectTarget, handler: SocketHandler): Socket {
  const { host, port } = target;
  if (target.tls !== undefined) {
    const secure = tls.connect({ host, port, ...clientTls(target.tls, host) });
    secure.setNoDelay(true);
    secure.setKeepAlive(true, 30_000);
    const socket = new SystemSocket(secure);
    socket.bind(handler);
    secure.on("data", (chunk: Buffer) => handler.onData(chunk));
    secure.once("secureConnect", () => {
      socket.captureAddress();
      handler.onConnect?.();
    });
    return socket;
  }
  const plain = net.connect({
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
    allowHalfOpen: true,
    onread: {
      buffer: readBuffer,
      callback: (length) => {
        handler.onData(readBuffer.subarray(0, length));
        return true;
      },
    },
  });
  const socket = new SystemSocket(plain);
  socket.bind(handler);
  plain.once("connect", () => {
    socket.captureAddress();
    handler.onConnect?.();
  });
  return socket;
}

/** The part of a node socket that is not in its types: the descriptor it drives. */
interface WithHandle {
  _handle: object | null;
}

/**
 * Moves an accepted, still paused connection to a socket that reads into the shared buffer. Node offers
 * `onread` for outgoing sockets alone; a new socket around the same handle takes it too. Answers one small
 * request at a time in half the processor time (`bench server`, rows with one in flight).
 */
function readIntoSharedBuffer(accepted: net.Socket, onData: (chunk: Buffer) => void): net.Socket {
  const old = accepted as unknown as WithHandle;
  const handle = old._handle;
  if (handle === null || handle === undefined) {
    // Closed already, or a future Node that hides it: the ordinary way works as well, only slower.
    accepted.on("data", onData);
    accepted.resume();
    return accepted;
  }
  old._handle = null;
  return new net.Socket({
    handle,
    allowHalfOpen: true,
    readable: true,
    writable: true,
    onread: {
      buffer: readBuffer,
      callback: (length: number) => {
        onData(readBuffer.subarray(0, length));
        return true;
      },
    },
  } as net.SocketConstructorOpts);
}

function listen(target: ListenTarget, accept: (socket: Socket) => SocketHandler): Promise<Listener> {
  const onPlain = (accepted: net.Socket): void => {
    const plain = readIntoSharedBuffer(accepted, (chunk) => handler.onData(chunk));
    plain.setNoDelay(true);
    const socket = new SystemSocket(plain);
    // Bytes arrive in a later turn of the event loop, when the handler is there.
    const handler = accept(socket);
    socket.bind(handler);
  };
  const onSecure = (secure: tls.TLSSocket): void => {
    secure.setNoDelay(true);
    const socket = new SystemSocket(secure);
    const handler = accept(socket);
    socket.bind(handler);
    secure.on("data", (chunk: Buffer) => handler.onData(chunk));
  };
  const server =
    target.tls === undefined
      ? net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, onPlain)
      : tls.createServer({ allowHalfOpen: true, ...serverTls(target.tls) }, onSecure);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: target.host, port: target.port, backlog: target.backlog ?? 511 }, () => {
      server.removeListener("error", reject);
      // An accept that fails later (out of descriptors) must not take the process down.
      server.on("error", () => {});
      const address = server.address() as net.AddressInfo;
      resolve({
        host: address.address,
        port: address.port,
        // Node's callback would wait for every open socket; the port itself is free at once.
        close: () => {
          server.close();
          return Promise.resolve();
        },
      });
    });
  });
}

async function resolve(host: string): Promise<string[]> {
  const addresses = await lookup(host, { all: true, verbatim: true });
  return addresses.map((entry) => entry.address);
}

/** TCP and TLS of this machine. */
export const systemNet: Net = { connect, listen, resolve };

// SPDX-License-Identifier: Apache-2.0
// A network in memory whose servers do exactly what a test says, so that the client's behaviour over time
// (pings, verdicts, replays) runs under a virtual clock.
import type { ConnectTarget, Net, Socket, SocketHandler } from "@meerkat/runtime";
import {
  ConnectRequest,
  ConnectResponse,
  FrameDecoder,
  JuteReader,
  JuteWriter,
  OpCode,
  Stat,
  StatRecord,
  WatcherEvent,
  Xid,
} from "@meerkat/wire";

/** A request as the server sees it. */
export interface ScriptedRequest {
  readonly xid: number;
  readonly type: number;
  /** What follows the header. */
  readonly body: Buffer;
  readonly frameBytes: number;
}

/** A stat with a version, for replies. */
export function stat(fields: Partial<Stat> = {}): Stat {
  return Stat.from({
    czxid: 1n,
    mzxid: 1n,
    pzxid: 1n,
    ctimeMs: 1,
    mtimeMs: 1,
    version: 0,
    cversion: 0,
    aversion: 0,
    ephemeralOwner: 0n,
    dataLength: 0,
    numChildren: 0,
    ...fields,
  });
}

/** One accepted connection, from the server's side. */
export class ScriptedConnection {
  readonly target: ConnectTarget;
  /** All requests behind the first frame, oldest first. */
  readonly requests: ScriptedRequest[] = [];
  /** Writes of the client, whatever is in them. */
  writes = 0;
  connectRequest: ConnectRequest | undefined;
  closed = false;
  /** True while the client does not read. What is sent meanwhile arrives in one chunk. */
  paused = false;
  #unread: Buffer[] = [];
  readonly #handler: SocketHandler;
  readonly #server: ScriptedServer;
  readonly #decoder: FrameDecoder;

  constructor(server: ScriptedServer, target: ConnectTarget, handler: SocketHandler) {
    this.#server = server;
    this.#handler = handler;
    this.target = target;
    this.#decoder = new FrameDecoder(64 * 1024 * 1024, (bytes, start, end) => {
      this.#onFrame(Buffer.from(bytes.subarray(start, end)));
      return true;
    });
  }

  /** Requests of one operation. */
  of(type: number): ScriptedRequest[] {
    return this.requests.filter((request) => request.type === type);
  }

  /** Hands raw bytes to the client. */
  send(bytes: Buffer): void {
    if (this.closed) return;
    if (this.paused) this.#unread.push(bytes);
    else this.#handler.onData(bytes);
  }

  /** Grants (or refuses, with timeoutMs 0) the session. */
  accept(response: Partial<ConnectResponse> = {}): void {
    const granted = {
      protocolVersion: 0,
      timeoutMs: this.connectRequest?.timeoutMs ?? 0,
      sessionId: this.connectRequest?.sessionId || this.#server.nextSessionId++,
      password: Buffer.alloc(16, 7),
      readOnly: false,
      ...response,
    };
    this.send(frame((writer) => ConnectResponse.write(writer, granted)));
  }

  /** Answers a request. */
  reply(
    request: ScriptedRequest,
    options: {
      readonly err?: number;
      readonly zxid?: bigint;
      readonly body?: (writer: JuteWriter) => void;
    } = {},
  ): void {
    this.send(reply(request.xid, options));
  }

  /** Sends a watch event as servers up to 3.8 do: with zxid -1. */
  notify(type: number, path: string): void {
    this.send(event(type, path));
  }

  /** The server closes the connection. */
  close(error?: Error): void {
    if (this.closed) return;
    this.closed = true;
    this.#handler.onClose(error);
  }

  socket(): Socket {
    const connection = this;
    return {
      remoteAddress: this.target.host,
      remotePort: this.target.port,
      localAddress: "",
      localPort: 0,
      bufferedBytes: 0,
      peerSubject: undefined,
      write(bytes) {
        connection.writes++;
        if (!connection.closed) connection.#decoder.push(Buffer.from(bytes));
        return true;
      },
      pause() {
        connection.paused = true;
      },
      resume() {
        connection.#resume();
      },
      end() {},
      destroy(error) {
        if (connection.closed) return;
        connection.closed = true;
        queueMicrotask(() => connection.#handler.onClose(error));
      },
    };
  }

  open(): void {
    if (!this.closed) this.#handler.onConnect?.();
  }

  #resume(): void {
    this.paused = false;
    const unread = this.#unread;
    this.#unread = [];
    if (unread.length > 0) this.send(Buffer.concat(unread));
  }

  #onFrame(bytes: Buffer): void {
    const reader = new JuteReader(bytes);
    if (this.connectRequest === undefined) {
      this.connectRequest = ConnectRequest.read(reader);
      this.#server.onConnectRequest(this);
      return;
    }
    const request = {
      xid: reader.int(),
      type: reader.int(),
      body: bytes.subarray(8),
      frameBytes: bytes.length,
    };
    this.requests.push(request);
    this.#server.onRequest(this, request);
  }
}

/** Answers a request of its own accord: everything that the tests do not look at. */
export function answerPlainly(connection: ScriptedConnection, request: ScriptedRequest): void {
  switch (request.type) {
    case OpCode.ping:
    case OpCode.setWatches:
    case OpCode.setWatches2:
    case OpCode.closeSession:
    case OpCode.auth:
    case OpCode.delete:
    case OpCode.removeWatches:
      connection.reply(request, { zxid: 1n });
      return;
    case OpCode.exists:
    case OpCode.setData:
      connection.reply(request, { body: (writer) => StatRecord.write(writer, stat()) });
      return;
    case OpCode.getData:
      connection.reply(request, {
        body: (writer) => {
          writer.buffer(Buffer.from("data"));
          StatRecord.write(writer, stat());
        },
      });
  }
}

/** All hosts of the test at once. Names resolve to themselves. */
export class ScriptedServer implements Net {
  readonly connections: ScriptedConnection[] = [];
  nextSessionId = 0x100n;
  /** Decides about a connection attempt: true opens it, an error refuses it, false leaves it hanging. */
  onConnect: (target: ConnectTarget) => boolean | Error = () => true;
  onConnectRequest: (connection: ScriptedConnection) => void = (connection) => connection.accept();
  onRequest: (connection: ScriptedConnection, request: ScriptedRequest) => void = answerPlainly;

  /** The newest connection. */
  get last(): ScriptedConnection {
    const connection = this.connections.at(-1);
    if (connection === undefined) throw new Error("nobody has connected");
    return connection;
  }

  connect(target: ConnectTarget, handler: SocketHandler): Socket {
    const connection = new ScriptedConnection(this, target, handler);
    this.connections.push(connection);
    const verdict = this.onConnect(target);
    if (verdict === true) queueMicrotask(() => connection.open());
    else if (verdict !== false) queueMicrotask(() => connection.close(verdict));
    return connection.socket();
  }

  listen(): Promise<never> {
    return Promise.reject(new Error("nothing listens here"));
  }

  resolve(host: string): Promise<string[]> {
    return Promise.resolve([host]);
  }
}

/** A frame with its length. */
export function frame(write: (writer: JuteWriter) => void): Buffer {
  const writer = new JuteWriter(256);
  const at = writer.beginFrame();
  write(writer);
  writer.endFrame(at);
  return writer.take();
}

/** A reply's frame. */
export function reply(
  xid: number,
  options: {
    readonly err?: number;
    readonly zxid?: bigint;
    readonly body?: (writer: JuteWriter) => void;
  } = {},
): Buffer {
  return frame((writer) => {
    writer.int(xid);
    writer.long(options.zxid ?? 10n);
    writer.int(options.err ?? 0);
    options.body?.(writer);
  });
}

/** An event's frame. */
export function event(type: number, path: string): Buffer {
  return frame((writer) => {
    writer.int(Xid.notification);
    writer.long(-1n);
    writer.int(0);
    WatcherEvent.write(writer, { type, state: 3, path });
  });
}

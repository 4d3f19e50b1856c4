// SPDX-License-Identifier: Apache-2.0
// A ZooKeeper client without any behaviour of its own: it sends what a test says and keeps every frame that
// comes back, in order. So tests see the server itself, not what a client library makes of it.
import net from "node:net";
import { awaitCondition } from "@meerkat/testkit";
import {
  ConnectRequest,
  ConnectResponse,
  CreateRequest,
  CreateResponse,
  FrameDecoder,
  JuteReader,
  type JuteRecord,
  JuteWriter,
  OPEN_ACL,
  OpCode,
  ReplyHeader,
  RequestHeader,
  WatcherEvent,
  Xid,
} from "@meerkat/wire";

const FRAME_BYTES_MAX = 16 * 1024 * 1024;

/** A frame from the server after the first one. */
export interface Received {
  readonly header: ReplyHeader;
  /** What follows the header. */
  readonly body: Buffer;
}

/** A reply whose code was not 0. */
export class RawError extends Error {
  readonly err: number;
  constructor(err: number) {
    super(`reply with error ${err}`);
    this.err = err;
  }
}

export interface RawConnectOptions {
  readonly timeoutMs?: number;
  readonly sessionId?: bigint;
  readonly password?: Uint8Array;
  readonly lastZxidSeen?: bigint;
  /** Undefined leaves the byte out. */
  readonly readOnly?: boolean | undefined;
}

/** Frames a payload: length, then bytes. */
export function frame(write: (writer: JuteWriter) => void): Buffer {
  const writer = new JuteWriter();
  const start = writer.beginFrame();
  write(writer);
  writer.endFrame(start);
  return writer.take();
}

export class RawClient implements AsyncDisposable {
  /** Every frame after the first, in the order of arrival. */
  readonly received: Received[] = [];
  /** The answer to the first frame, once it is there. */
  session: ConnectResponse | undefined;
  /** The server closed the connection, or we did. */
  closed = false;
  readonly #socket: net.Socket;
  #xid = 0;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    const decoder = new FrameDecoder(FRAME_BYTES_MAX, (bytes, start, end) => {
      const reader = new JuteReader(Buffer.from(bytes.subarray(start, end)));
      if (this.session === undefined) {
        this.session = ConnectResponse.read(reader);
        return true;
      }
      const header = ReplyHeader.read(reader);
      const body = Buffer.from(bytes.subarray(start + reader.position, end));
      this.received.push({ header, body });
      return true;
    });
    socket.on("data", (chunk) => decoder.push(chunk));
    socket.on("error", () => {});
    socket.on("close", () => {
      this.closed = true;
    });
  }

  /** Opens a TCP connection and sends nothing. */
  static async open(address: { readonly host: string; readonly port: number }): Promise<RawClient> {
    const socket = net.connect({ host: address.host, port: address.port, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new RawClient(socket);
  }

  /** Opens a connection and a session; resolves when the server answered or closed. */
  static async connect(
    address: { readonly host: string; readonly port: number },
    options: RawConnectOptions = {},
  ): Promise<RawClient> {
    const client = await RawClient.open(address);
    client.sendConnect(options);
    await awaitCondition(() => client.session !== undefined || client.closed, {
      describe: "an answer to the connect request",
    });
    return client;
  }

  sendConnect(options: RawConnectOptions = {}): void {
    this.sendBytes(
      frame((writer) => {
        ConnectRequest.write(writer, {
          protocolVersion: 0,
          lastZxidSeen: options.lastZxidSeen ?? 0n,
          timeoutMs: options.timeoutMs ?? 10_000,
          sessionId: options.sessionId ?? 0n,
          password: options.password ?? Buffer.alloc(16),
          readOnly: "readOnly" in options ? options.readOnly : false,
        });
      }),
    );
  }

  /** Notifications so far. */
  get events(): WatcherEvent[] {
    return this.received
      .filter(({ header }) => header.xid === Xid.notification)
      .map(({ body }) => WatcherEvent.read(new JuteReader(body)));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Sends a request and gives its xid at once. */
  send(type: number, writeBody: (writer: JuteWriter) => void = () => {}, xid: number = ++this.#xid): number {
    this.sendBytes(
      frame((writer) => {
        RequestHeader.write(writer, { xid, type });
        writeBody(writer);
      }),
    );
    return xid;
  }

  /** The reply to a request, once it is there. Rejects when the connection closes first. */
  async reply(xid: number): Promise<Received> {
    let reply: Received | undefined;
    await awaitCondition(
      () => {
        reply = this.received.find(({ header }) => header.xid === xid);
        return reply !== undefined || this.closed;
      },
      { describe: `the reply to xid ${xid}` },
    );
    if (reply === undefined) throw new Error(`connection closed before the reply to xid ${xid}`);
    return reply;
  }

  /** Sends a request and reads its reply. Rejects with a `RawError` when the code is not 0. */
  async call<Request, Response>(
    type: number,
    request: readonly [JuteRecord<Request>, Request] | undefined,
    response: JuteRecord<Response>,
  ): Promise<Response> {
    const xid = this.send(type, (writer) => request?.[0].write(writer, request[1]));
    const { header, body } = await this.reply(xid);
    if (header.err !== 0) throw new RawError(header.err);
    const reader = new JuteReader(body);
    const value = response.read(reader);
    reader.expectEnd();
    return value;
  }

  /** Sends a request and gives its code. */
  async code<Request>(type: number, record: JuteRecord<Request>, request: Request): Promise<number> {
    const xid = this.send(type, (writer) => record.write(writer, request));
    return (await this.reply(xid)).header.err;
  }

  /** Creates a znode that everyone may use; gives its path. */
  async create(path: string, data: Uint8Array | null = Buffer.alloc(0), flags = 0): Promise<string> {
    const request = { path, data, acl: OPEN_ACL, flags };
    return (await this.call(OpCode.create, [CreateRequest, request], CreateResponse)).path;
  }

  /** Resolves when the server has closed the connection. */
  async untilClosed(timeoutMs?: number): Promise<void> {
    await awaitCondition(() => this.closed, { timeoutMs, describe: "the connection to close" });
  }

  /** Closes the session, then the connection. */
  async close(): Promise<void> {
    if (!this.closed && this.session !== undefined && this.session.timeoutMs > 0) {
      const xid = this.send(OpCode.closeSession);
      await this.reply(xid).catch(() => {});
    }
    this.destroy();
  }

  /** Drops the connection; the session stays. */
  destroy(): void {
    this.#socket.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

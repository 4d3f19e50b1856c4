// SPDX-License-Identifier: Apache-2.0
// One connection of the load generator: raw ZooKeeper frames, no client around them. Replies are checked
// for their order and their error code, and not decoded further.
import { deferred, type Socket, systemRuntime } from "@meerkat/runtime";
import {
  ConnectRequest,
  ConnectResponse,
  errorCodeName,
  FrameDecoder,
  JuteReader,
  JuteWriter,
  OpCode,
  RequestHeader,
  Xid,
} from "@meerkat/wire";

const FRAME_BYTES_MAX = 64 * 1024 * 1024;
const SESSION_TIMEOUT_MS = 300_000;
const OPEN_TIMEOUT_MS = 30_000;

/** A server. */
export interface LoadTarget {
  readonly host: string;
  readonly port: number;
}

/** What a connection calls back. */
export interface LoadListener {
  /** The reply to request `xid` came; all earlier ones have come too. */
  onReply(connection: LoadConnection, xid: number, errorCode: number): void;
  /** All replies of a chunk were reported: time to send more. */
  onChunkEnd(connection: LoadConnection): void;
}

const ignoringListener: LoadListener = { onReply: () => {}, onChunkEnd: () => {} };

/** A session of its own on a connection of its own. */
export class LoadConnection {
  listener: LoadListener = ignoringListener;
  onNotification: (() => void) | undefined;
  /** Called when the connection ends before `close`. */
  onLost: (error: Error) => void = () => {};
  /** The request whose round trip is being timed, 0 when there is none, and when it was sent. */
  probeXid = 0;
  probeSentMs = 0;
  /** Requests without a reply. */
  inFlight = 0;
  readonly writer: JuteWriter = new JuteWriter(64 * 1024);
  readonly #socket: Socket;
  readonly #closed = deferred<void>();
  readonly #opened = deferred<LoadConnection>();
  #xid = 0;
  #expectedXid = 1;
  #closing = false;
  #sink: (bytes: Buffer, start: number, end: number) => boolean;

  private constructor(target: LoadTarget) {
    this.#sink = (bytes, start, end) => this.#onHandshake(bytes, start, end);
    const decoder = new FrameDecoder(FRAME_BYTES_MAX, (bytes, start, end) => this.#sink(bytes, start, end));
    this.#socket = systemRuntime.net.connect(target, {
      onConnect: () => this.#sendHandshake(),
      onData: (chunk) => {
        decoder.push(chunk);
        this.listener.onChunkEnd(this);
      },
      onClose: (error) => this.#onClose(error),
    });
  }

  /** Connects and opens a session. Rejects when that takes longer than `timeoutMs`. */
  static async open(target: LoadTarget, timeoutMs: number = OPEN_TIMEOUT_MS): Promise<LoadConnection> {
    const connection = new LoadConnection(target);
    const timer = setTimeout(() => connection.destroy(new Error("no answer to the handshake")), timeoutMs);
    try {
      return await connection.#opened.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The xid for the next request, which the caller then writes to `writer`. */
  nextXid(): number {
    this.inFlight++;
    return ++this.#xid;
  }

  /** Sends what was written. */
  flush(): void {
    if (this.writer.length > 0) this.#socket.write(this.writer.take());
  }

  /** Ends the session and waits until the server has done so. */
  close(): Promise<void> {
    this.#closing = true;
    this.listener = ignoringListener;
    const frame = this.writer.beginFrame();
    RequestHeader.write(this.writer, { xid: this.nextXid(), type: OpCode.closeSession });
    this.writer.endFrame(frame);
    this.flush();
    return this.#closed.promise;
  }

  /** Drops the connection; `onLost` follows. */
  destroy(error: Error): void {
    this.#socket.destroy(error);
  }

  #sendHandshake(): void {
    const frame = this.writer.beginFrame();
    ConnectRequest.write(this.writer, {
      protocolVersion: 0,
      lastZxidSeen: 0n,
      timeoutMs: SESSION_TIMEOUT_MS,
      sessionId: 0n,
      password: Buffer.alloc(16),
      readOnly: false,
    });
    this.writer.endFrame(frame);
    this.flush();
  }

  #onHandshake(bytes: Buffer, start: number, end: number): boolean {
    const response = ConnectResponse.read(new JuteReader(bytes, start, end));
    if (response.sessionId === 0n) {
      this.#socket.destroy(new Error("the server refused the session"));
      return false;
    }
    this.#sink = (frame, from, to) => this.#onFrame(frame, from, to);
    this.#opened.resolve(this);
    return true;
  }

  #onFrame(bytes: Buffer, start: number, _end: number): boolean {
    const xid = bytes.readInt32BE(start);
    if (xid === this.#expectedXid) {
      this.#expectedXid = xid + 1;
      this.inFlight--;
      this.listener.onReply(this, xid, bytes.readInt32BE(start + 12));
      return true;
    }
    if (xid === Xid.notification) {
      this.onNotification?.();
      return true;
    }
    this.#socket.destroy(new Error(`reply to ${xid} where ${this.#expectedXid} was due`));
    return false;
  }

  #onClose(error: Error | undefined): void {
    const problem = error ?? new Error("the server closed the connection");
    this.#opened.reject(problem);
    this.#opened.promise.catch(() => {});
    this.#closed.resolve();
    if (!this.#closing) this.onLost(problem);
  }
}

/** The error of a reply, in words. */
export function replyError(errorCode: number, xid: number): Error {
  return new Error(`request ${xid} was answered with ${errorCodeName(errorCode) ?? errorCode}`);
}

/** Opens `count` connections, `concurrency` at a time. */
export async function openConnections(
  target: LoadTarget,
  count: number,
  concurrency: number,
  onOpened: (elapsedMs: number) => void = () => {},
): Promise<LoadConnection[]> {
  const connections: LoadConnection[] = [];
  let started = 0;
  const opener = async (): Promise<void> => {
    while (started < count) {
      started++;
      const beginMs = performance.now();
      connections.push(await LoadConnection.open(target));
      onOpened(performance.now() - beginMs);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, opener));
  return connections;
}

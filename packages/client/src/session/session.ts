// SPDX-License-Identifier: Apache-2.0
// The life of sessions: asks for one, keeps it over lost connections, learns or decides that it is gone,
// and asks for the next. It owns the current connection and hands what arrives to the pipeline, the
// watches and the heartbeat. At any time there is at most one connection and one search for one.
import assert from "node:assert";
import { Backoff, Emitter, type Runtime, type TlsClientOptions } from "@meerkat/runtime";
import { type ConnectResponse, ErrorCode, EventType, type JuteReader, OpCode, Xid } from "@meerkat/wire";
import type { Chroot } from "../chroot.ts";
import type { Connection, ConnectionHandler } from "../connection/connection.ts";
import { Connector, type ConnectRequestFields } from "../connection/connector.ts";
import { formatHost, type HostAddress, type HostList } from "../connection/host-list.ts";
import { connectChannel, sessionChannel, stateChannel } from "../diagnostics.ts";
import { ZooKeeperError } from "../errors.ts";
import { type AuthInfo, AuthList } from "./auth-list.ts";
import { closeSessionOperation } from "./close-session.ts";
import { Heartbeat } from "./heartbeat.ts";
import { type CallOptions, Request } from "./request.ts";
import { RequestPipeline } from "./request-pipeline.ts";
import { SessionHandle } from "./session-handle.ts";
import type { SessionWatches, WatchChunk } from "./session-watches.ts";
import { writeSetWatches } from "./set-watches.ts";
import { type ClientState, canMove, isConnected } from "./state.ts";
import { TickClock } from "./tick-clock.ts";

const PASSWORD_BYTES = 16;
/** A connection that lasted so long was good: the next search starts without the grown delay. */
const STABLE_MS = 5_000;
/** A close without a connection waits no longer than this for one. */
const CLOSE_UNCONNECTED_MS = 1_000;

/** What a session needs; all limits are resolved. */
export interface SessionOptions {
  readonly runtime: Runtime;
  readonly hosts: HostList;
  readonly chroot: Chroot;
  readonly watches: SessionWatches;
  readonly tls: TlsClientOptions | undefined;
  readonly auth: readonly AuthInfo[];
  readonly sessionTimeoutMs: number;
  readonly renewSession: boolean;
  readonly readOnly: boolean;
  readonly credentials: SessionCredentials | undefined;
  readonly connectTimeoutMs: number | undefined;
  readonly closeTimeoutMs: number;
  readonly reconnectDelayMs: { readonly initialMs: number; readonly maxMs: number };
  readonly requestTimeoutMs: number;
  readonly inFlightMax: number;
  readonly waitingMax: number;
  readonly requestBytesMax: number;
  readonly replyBytesMax: number;
}

/** What it takes to go on with a session elsewhere. Whoever has it owns the session: keep it secret. */
export interface SessionCredentials {
  readonly id: bigint;
  readonly password: Buffer;
}

interface ReadyWaiter {
  resolve(): void;
  reject(error: Error): void;
}

/** See the head of this file. */
export class Session {
  /** Requests of the session. */
  readonly pipeline: RequestPipeline;
  /** State changes. */
  readonly states: Emitter<ClientState>;
  /** Negotiated with the server; what was asked for until then. */
  timeoutMs: number;

  readonly #options: SessionOptions;
  readonly #ticks: TickClock;
  readonly #auth: AuthList;
  readonly #heartbeat: Heartbeat;
  readonly #connector: Connector;
  readonly #backoff: Backoff;
  readonly #handler: ConnectionHandler;
  #state: ClientState = "idle";
  #handle: SessionHandle;
  #connection: Connection | undefined;
  #host: HostAddress | undefined;
  #connectedTick = 0;
  #handshakeTick = 0;
  /** 0n: ask for a new session. */
  #id = 0n;
  #password: Buffer = Buffer.alloc(PASSWORD_BYTES);
  /** Last zxid seen, as halves: no server that is behind it will do. */
  #zxidHigh = 0;
  #zxidLow = 0;
  /** Chunks of watches sent on this connection and not answered yet. */
  #armings: WatchChunk[] = [];
  readonly #readyWaiters = new Set<ReadyWaiter>();
  #failures = new Map<string, string>();
  /** Since when servers have been closing connections without a word. */
  #silentSinceTick: number | undefined;
  #closing: Promise<void> | undefined;
  /** Why the session is over for good, once it is. */
  #terminal: ZooKeeperError | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { runtime } = options;
    this.#ticks = new TickClock(runtime.clock);
    this.timeoutMs = options.sessionTimeoutMs;
    this.#auth = new AuthList(options.auth);
    this.states = new Emitter((error) => {
      runtime.logger.error({ error }, "a state listener threw");
    });
    this.pipeline = new RequestPipeline({
      ...options,
      clock: runtime.clock,
      logger: runtime.logger,
      ticks: this.#ticks,
      explain: () => this.explain(),
    });
    this.pipeline.refuse(
      () => new ZooKeeperError("CLOSED", "the client is not started; call connect() first (CLOSED)"),
    );
    this.#heartbeat = new Heartbeat({
      clock: runtime.clock,
      ticks: this.#ticks,
      lastAnsweredTick: () => this.pipeline.lastAnsweredTick,
      sendPing: (connection) => sendPing(connection),
      onSilence: (connection, silentMs) => this.#onSilence(connection, silentMs),
      onDoubt: () => this.#expire("nothing proved to the server in time that the client lives"),
    });
    this.#backoff = new Backoff(options.reconnectDelayMs, runtime.random);
    this.#connector = new Connector({
      hosts: options.hosts,
      runtime,
      tls: options.tls,
      frameBytesMax: options.replyBytesMax,
      connectTimeoutMs: () => this.#connectTimeoutMs(),
      nextDelayMs: () => this.#nextDelayMs(),
      request: () => this.#connectRequest(),
      onEstablished: (connection, response, host) => this.#onEstablished(connection, response, host),
      onFailure: (host, reason, silent) => this.#onFailure(host, reason, silent),
    });
    this.#handle = this.#newHandle(0n);
    this.#handle.end(new ZooKeeperError("SESSION_EXPIRED", "there is no session yet (SESSION_EXPIRED)"));
    this.#handler = {
      onConnect: () => {},
      onFrame: (reader) => this.#onFrame(reader),
      onChunkEnd: () => this.pipeline.pump(),
      onDrain: () => this.pipeline.pump(),
      onClose: (error) => this.#onConnectionClose(error),
    };
    if (options.credentials !== undefined) {
      this.#id = options.credentials.id;
      this.#password = Buffer.from(options.credentials.password);
    }
  }

  get state(): ClientState {
    return this.#state;
  }

  /** The current session; the last one while there is none. */
  get handle(): SessionHandle {
    return this.#handle;
  }

  /** Id and password of the current session; undefined when there is none. */
  get credentials(): SessionCredentials | undefined {
    return this.#id === 0n ? undefined : { id: this.#id, password: Buffer.from(this.#password) };
  }

  /** The server in use, for people. */
  get server(): string | undefined {
    return this.#connection === undefined || this.#host === undefined ? undefined : formatHost(this.#host);
  }

  /** The last zxid seen. */
  get lastZxid(): bigint {
    return (BigInt(this.#zxidHigh) << 32n) | BigInt(this.#zxidLow >>> 0);
  }

  /** Starts looking for a server, from `idle` and `expired`; otherwise does nothing. */
  start(): void {
    const again = this.#state === "expired";
    if (!again && this.#state !== "idle") return;
    this.pipeline.refuse(undefined);
    if (this.#id !== 0n) this.#heartbeat.start(this.timeoutMs, this.#ticks.now());
    this.#setState("connecting");
    // A listener may have closed the client meanwhile.
    if (this.state === "connecting") this.#connector.start(again ? this.#nextDelayMs() : 0);
  }

  /** Resolves when requests are answered; rejects when that will never be. */
  ready(): Promise<void> {
    if (isConnected(this.#state)) return Promise.resolve();
    if (this.#terminal !== undefined) return Promise.reject(this.#terminal);
    return new Promise((resolve, reject) => {
      this.#readyWaiters.add({ resolve, reject });
    });
  }

  /** Adds an identity to this and all later connections. */
  addAuth(info: AuthInfo): Promise<void> {
    if (this.#terminal !== undefined) return Promise.reject(this.#terminal);
    return this.#auth.add(info, isConnected(this.#state) ? this.#connection : undefined);
  }

  /** Sends SetWatches for these paths on the current connection, if there is one. */
  arm(chunk: WatchChunk): void {
    const connection = this.#connection;
    if (connection !== undefined && isConnected(this.#state)) this.#arm(connection, chunk);
  }

  /** Why requests are not answered now, as part of a sentence. */
  explain(): string {
    if (isConnected(this.#state)) return `connected to ${this.server}, which takes no more requests now`;
    const tried = [...this.#failures].map(([host, reason]) => `${host}: ${reason}`);
    const why = tried.length === 0 ? "no server has answered yet" : tried.join("; ");
    return `not connected to any of ${this.#options.hosts.hosts.map(formatHost).join(", ")} (${why})`;
  }

  /** Flushes, closes the session on the server, then the connection. */
  close(call: CallOptions | undefined): Promise<void> {
    this.#closing ??= this.#close(call);
    return this.#closing;
  }

  /** Drops the connection; the server keeps the session until its timeout. */
  destroy(): void {
    this.#finish(new ZooKeeperError("CLOSED", "the client was destroyed (CLOSED)"));
  }

  async #close(call: CallOptions | undefined): Promise<void> {
    const closed = new ZooKeeperError("CLOSED", "the client is closed (CLOSED)");
    if (this.#id !== 0n && this.#state !== "idle" && this.#terminal === undefined) {
      this.pipeline.refuse(() => closed);
      this.#handle.end(closed);
      const { closeTimeoutMs } = this.#options;
      const timeoutMs =
        call?.timeoutMs ??
        (isConnected(this.#state) ? closeTimeoutMs : Math.min(closeTimeoutMs, CLOSE_UNCONNECTED_MS));
      const request = new Request(closeSessionOperation, "/");
      // Whatever comes of it, the client ends; a session left behind expires by itself.
      await this.pipeline
        .submit(request, { timeoutMs, signal: call?.signal }, true)
        .catch((error: unknown) => {
          this.#options.runtime.logger.warn({ error }, "the session was not closed on the server");
        });
    }
    this.#finish(closed);
  }

  #finish(reason: ZooKeeperError): void {
    if (this.#state === "closed") return;
    this.#terminate(reason, "closed");
  }

  /** Ends everything for good, with `state` closed or authFailed. */
  #terminate(reason: ZooKeeperError, state: "closed" | "authFailed"): void {
    this.#terminal = reason;
    this.#connector.stop();
    this.#heartbeat.stop();
    const dropped =
      this.#dropConnection(reason, state === "closed") + this.#rejectWaiting(reason, () => true);
    this.pipeline.refuse(() => reason);
    this.pipeline.stop();
    this.#auth.failWaiters(reason);
    this.#publishSession(state === "closed" ? "closed" : "lost", reason, dropped);
    this.#id = 0n;
    this.#handle.end(reason);
    this.#setState(state);
    for (const waiter of this.#readyWaiters) waiter.reject(reason);
    this.#readyWaiters.clear();
  }

  /** Forgets the current connection and closes it; returns how many requests were lost with it. */
  #dropConnection(reason: Error, gently: boolean): number {
    const connection = this.#connection;
    if (connection === undefined) return 0;
    this.#connection = undefined;
    connection.handler = silentHandler;
    if (gently) connection.end();
    connection.destroy();
    return this.pipeline.detach(reason);
  }

  #rejectWaiting(reason: ZooKeeperError, which: (request: Request) => boolean): number {
    return this.pipeline.rejectWaiting(
      which,
      ({ operation, path }) =>
        new ZooKeeperError(reason.code, `${operation} ${path}: ${reason.message}`, {
          context: { operation, path },
          cause: reason,
        }),
    );
  }

  #setState(state: ClientState): void {
    const from = this.#state;
    if (from === state) return;
    assert(canMove(from, state), `a client cannot go from ${from} to ${state}`);
    this.#state = state;
    if (stateChannel.hasSubscribers) {
      stateChannel.publish({ client: this, from, to: state, sessionId: this.#id });
    }
    this.#options.runtime.logger.debug({ from, to: state }, "client state");
    if (isConnected(state)) {
      for (const waiter of this.#readyWaiters) waiter.resolve();
      this.#readyWaiters.clear();
    }
    this.states.emit(state);
  }

  #newHandle(id: bigint): SessionHandle {
    const handle: SessionHandle = new SessionHandle(id, () =>
      handle === this.#handle ? this.#heartbeat.vouchedMs() : 0,
    );
    return handle;
  }

  #publishSession(event: string, reason: Error | undefined, droppedRequests: number): void {
    if (!sessionChannel.hasSubscribers) return;
    sessionChannel.publish({ client: this, sessionId: this.#id, event, reason, droppedRequests });
  }

  // --- connecting ---

  #connectTimeoutMs(): number {
    return this.#options.connectTimeoutMs ?? Math.max(this.timeoutMs / this.#options.hosts.size, 1_000);
  }

  /** While a session waits to be resumed, its timeout bounds the delay. */
  #nextDelayMs(): number {
    const delayMs = this.#backoff.nextMs();
    return this.#id === 0n ? delayMs : Math.min(delayMs, this.timeoutMs / 6);
  }

  #connectRequest(): ConnectRequestFields {
    this.#handshakeTick = this.#ticks.now();
    this.#forgetZxidIfAhead();
    return {
      protocolVersion: 0,
      lastZxidSeen: this.lastZxid,
      timeoutMs: this.#options.sessionTimeoutMs,
      sessionId: this.#id,
      password: this.#password,
      readOnly: this.#options.readOnly,
    };
  }

  /**
   * A server behind our last zxid closes the connection without a word. When that has gone on for a whole
   * session timeout and the session is over, the ensemble was wiped or restored: start from scratch.
   */
  #forgetZxidIfAhead(): void {
    const since = this.#silentSinceTick;
    if (this.#id !== 0n || since === undefined || this.#ticks.now() - since < this.timeoutMs) return;
    if (this.lastZxid === 0n) return;
    this.#options.runtime.logger.warn(
      { lastZxid: this.lastZxid },
      "all servers refuse without a word: taken for an ensemble with older data, so the last zxid is dropped",
    );
    this.#zxidHigh = this.#zxidLow = 0;
    this.#silentSinceTick = undefined;
  }

  #onFailure(host: string, reason: Error, silent: boolean): void {
    const why =
      silent && this.lastZxid !== 0n
        ? "closed the connection without an answer (not serving, or its data is older than what this client saw)"
        : reason.message;
    this.#failures.set(host, why);
    if (silent) this.#silentSinceTick ??= this.#ticks.now();
    this.#options.runtime.logger.debug({ host, error: reason }, "a server did not take the session");
    if (connectChannel.hasSubscribers) connectChannel.publish({ client: this, host, error: reason });
  }

  #onEstablished(connection: Connection, response: ConnectResponse, host: HostAddress): void {
    if (response.timeoutMs <= 0) {
      connection.handler = silentHandler;
      connection.destroy();
      if (this.#id !== 0n) this.#expire("the server says so");
      else this.#connector.start(this.#nextDelayMs());
      return;
    }
    if (connectChannel.hasSubscribers) {
      connectChannel.publish({ client: this, host: formatHost(host), error: undefined });
    }
    connection.handler = this.#handler;
    this.#connection = connection;
    this.#host = host;
    this.#connectedTick = this.#ticks.now();
    this.#failures = new Map();
    this.#silentSinceTick = undefined;
    this.timeoutMs = response.timeoutMs;
    const resumed = response.sessionId === this.#handle.id;
    this.#id = response.sessionId;
    this.#password = Buffer.from(response.password ?? []);
    this.#heartbeat.start(response.timeoutMs, this.#handshakeTick);
    this.#heartbeat.attach(connection);
    if (!resumed) this.#handle = this.#newHandle(response.sessionId);
    this.#publishSession(resumed ? "resumed" : "established", undefined, 0);
    this.#serve(connection, response.readOnly === true);
  }

  /** Identities, then watches, then requests: in this order on every connection. */
  #serve(connection: Connection, readOnly: boolean): void {
    this.#auth.sendAll(connection);
    this.#armings = [];
    for (const chunk of this.#options.watches.chunks()) this.#arm(connection, chunk);
    this.pipeline.attach(connection);
    this.#setState(readOnly ? "readOnly" : "connected");
  }

  #arm(connection: Connection, chunk: WatchChunk): void {
    writeSetWatches(connection.writer, chunk, this.lastZxid);
    this.#armings.push(chunk);
    connection.scheduleFlush();
  }

  // --- what arrives ---

  #onFrame(reader: JuteReader): void {
    const xid = reader.int();
    const zxidHigh = reader.int();
    const zxidLow = reader.int();
    const err = reader.int();
    if (xid > 0) {
      // Only replies move the last zxid: other frames carry -1, 0 or the zxid of something not seen yet.
      if (zxidHigh > 0 || (zxidHigh === 0 && zxidLow !== 0)) {
        this.#zxidHigh = zxidHigh;
        this.#zxidLow = zxidLow;
      }
      this.pipeline.onReply(reader, xid, err);
      if (err === ErrorCode.SESSION_EXPIRED) this.#expire("the server says so");
      return;
    }
    switch (xid) {
      case Xid.notification: {
        const type = reader.int();
        reader.int();
        if (type !== EventType.none) this.#options.watches.onEvent(type, reader.text());
        return;
      }
      case Xid.ping:
        this.#heartbeat.onPong();
        return;
      case Xid.setWatches:
        this.#onArmed(err);
        return;
      case Xid.auth: {
        const error = this.#auth.onReply(err);
        if (error !== undefined) this.#terminate(error, "authFailed");
        return;
      }
      default:
        this.#options.runtime.logger.warn({ xid, err }, "a frame of unknown kind was ignored");
    }
  }

  #onArmed(err: number): void {
    const chunk = this.#armings.shift();
    if (chunk === undefined) return;
    if (err === ErrorCode.OK) this.#options.watches.onArmed(chunk);
    else this.#options.runtime.logger.error({ err }, "the server refused to arm the watches again");
  }

  #onSilence(connection: Connection, silentMs: number): void {
    connection.destroy(
      new ZooKeeperError("CONNECTION_LOSS", `${this.server} was silent for ${Math.round(silentMs)} ms`),
    );
  }

  #onConnectionClose(error: Error | undefined): void {
    const reason = error ?? new Error(`${this.server} closed the connection`);
    this.#options.runtime.logger.debug({ error: reason }, "the connection is lost");
    if (this.#host !== undefined) this.#failures.set(formatHost(this.#host), reason.message);
    this.#connection = undefined;
    this.#heartbeat.detach();
    this.pipeline.detach(reason);
    if (this.#ticks.now() - this.#connectedTick >= STABLE_MS) this.#backoff.reset();
    this.#setState("suspended");
    if (this.state === "suspended") this.#connector.start(this.#nextDelayMs());
  }

  /** The session is over, by the server's word or our own clock. It is never resumed after this. */
  #expire(why: string): void {
    const id = this.#id;
    const reason = new ZooKeeperError(
      "SESSION_EXPIRED",
      `session 0x${BigInt.asUintN(64, id).toString(16)} has expired: ${why} (SESSION_EXPIRED)`,
    );
    const { renewSession } = this.#options;
    this.#connector.stop();
    this.#heartbeat.stop();
    let dropped = this.#dropConnection(reason, false);
    this.#handle.end(reason);
    // What was meant for the lost session is not done in the next one; reads are as good there.
    dropped += this.#rejectWaiting(reason, (request) => !renewSession || !request.operation.replayable);
    this.#publishSession("lost", reason, dropped);
    this.#id = 0n;
    this.#password = Buffer.alloc(PASSWORD_BYTES);
    if (this.#closing !== undefined) {
      this.#finish(new ZooKeeperError("CLOSED", "the client is closed (CLOSED)"));
      return;
    }
    if (!renewSession) this.pipeline.refuse(() => reason);
    this.#setState("expired");
    this.#afterExpiry(reason);
  }

  /** Goes on after an expiry, unless a listener has ended the client. */
  #afterExpiry(reason: ZooKeeperError): void {
    if (this.#state !== "expired") return;
    if (this.#options.renewSession) {
      this.start();
      return;
    }
    for (const waiter of this.#readyWaiters) waiter.reject(reason);
    this.#readyWaiters.clear();
  }
}

/** For connections that nobody cares about any more. */
const silentHandler: ConnectionHandler = {
  onConnect() {},
  onFrame() {},
  onChunkEnd() {},
  onDrain() {},
  onClose() {},
};

/** Ping => header alone. Sent at once, not at the tick's end: its time counts. */
function sendPing(connection: Connection): void {
  const { writer } = connection;
  const frame = writer.beginFrame();
  writer.int(Xid.ping);
  writer.int(OpCode.ping);
  writer.endFrame(frame);
  connection.flush();
}

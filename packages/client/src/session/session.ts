// SPDX-License-Identifier: Apache-2.0
// The life of sessions: asks for one, keeps it over lost connections, learns or decides that it is gone,
// and asks for the next. It owns the current connection and hands what arrives to the pipeline, the
// watches and the heartbeat. At any time there is at most one connection and one search for one.
import assert from "node:assert";
import { Backoff, Emitter, errorFrom } from "@meerkat/runtime";
import { type ConnectResponse, ErrorCode, EventType, type JuteReader, Xid } from "@meerkat/wire";
import { type Connection, type ConnectionHandler, silentHandler } from "../connection/connection.ts";
import { Connector, type ConnectRequestFields } from "../connection/connector.ts";
import { formatHost, type HostAddress } from "../connection/host-list.ts";
import { publishConnect, publishSession, publishState, type SessionMessage } from "../diagnostics.ts";
import { authFailure, closedError, expiredError, ZooKeeperError } from "../errors.ts";
import { type AuthInfo, AuthList } from "./auth-list.ts";
import { barrierOperation, closeSessionOperation } from "./close-session.ts";
import { Heartbeat } from "./heartbeat.ts";
import { ReadWriteSearch } from "./read-write-search.ts";
import { ReadyWaiters } from "./ready-waiters.ts";
import { type CallOptions, Request } from "./request.ts";
import { RequestPipeline } from "./request-pipeline.ts";
import { authenticate, type SaslMechanism } from "./sasl.ts";
import { SearchReport } from "./search-report.ts";
import { SessionHandle } from "./session-handle.ts";
import { type SessionCredentials, SessionIdentity } from "./session-identity.ts";
import type { SessionOptions } from "./session-options.ts";
import type { WatchChunk } from "./session-watches.ts";
import { writeSetWatches } from "./set-watches.ts";
import { type ClientState, canMove, isConnected } from "./state.ts";
import { TickClock } from "./tick-clock.ts";

/** Least time for connecting to one address, when not given. */
const CONNECT_MS_MIN = 1_000;
/** A connection that lasted so long was good: the next search starts without the grown delay. */
const STABLE_MS = 5_000;
/** A close without a connection waits no longer than this for one. */
const CLOSE_UNCONNECTED_MS = 1_000;
const SILENT_REFUSAL =
  "closed the connection without an answer (not serving, or its data is older than what this client saw)";
/** Servers that refuse a SASL client may just drop it; so many drops in a row count as a refusal. */
const SASL_DROPS_MAX = 3;

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
  readonly #readWriteSearch: ReadWriteSearch;
  readonly #backoff: Backoff;
  readonly #identity: SessionIdentity;
  readonly #report: SearchReport = new SearchReport();
  readonly #ready: ReadyWaiters = new ReadyWaiters();
  readonly #handler: ConnectionHandler;
  #state: ClientState = "idle";
  #handle: SessionHandle;
  #connection: Connection | undefined;
  #host: HostAddress | undefined;
  #connectedTick = 0;
  #handshakeTick = 0;
  /** The session came from a read-only server, which makes up ids: no other server knows it. */
  #localToReadOnlyServer = false;
  #saslDrops = 0;
  /** Chunks of watches sent on this connection and not answered yet. */
  #armings: WatchChunk[] = [];
  #closing: Promise<void> | undefined;
  /** Why the client is over for good, once it is. */
  #terminal: ZooKeeperError | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { runtime, hosts, tls } = options;
    this.#ticks = new TickClock(runtime.clock);
    this.timeoutMs = options.sessionTimeoutMs;
    this.#auth = new AuthList(options.auth);
    this.#identity = new SessionIdentity(options.session);
    this.#backoff = new Backoff(options.reconnectDelayMs, runtime.random);
    this.states = new Emitter((error) => runtime.logger.error({ error }, "a state listener threw"));
    this.pipeline = new RequestPipeline({
      ...options,
      clock: runtime.clock,
      ticks: this.#ticks,
      explain: () => this.explain(),
    });
    this.pipeline.refuse(() => closedError("the client is not started; call connect() first"));
    this.#heartbeat = new Heartbeat({
      clock: runtime.clock,
      ticks: this.#ticks,
      lastAnsweredTick: () => this.pipeline.lastAnsweredTick,
      onSilence: (connection, silentMs) =>
        connection.destroy(new Error(`${this.server} was silent for ${Math.round(silentMs)} ms`)),
      onDoubt: () => this.#expire("nothing proved to the server in time that the client lives"),
    });
    const onFound = (host: HostAddress): void => this.#onReadWriteServer(host);
    this.#readWriteSearch = new ReadWriteSearch({ runtime, hosts, tls, onFound });
    this.#connector = this.#newConnector();
    this.#handle = this.#newHandle(0n);
    this.#handle.end(new ZooKeeperError("SESSION_EXPIRED", "there is no session yet (SESSION_EXPIRED)"));
    this.#handler = {
      ...silentHandler,
      onFrame: (reader) => this.#onFrame(reader),
      onChunkEnd: () => this.pipeline.onChunkEnd(),
      onDrain: () => this.pipeline.pump(),
      onClose: (error) => this.#onConnectionClose(error),
    };
  }

  get state(): ClientState {
    return this.#state;
  }

  /** The current session; the last one while there is none. */
  get handle(): SessionHandle {
    return this.#handle;
  }

  /** The server in use, for people. */
  get server(): string | undefined {
    return this.#connection === undefined || this.#host === undefined ? undefined : formatHost(this.#host);
  }

  /** The last zxid seen. */
  get lastZxid(): bigint {
    return this.#identity.lastZxid;
  }

  /** Starts looking for a server, from `idle` and `expired`; otherwise does nothing. */
  start(): void {
    const again = this.#state === "expired";
    if (!again && this.#state !== "idle") return;
    this.pipeline.refuse(undefined);
    if (this.#identity.id !== 0n) this.#heartbeat.start(this.timeoutMs, this.#ticks.now());
    this.#setState("connecting");
    // A listener may have closed the client meanwhile.
    if (this.state === "connecting") this.#connector.start(again ? this.#nextDelayMs() : 0);
  }

  /** Resolves when requests are answered; rejects when that will never be. */
  ready(): Promise<void> {
    if (isConnected(this.#state)) return Promise.resolve();
    return this.#terminal === undefined ? this.#ready.wait() : Promise.reject(this.#terminal);
  }

  /** Adds an identity to this and all later connections. */
  addAuth(info: AuthInfo): Promise<void> {
    if (this.#terminal !== undefined) return Promise.reject(this.#terminal);
    return this.#auth.add(info, isConnected(this.#state) ? this.#connection : undefined);
  }

  /** Sends SetWatches for these paths on the current connection, if there is one. */
  arm(chunk: WatchChunk): void {
    if (this.#connection !== undefined && isConnected(this.#state)) this.#arm(this.#connection, chunk);
  }

  /** Other servers from now on; leaves the current one if it is not among them. */
  setHosts(hosts: readonly HostAddress[]): void {
    this.#options.hosts.replace(hosts);
    const host = this.#host;
    if (host === undefined || hosts.some((each) => each.host === host.host && each.port === host.port))
      return;
    this.#connection?.destroy(new Error(`${formatHost(host)} is no longer one of the hosts`));
  }

  /** Why requests are not answered now, as part of a sentence. */
  explain(): string {
    return isConnected(this.#state)
      ? `connected to ${this.server}, which takes no more requests now`
      : this.#report.describe(this.#options.hosts.hosts);
  }

  /** Flushes, closes the session on the server, then the connection. */
  close(call: CallOptions | undefined): Promise<void> {
    this.#closing ??= this.#close(call);
    return this.#closing;
  }

  /** Flushes, then ends the client without closing the session. Undefined when there is none. */
  async handOver(call: CallOptions | undefined): Promise<SessionCredentials | undefined> {
    const error = closedError("the session was handed over");
    this.pipeline.refuse(() => error);
    try {
      await this.pipeline.submit(new Request(barrierOperation, "/"), call, true);
      // A session of a read-only server is unknown to all others.
      return this.#localToReadOnlyServer ? undefined : this.#identity.credentials;
    } finally {
      this.#terminate(error, "closed");
    }
  }

  /** Drops the connection; the server keeps the session until its timeout. */
  destroy(): void {
    this.#terminate(closedError("the client was destroyed"), "closed");
  }

  async #close(call: CallOptions | undefined): Promise<void> {
    const closed = closedError("the client is closed");
    if (this.#identity.id !== 0n && this.#state !== "idle" && this.#terminal === undefined) {
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
    this.#terminate(closed, "closed");
  }

  /** Ends the client for good. */
  #terminate(reason: ZooKeeperError, state: "closed" | "authFailed"): void {
    if (this.#state === "closed" || this.#state === state) return;
    this.#terminal = reason;
    this.#connector.stop();
    this.#readWriteSearch.stop();
    this.#heartbeat.stop();
    const dropped = this.#dropConnection(reason) + this.pipeline.rejectWaiting(reason, () => true);
    this.pipeline.refuse(() => reason);
    this.pipeline.stop();
    this.#auth.failWaiters(reason);
    this.#publishSession(state === "closed" ? "closed" : "lost", reason, dropped);
    this.#identity.clear();
    this.#handle.end(reason);
    this.#ready.reject(reason);
    this.#setState(state);
  }

  /** Forgets the current connection and closes it; returns how many requests were lost with it. */
  #dropConnection(reason: Error): number {
    const connection = this.#connection;
    if (connection === undefined) return 0;
    this.#connection = undefined;
    connection.handler = silentHandler;
    connection.end();
    connection.destroy();
    return this.pipeline.detach(reason);
  }

  #setState(state: ClientState): void {
    const from = this.#state;
    if (from === state) return;
    assert(canMove(from, state), `a client cannot go from ${from} to ${state}`);
    this.#state = state;
    publishState({ client: this, from, to: state, sessionId: this.#identity.id });
    this.#options.runtime.logger.debug({ from, to: state }, "client state");
    if (isConnected(state)) this.#ready.resolve();
    this.states.emit(state);
  }

  #newConnector(): Connector {
    const { runtime, hosts, tls, connectTimeoutMs, replyBytesMax, paceReads } = this.#options;
    return new Connector({
      hosts,
      runtime,
      tls,
      frameBytesMax: replyBytesMax,
      paceReads,
      connectTimeoutMs: () => connectTimeoutMs ?? Math.max(this.timeoutMs / hosts.size, CONNECT_MS_MIN),
      nextDelayMs: () => this.#nextDelayMs(),
      request: () => this.#connectRequest(),
      onEstablished: (connection, response, host) => this.#onEstablished(connection, response, host),
      onFailure: (host, reason, silent) => this.#onFailure(host, reason, silent),
    });
  }

  #newHandle(id: bigint): SessionHandle {
    const handle: SessionHandle = new SessionHandle(id, () =>
      handle === this.#handle ? this.#heartbeat.vouchedMs() : 0,
    );
    return handle;
  }

  #publishSession(event: SessionMessage["event"], reason: Error | undefined, droppedRequests: number): void {
    publishSession({ client: this, sessionId: this.#identity.id, event, reason, droppedRequests });
  }

  /** While a session waits to be resumed, its timeout bounds the delay. */
  #nextDelayMs(): number {
    const delayMs = this.#backoff.nextMs();
    return this.#identity.id === 0n ? delayMs : Math.min(delayMs, this.timeoutMs / 6);
  }

  #connectRequest(): ConnectRequestFields {
    this.#handshakeTick = this.#ticks.now();
    if (this.#identity.id === 0n && this.#report.silentMs(this.#handshakeTick) >= this.timeoutMs) {
      this.#forgetZxid();
    }
    return this.#identity.connectRequest({
      timeoutMs: this.#options.sessionTimeoutMs,
      readOnly: this.#options.readOnly,
      fresh: this.#localToReadOnlyServer,
    });
  }

  /**
   * A server behind our last zxid closes the connection without a word. When that has gone on for a whole
   * session timeout and the session is over, the ensemble was wiped or restored: start from scratch.
   */
  #forgetZxid(): void {
    if (this.lastZxid === 0n) return;
    const why = "all servers refuse without a word: taken for older data, so the last zxid is dropped";
    this.#options.runtime.logger.warn({ lastZxid: this.lastZxid }, why);
    this.#identity.forgetZxid();
  }

  #onFailure(host: string, reason: Error, silent: boolean): void {
    const why = silent && this.lastZxid !== 0n ? SILENT_REFUSAL : reason.message;
    this.#report.add(host, why, silent, this.#ticks.now());
    this.#options.runtime.logger.debug({ host, error: reason }, "a server did not take the session");
    publishConnect({ client: this, host, error: reason });
  }

  #onEstablished(connection: Connection, response: ConnectResponse, host: HostAddress): void {
    if (response.timeoutMs <= 0) {
      connection.handler = silentHandler;
      connection.destroy();
      if (this.#identity.id !== 0n) this.#expire("the server says so");
      else this.#connector.start(this.#nextDelayMs());
      return;
    }
    publishConnect({ client: this, host: formatHost(host), error: undefined });
    connection.handler = this.#handler;
    this.#connection = connection;
    this.#host = host;
    this.#connectedTick = this.#ticks.now();
    this.#report.clear();
    this.timeoutMs = response.timeoutMs;
    const readOnly = response.readOnly === true;
    const resumed = response.sessionId === this.#handle.id;
    // The made-up session of a read-only server ends with the first real one.
    if (!resumed && !this.#handle.lost.aborted)
      this.#handle.end(expiredError(this.#handle.id, "it was local"));
    this.#localToReadOnlyServer = readOnly && (!resumed || this.#localToReadOnlyServer);
    this.#identity.set(response.sessionId, response.password);
    if (!resumed) this.#handle = this.#newHandle(response.sessionId);
    this.#heartbeat.start(response.timeoutMs, this.#handshakeTick);
    this.#heartbeat.attach(connection);
    this.#publishSession(resumed ? "resumed" : "established", undefined, 0);
    if (this.#options.sasl === undefined) this.#serve(connection, readOnly);
    else void this.#authenticate(this.#options.sasl, connection, host, readOnly);
  }

  /** Runs SASL before anything else is sent. Never rejects. */
  async #authenticate(
    mechanism: SaslMechanism,
    connection: Connection,
    host: HostAddress,
    readOnly: boolean,
  ): Promise<void> {
    try {
      await authenticate(mechanism, host, (request) => this.pipeline.submitFirst(request, connection));
      if (this.#connection !== connection) return;
      this.#saslDrops = 0;
      this.#serve(connection, readOnly);
    } catch (error) {
      // A lost connection ends the exchange too; then the next connection starts its own.
      if (this.#connection === connection) this.#failAuth(errorFrom(error));
    }
  }

  #failAuth(error: Error): void {
    this.#terminate(authFailure(error), "authFailed");
  }

  /** Identities, then watches, then requests: in this order on every connection. */
  #serve(connection: Connection, readOnly: boolean): void {
    this.#auth.sendAll(connection);
    this.#armings = [];
    for (const chunk of this.#options.watches.chunks()) this.#arm(connection, chunk);
    this.pipeline.attach(connection);
    if (readOnly) this.#readWriteSearch.start();
    this.#setState(readOnly ? "readOnly" : "connected");
  }

  #arm(connection: Connection, chunk: WatchChunk): void {
    writeSetWatches(connection.writer, chunk, this.lastZxid);
    this.#armings.push(chunk);
    connection.scheduleFlush();
  }

  #onReadWriteServer(host: HostAddress): void {
    if (this.#state !== "readOnly") return;
    this.#options.hosts.prefer(host);
    this.#connection?.destroy(new Error(`leaving the read-only server: ${formatHost(host)} takes writes`));
  }

  #onFrame(reader: JuteReader): void {
    const xid = reader.int();
    const zxidHigh = reader.int();
    const zxidLow = reader.int();
    const err = reader.int();
    if (xid > 0) {
      // Only replies move the last zxid: other frames carry -1, 0 or the zxid of something not seen yet.
      this.#identity.sawZxid(zxidHigh, zxidLow);
      this.pipeline.onReply(reader, xid, err);
      if (err === ErrorCode.SESSION_EXPIRED) this.#expire("the server says so");
      else if (err === ErrorCode.SESSION_CLOSED_REQUIRE_SASL_AUTH) {
        this.#failAuth(
          new Error("the server takes only clients that authenticate with SASL; see option sasl"),
        );
      }
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
        if (error !== undefined) this.#failAuth(error);
        return;
      }
      default:
        this.#options.runtime.logger.warn({ xid, err }, "a frame of unknown kind was ignored");
    }
  }

  #onArmed(err: number): void {
    const chunk = this.#armings.shift();
    if (chunk !== undefined && err === ErrorCode.OK) this.#options.watches.onArmed(chunk);
    if (err !== ErrorCode.OK)
      this.#options.runtime.logger.error({ err }, "the server refused to arm watches");
  }

  #onConnectionClose(error: Error | undefined): void {
    const reason = error ?? new Error(`${this.server} closed the connection`);
    this.#options.runtime.logger.debug({ error: reason }, "the connection is lost");
    if (this.#host !== undefined) {
      this.#report.add(formatHost(this.#host), reason.message, false, this.#ticks.now());
    }
    this.#connection = undefined;
    this.#heartbeat.detach();
    this.#readWriteSearch.stop();
    this.pipeline.detach(reason);
    if (this.#ticks.now() - this.#connectedTick >= STABLE_MS) this.#backoff.reset();
    if (isConnected(this.#state)) {
      this.#setState("suspended");
    } else if (this.#options.sasl !== undefined && ++this.#saslDrops >= SASL_DROPS_MAX) {
      this.#failAuth(new Error(`SASL ${this.#options.sasl.name}: the server dropped the connection`));
    }
    if (this.state === "suspended" || this.state === "connecting") this.#connector.start(this.#nextDelayMs());
  }

  /** The session is over, by the server's word or our own clock. It is never resumed after this. */
  #expire(why: string): void {
    const reason = expiredError(this.#identity.id, why);
    const { renewSession } = this.#options;
    this.#connector.stop();
    this.#readWriteSearch.stop();
    this.#heartbeat.stop();
    let dropped = this.#dropConnection(reason);
    this.#handle.end(reason);
    // What was meant for the lost session is not done in the next one; reads are as good there.
    dropped += this.pipeline.rejectWaiting(
      reason,
      (request) => !renewSession || !request.operation.replayable,
    );
    this.#publishSession("lost", reason, dropped);
    this.#identity.clear();
    this.#localToReadOnlyServer = false;
    if (this.#closing !== undefined) {
      this.#terminate(closedError("the client is closed"), "closed");
      return;
    }
    if (!renewSession) this.pipeline.refuse(() => reason);
    this.#setState("expired");
    // A listener may have closed the client, or asked for a new session, meanwhile.
    if (this.state !== "expired") return;
    if (renewSession) this.start();
    else this.#ready.reject(reason);
  }
}

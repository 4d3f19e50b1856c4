// SPDX-License-Identifier: Apache-2.0
// One client connection: bytes in, frames to the processor, replies and events out. It holds its output until
// the state that the output shows is durable, stops reading while too much is unsent, and closes by itself when
// a client misbehaves.
import { errorFrom, type Socket, type SocketHandler, type Timer } from "@meerkat/runtime";
import { FrameDecoder, WireFormatError } from "@meerkat/wire";
import type { Client } from "../requests/client.ts";
import type { Engine } from "../requests/engine.ts";
import type { Processor } from "../requests/processor.ts";
import type { DigestMd5Exchange } from "../requests/sasl-digest-md5.ts";
import type { Session } from "../sessions/session.ts";
import { Summary } from "../summary.ts";
import { type Identity, SUPER_SCHEME } from "../tree/access.ts";
import type { ConnectThrottle } from "./connect-throttle.ts";
import { handshake, type SessionBounds } from "./handshake.ts";
import { HeldOutput } from "./held-output.ts";
import type { Limits } from "./limits.ts";

/**
 * The answer to the four-letter word that the input begins with; undefined when it is none, "incomplete" when
 * its argument is yet to come.
 */
export type AnswerWord = (
  input: Buffer,
) => { readonly text: string | Promise<string> } | "incomplete" | undefined;

/** What a connection needs of the server around it. */
export interface ConnectionHost {
  readonly engine: Engine;
  readonly processor: Processor;
  readonly limits: Limits;
  readonly bounds: SessionBounds;
  /** Replies held by all connections. */
  outstanding: number;
  /** Bytes of large requests in process. */
  largeBytes: number;
  readonly throttle: ConnectThrottle | undefined;
  /** Subject of the certificate whose owner may do everything. */
  readonly x509SuperUser: string | undefined;
  readonly answerWord: AnswerWord;
  after(delayMs: number, callback: () => void): Timer;
  /** The connection got a session: the limit on time without one does not apply any more. */
  onSession(connection: Connection): void;
  /** Held output exists now; `release` is wanted when more becomes durable. */
  onHeld(connection: Connection): void;
  onClosed(connection: Connection): void;
}

/** Frames up to this many bytes in all are joined into one write. */
const JOIN_BYTES_MAX = 256 * 1024;
/** How long a closing connection may take to accept its last bytes. */
const LINGER_MS = 2000;
const WORD_BYTES = 4;

/** `greeting` waits for four bytes, `answering` for the answer to a word, `handshake` for the ConnectRequest. */
type State = "greeting" | "answering" | "handshake" | "serving" | "closing" | "closed";

/** See the head of the file. */
export class Connection implements Client, SocketHandler {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly establishedWallMs: number;
  identities: readonly Identity[];
  sasl: DigestMd5Exchange | undefined;
  lastXid = 0;
  lastOperation = 0;
  received = 0;
  sent = 0;
  /** Of what was sent last: the zxid that it showed, when (monotonic ms), and how long its requests took, ms. */
  lastZxid = 0;
  lastResponseMs = 0;
  lastLatencyMs = 0;
  latency: Summary = new Summary();
  readonly #host: ConnectionHost;
  readonly #socket: Socket;
  readonly #decoder: FrameDecoder;
  readonly #held = new HeldOutput();
  #state: State = "greeting";
  #session: Session | undefined;
  /** Frames of this turn. */
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #flushQueued = false;
  /** Input that waits for output to drain. */
  #backlog: Buffer | undefined;
  /** Bytes of large requests in this turn. */
  #largeBytes = 0;
  #paused = false;
  #first: Buffer | undefined;
  #linger: Timer | undefined;

  constructor(host: ConnectionHost, socket: Socket) {
    this.#host = host;
    this.#socket = socket;
    this.remoteAddress = socket.remoteAddress.replace(/^::ffff:(?=\d+\.)/, "");
    this.remotePort = socket.remotePort;
    this.establishedWallMs = host.engine.wallMs;
    const identities: Identity[] = [{ scheme: "ip", id: this.remoteAddress }];
    const { peerSubject } = socket;
    if (peerSubject !== undefined) identities.push({ scheme: "x509", id: peerSubject });
    if (peerSubject !== undefined && peerSubject === host.x509SuperUser) {
      identities.push({ scheme: SUPER_SCHEME, id: "" });
    }
    this.identities = identities;
    this.#decoder = new FrameDecoder(host.limits.frameBytesMax, (bytes, start, end) =>
      this.#onFrame(bytes, start, end),
    );
  }

  /** The session; only to be asked once there is one. */
  get session(): Session {
    return this.#session as Session;
  }

  /** The session, if the connection has got one. */
  get sessionIfAny(): Session | undefined {
    return this.#session;
  }

  /** Bytes that wait to be sent. */
  get unsentBytes(): number {
    return this.#held.bytes + this.#pendingBytes + this.#socket.bufferedBytes;
  }

  /** Replies that wait for the disk. */
  get heldReplies(): number {
    return this.#held.replies;
  }

  onData(chunk: Buffer): void {
    const { engine } = this.#host;
    engine.counters.bytesReceived += chunk.length;
    try {
      const input = this.#state === "greeting" ? this.#greet(chunk) : chunk;
      if (input !== undefined) this.#consume(input);
    } catch (error) {
      this.#fail(errorFrom(error));
    }
  }

  onDrain(): void {
    this.#goOn();
  }

  onEnd(): void {
    // Scripts close their side behind the word; they are waiting for the answer all the same.
    if (this.#state !== "answering") this.closeSoon("the client closed its side");
  }

  onClose(): void {
    this.#leave();
    this.#state = "closed";
    this.#linger?.cancel();
    this.#host.outstanding -= this.#held.replies;
    this.#host.largeBytes -= this.#held.largeBytes;
    this.#backlog = undefined;
    this.#pending = [];
    this.#host.onClosed(this);
  }

  queue(frames: Buffer): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#pending.push(frames);
    this.#pendingBytes += frames.length;
    this.sent++;
    if (this.#flushQueued) return;
    this.#flushQueued = true;
    this.#host.engine.afterTurn(() => {
      this.#flushQueued = false;
      if (this.unsentBytes > this.#host.limits.outputBytesMax) {
        const { counters, logger } = this.#host.engine;
        counters.connectionsDropped++;
        logger.warn(
          { remoteAddress: this.remoteAddress, unsentBytes: this.unsentBytes },
          "dropped a connection that does not read its events",
        );
        this.destroy();
        return;
      }
      this.#flush(0);
    });
  }

  closeSoon(reason: string): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#host.engine.logger.debug({ remoteAddress: this.remoteAddress, reason }, "closing a connection");
    this.#leave();
    this.#state = "closing";
    this.#backlog = undefined;
    this.#endWhenSent();
  }

  /** Drops the connection without sending what is queued. */
  destroy(error?: Error): void {
    this.#leave();
    this.#state = "closed";
    this.#socket.destroy(error);
  }

  /** Sends what was held and is durable now. True when nothing is held any more. */
  release(durableZxid: number, nowMs: number): boolean {
    const { counters } = this.#host.engine;
    const frames: Buffer[] = [];
    for (;;) {
      const segment = this.#held.release(durableZxid);
      if (segment === undefined) break;
      this.#host.outstanding -= segment.replies;
      this.#host.largeBytes -= segment.largeBytes;
      counters.latency(nowMs - segment.arrivedMs, segment.replies);
      if (segment.replies > 0) this.#noteResponse(segment.zxid, nowMs, nowMs - segment.arrivedMs);
      for (const frame of segment.frames) frames.push(frame);
    }
    if (frames.length > 0) {
      this.#write(frames);
      this.#endWhenSent();
      this.#goOn();
    }
    return this.#held.isEmpty;
  }

  /** The first four bytes tell a client from a four-letter word. Gives on what belongs to the decoder. */
  #greet(chunk: Buffer): Buffer | undefined {
    const first = this.#first === undefined ? chunk : Buffer.concat([this.#first, chunk]);
    if (first.length < WORD_BYTES) {
      this.#first = Buffer.from(first);
      return undefined;
    }
    const answer = this.#host.answerWord(first);
    if (answer === "incomplete") {
      this.#first = Buffer.from(first);
      return undefined;
    }
    this.#first = undefined;
    if (answer === undefined) {
      this.#state = "handshake";
      return first;
    }
    this.#state = "answering";
    if (typeof answer.text === "string") this.#tell(answer.text);
    else {
      answer.text.then(
        (text) => this.#tell(text),
        (error: unknown) => this.#fail(errorFrom(error)),
      );
    }
    return undefined;
  }

  /** Sends the answer to a four-letter word; that is all there is to such a connection. */
  #tell(text: string): void {
    if (this.#state !== "answering") return;
    this.#socket.write(Buffer.from(text));
    this.closeSoon("a four-letter word was answered");
  }

  /** Decodes and handles input in turns, each ended by sending or holding what it put out. */
  #consume(input: Buffer): void {
    const { engine } = this.#host;
    let rest = input;
    while (this.#state === "handshake" || this.#state === "serving") {
      const repliesBefore = engine.counters.replies;
      engine.beginTurn();
      engine.current = this;
      let used: number;
      try {
        used = this.#decoder.push(rest);
      } finally {
        engine.current = undefined;
        this.#takeOutput();
        const replies = engine.counters.replies - repliesBefore;
        this.sent += replies;
        this.#flush(replies);
        engine.endTurn();
      }
      if (used === rest.length && !this.#isCongested()) return;
      rest = rest.subarray(used);
      if (this.#isCongested()) {
        if (rest.length > 0) this.#backlog = Buffer.from(rest);
        if (!this.#paused) this.#socket.pause();
        this.#paused = true;
        return;
      }
    }
  }

  #onFrame(bytes: Buffer, start: number, end: number): boolean {
    const { engine, processor, limits } = this.#host;
    this.received++;
    if (this.#state === "handshake") return this.#shakeHands(bytes, start, end);
    if (this.#state === "closing" && this.#session?.state !== "closing") return false;
    if (limits.largeRequestBytes > 0 && end - start > limits.largeRequestBytes) {
      if (!this.#admitLarge(end - start)) return false;
    }
    if (processor.process(this, bytes, start, end) === "close") {
      const ended = this.session.state === "closing";
      // What a client sent behind its closeSession is still answered (with an error), the rest is not.
      this.#takeOutput();
      this.closeSoon(ended ? "its session was closed" : "its request was refused for good");
      return ended;
    }
    return engine.out.length < limits.outputPauseBytes;
  }

  /** Notes a large request, or drops the connection when too much of the kind is in process. */
  #admitLarge(bytes: number): boolean {
    const host = this.#host;
    if (host.largeBytes + bytes <= host.limits.largeRequestsBytesMax) {
      host.largeBytes += bytes;
      this.#largeBytes += bytes;
      return true;
    }
    const { counters, logger } = host.engine;
    counters.largeRequestsRejected++;
    logger.warn(
      { remoteAddress: this.remoteAddress, bytes, inProcess: host.largeBytes },
      "dropped a connection whose large request would pass the limit on all of them (largeRequestMaxBytes)",
    );
    this.destroy();
    return false;
  }

  #shakeHands(bytes: Buffer, start: number, end: number): boolean {
    const { engine, bounds, throttle } = this.#host;
    engine.reader.reset(bytes, start, end);
    const outcome = handshake(engine, bounds, throttle);
    if (outcome.kind === "session") {
      this.#session = outcome.session;
      outcome.session.connection = this;
      this.#state = "serving";
      this.#host.onSession(this);
      return true;
    }
    if (outcome.kind === "ahead") {
      const lastZxidSeen = `0x${outcome.lastZxidSeen.toString(16)}`;
      engine.logger.warn(
        { remoteAddress: this.remoteAddress, lastZxidSeen },
        "refused a client that has seen a later state than this server's: is the data directory the right one?",
      );
    }
    if (outcome.kind === "throttled") engine.counters.connectionsRejected++;
    this.#takeOutput();
    this.closeSoon(outcome.kind === "readOnly" ? "this server is read-only" : "its session was refused");
    return false;
  }

  #takeOutput(): void {
    const bytes = this.#host.engine.out.take();
    if (bytes.length === 0) return;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
  }

  /** Sends the turn's output, or holds it until the last transaction it may show is durable. */
  #flush(replies: number): void {
    const largeBytes = this.#largeBytes;
    this.#largeBytes = 0;
    if (this.#pending.length === 0) {
      this.#host.largeBytes -= largeBytes;
      this.#endWhenSent();
      return;
    }
    const { engine } = this.#host;
    const frames = this.#pending;
    const bytes = this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
    const zxid = engine.lastZxid;
    if (this.#held.isEmpty && zxid <= engine.durableZxid) {
      this.#host.largeBytes -= largeBytes;
      if (replies > 0) {
        engine.counters.latency(0, replies);
        this.#noteResponse(zxid, engine.nowMs, 0);
      }
      this.#write(frames);
      this.#endWhenSent();
      return;
    }
    this.#held.hold({ zxid, frames, bytes, replies, arrivedMs: engine.nowMs, largeBytes });
    this.#host.outstanding += replies;
    this.#host.onHeld(this);
  }

  #noteResponse(zxid: number, nowMs: number, latencyMs: number): void {
    this.lastZxid = zxid;
    this.lastResponseMs = nowMs;
    this.lastLatencyMs = latencyMs;
    this.latency.record(latencyMs);
  }

  #write(frames: Buffer[]): void {
    let bytes = 0;
    for (const frame of frames) bytes += frame.length;
    this.#host.engine.counters.bytesSent += bytes;
    if (frames.length === 1) this.#socket.write(frames[0] as Buffer);
    else if (bytes <= JOIN_BYTES_MAX) this.#socket.write(Buffer.concat(frames, bytes));
    else for (const frame of frames) this.#socket.write(frame);
  }

  #isCongested(): boolean {
    const { limits, outstanding } = this.#host;
    if (!this.#held.isEmpty && outstanding > limits.outstandingMax) return true;
    return this.unsentBytes > limits.outputPauseBytes;
  }

  /** Reads again once enough was sent. */
  #goOn(): void {
    if (!this.#paused || this.#isCongested() || this.#state === "closed") return;
    this.#paused = false;
    const backlog = this.#backlog;
    this.#backlog = undefined;
    if (backlog !== undefined) {
      try {
        this.#consume(backlog);
      } catch (error) {
        this.#fail(errorFrom(error));
        return;
      }
      if (this.#paused) return;
    }
    this.#socket.resume();
  }

  #endWhenSent(): void {
    if (this.#state !== "closing" || this.#linger !== undefined) return;
    if (this.#pending.length > 0 || !this.#held.isEmpty) return;
    this.#socket.end();
    this.#linger = this.#host.after(LINGER_MS, () => this.#socket.destroy());
  }

  /** The client broke the protocol, or we did: either way only this connection pays. */
  #fail(error: Error): void {
    const fields = { remoteAddress: this.remoteAddress, error: error.message };
    const { logger, counters } = this.#host.engine;
    if (error instanceof WireFormatError) {
      counters.largeRequestsRejected++;
      logger.info(fields, "dropped a connection whose frame is too long or cut short");
    } else logger.error({ ...fields, stack: error.stack }, "dropped a connection after an error");
    this.destroy();
  }

  /** Gives up watches and the session's hold on this connection; the session itself lives on. */
  #leave(): void {
    this.#host.engine.tree.watches.forget(this);
    if (this.#session?.connection === this) this.#session.connection = undefined;
  }
}

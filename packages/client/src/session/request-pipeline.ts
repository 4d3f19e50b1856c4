// SPDX-License-Identifier: Apache-2.0
// The way of requests: waiting for a connection, written, answered in order. Holds the promise of each
// request to settle it exactly once: by its reply, its time limit, its signal, or the end of the
// connection. It knows frames and xids, but not sessions.

import type { Clock, Timer } from "@meerkat/runtime";
import { ErrorCode, type JuteReader, WireFormatError } from "@meerkat/wire";
import type { Chroot } from "../chroot.ts";
import type { Connection } from "../connection/connection.ts";
import { type RequestMessage, requestChannel } from "../diagnostics.ts";
import { ZooKeeperError } from "../errors.ts";
import { AbortLinks } from "./abort-links.ts";
import type { CallOptions, Request } from "./request.ts";
import { RequestErrors } from "./request-errors.ts";
import { RequestRing } from "./request-ring.ts";
import type { TickClock } from "./tick-clock.ts";

/** xids go from 1 to here and then start over: 0 and negative ones have meanings of their own. */
const XID_MAX = 0x7fff_ffff;
/** A read that was in flight at so many lost connections is given up: it may be what breaks them. */
const REPLAYS_MAX = 3;
/** Least time between two sweeps for expired time limits. */
const SWEEP_SPACING_MS = 5;

/** Where one-shot watches are registered as replies come in. */
export interface WatchSink {
  /** False when an armed persistent watch on the path will report the change anyway. */
  needsServerWatch(request: Request): boolean;
  /** Called in the step that processes the reply, before the promise settles. */
  register(request: Request, err: number): void;
  /** The same for a request that was given up: its watch has no listener. */
  orphaned(request: Request, err: number): void;
}

/** What a pipeline needs; all limits are resolved. */
export interface PipelineOptions {
  readonly clock: Clock;
  readonly ticks: TickClock;
  readonly chroot: Chroot;
  readonly watches: WatchSink;
  readonly requestTimeoutMs: number;
  readonly inFlightMax: number;
  readonly waitingMax: number;
  readonly requestBytesMax: number;
  /** Ends a message about a request that waits for a connection: why there is none. */
  readonly explain: () => string;
  /** Number of the first request; 1 when left out. For tests of the wrap-around. */
  readonly firstXid?: number | undefined;
}

// One executor for all promises: it hands the two functions out through these variables, which saves a
// closure per request (`bench client`).
let capturedResolve: (value: unknown) => void;
let capturedReject: (error: Error) => void;
const capture = (resolve: (value: unknown) => void, reject: (error: Error) => void): void => {
  capturedResolve = resolve;
  capturedReject = reject;
};

/** See the head of this file. */
export class RequestPipeline {
  /** Tick at which the newest answered request was written: the server knew of us no earlier. */
  lastAnsweredTick: number = Number.NEGATIVE_INFINITY;

  readonly #options: PipelineOptions;
  readonly #ticks: TickClock;
  readonly #errors: RequestErrors;
  readonly #inFlightMax: number;
  readonly #requestBytesMax: number;
  readonly #aborts: AbortLinks = new AbortLinks((request, signal) =>
    this.#fail(request, this.#errors.aborted(request, signal)),
  );
  readonly #inFlight: RequestRing = new RequestRing();
  #waiting: RequestRing = new RequestRing();
  #connection: Connection | undefined;
  #nextXid: number;
  #nowTick = 0;
  /** Replies taken from the chunk at hand. */
  #chunkReplies = 0;
  /** Those of them that answer a write. */
  #chunkWrites = 0;
  /** When set, new requests are rejected with it. */
  #refusal: (() => ZooKeeperError) | undefined;
  #sweepTick: number = Number.POSITIVE_INFINITY;
  #sweepTimer: Timer | undefined;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#ticks = options.ticks;
    this.#nextXid = options.firstXid ?? 1;
    this.#errors = new RequestErrors(options.chroot, options.explain);
    this.#inFlightMax = options.inFlightMax;
    this.#requestBytesMax = options.requestBytesMax;
  }

  /** Requests written and not yet answered. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Requests waiting for a connection or for room in flight. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Takes a request; the promise settles as described on `CallOptions`. */
  submit<T>(request: Request<T>, call: CallOptions | undefined, internal = false): Promise<T> {
    const promise = new Promise<unknown>(capture) as Promise<T>;
    request.resolve = capturedResolve;
    request.reject = capturedReject;
    if (this.#refusal !== undefined && !internal) {
      this.#fail(request, this.#refusal());
      return promise;
    }
    const signal = call?.signal;
    if (signal !== undefined && !this.#link(request, signal)) return promise;
    const connection = this.#connection;
    // While a write is pending the tick is that of its first request: one clock reading serves all.
    if (connection === undefined || !connection.flushScheduled) this.#nowTick = this.#ticks.now();
    const timeoutMs = call?.timeoutMs ?? this.#options.requestTimeoutMs;
    if (timeoutMs > 0) this.#arm(request, timeoutMs);
    if (this.#waiting.size === 0 && connection !== undefined && this.#hasRoom(connection)) {
      this.#send(connection, request);
    } else {
      this.#enqueue(request);
    }
    return promise;
  }

  /** Sends a request ahead of everything that waits, on the current connection (authentication). */
  submitFirst<T>(request: Request<T>, connection: Connection): Promise<T> {
    const promise = new Promise<unknown>(capture) as Promise<T>;
    request.resolve = capturedResolve;
    request.reject = capturedReject;
    this.#nowTick = this.#ticks.now();
    this.#send(connection, request);
    return promise;
  }

  /** Rejects requests submitted from now on with `error()`; undefined takes them again. */
  refuse(error: (() => ZooKeeperError) | undefined): void {
    this.#refusal = error;
  }

  /** Requests go to this connection from now on. */
  attach(connection: Connection): void {
    this.#connection = connection;
    this.pump();
  }

  /** Writes what waits, as far as there is room. */
  pump(): void {
    const connection = this.#connection;
    if (connection === undefined || this.#waiting.size === 0) return;
    if (!connection.flushScheduled) this.#nowTick = this.#ticks.now();
    while (this.#hasRoom(connection)) {
      const request = this.#waiting.shift();
      if (request === undefined) return;
      if (!request.settled) this.#send(connection, request);
    }
  }

  /**
   * The connection is gone. Reads in flight go back to the head of the queue; writes in flight reject
   * with `CONNECTION_LOSS`, effect unknown. Returns how many were rejected.
   */
  detach(reason: Error | undefined): number {
    this.#connection = undefined;
    const queue = new RequestRing();
    let dropped = 0;
    for (const request of this.#inFlight.drain()) {
      if (request.settled) continue;
      if (request.operation.replayable && request.replays < REPLAYS_MAX) {
        request.replays++;
        request.xid = 0;
        queue.push(request);
      } else {
        dropped++;
        this.#fail(request, this.#errors.connectionLoss(request, reason));
      }
    }
    for (const request of this.#waiting.drain()) queue.push(request);
    this.#waiting = queue;
    return dropped;
  }

  /**
   * A reply with a positive xid. The reader stands behind the reply header. Throws `WireFormatError` when
   * the reply cannot be the next one, or is malformed: the connection must end.
   */
  onReply(reader: JuteReader, xid: number, err: number): void {
    const request = this.#inFlight.peek();
    if (request === undefined || request.xid !== xid) {
      this.#onStrayReply(xid, err);
      return;
    }
    this.#inFlight.shift();
    this.#chunkReplies++;
    this.lastAnsweredTick = request.sentTick;
    const { operation } = request;
    if (!operation.replayable) this.#chunkWrites++;
    if (operation.onReply !== undefined) operation.onReply(request, err);
    if (request.settled) {
      if (request.watch !== undefined) this.#options.watches.orphaned(request, err);
      return;
    }
    if (request.watch !== undefined) this.#options.watches.register(request, err);
    let value: unknown;
    if (err === ErrorCode.OK) {
      try {
        value = operation.read(reader, request, this.#options.chroot);
      } catch (error) {
        if (error instanceof ZooKeeperError) {
          this.#fail(request, error);
          return;
        }
        this.#fail(request, this.#errors.unreadable(request, error));
        throw error;
      }
    } else {
      value = operation.fromError?.(err);
      if (value === undefined) {
        this.#fail(request, this.#errors.refused(request, err));
        return;
      }
    }
    this.#settle(request, undefined);
    (request.resolve as (value: unknown) => void)(value);
  }

  /** All whole frames of a chunk were taken. Writes what waits; the connection may rest from reading. */
  onChunkEnd(): void {
    this.pump();
    const replies = this.#chunkReplies;
    const writes = this.#chunkWrites;
    this.#chunkReplies = this.#chunkWrites = 0;
    const connection = this.#connection;
    if (replies === 0 || connection === undefined) return;
    const roundTripMs = this.#ticks.at(connection.lastReceivedMs) - this.lastAnsweredTick;
    connection.paceReading({ replies, writes, inFlight: this.#inFlight.size, roundTripMs });
  }

  /** Rejects the waiting requests that `which` picks, because of `reason`; returns how many. */
  rejectWaiting(reason: ZooKeeperError, which: (request: Request) => boolean): number {
    const kept = new RequestRing();
    let rejected = 0;
    for (const request of this.#waiting.drain()) {
      if (request.settled) continue;
      if (which(request)) {
        rejected++;
        this.#fail(request, this.#errors.of(request, reason.code, reason.message, reason));
      } else {
        kept.push(request);
      }
    }
    this.#waiting = kept;
    return rejected;
  }

  /** True when a request in flight or waiting will leave a watch of this kind on the path. */
  hasPendingWatch(path: string, isKind: (request: Request) => boolean): boolean {
    for (const ring of [this.#inFlight, this.#waiting]) {
      for (let index = 0; index < ring.size; index++) {
        const request = ring.at(index) as Request;
        if (!request.settled && request.path === path && request.watch !== undefined && isKind(request)) {
          return true;
        }
      }
    }
    return false;
  }

  /** Stops the timer. Call it when nothing is pending any more. */
  stop(): void {
    this.#sweepTimer?.cancel();
    this.#sweepTimer = undefined;
    this.#sweepTick = Number.POSITIVE_INFINITY;
  }

  #hasRoom(connection: Connection): boolean {
    return this.#inFlight.size < this.#inFlightMax && !connection.congested;
  }

  #send(connection: Connection, request: Request): void {
    const { writer } = connection;
    const { operation } = request;
    const xid = this.#nextXid;
    const frame = writer.beginFrame();
    try {
      writer.int(xid);
      writer.int(operation.code);
      operation.write(
        writer,
        request,
        request.watch !== undefined && this.#options.watches.needsServerWatch(request),
      );
    } catch (error) {
      writer.truncate(frame);
      this.#fail(request, this.#errors.unwritable(request, error));
      return;
    }
    const frameBytes = writer.length - frame - 4;
    if (frameBytes > this.#requestBytesMax) {
      writer.truncate(frame);
      this.#fail(request, this.#errors.tooLarge(request, frameBytes, this.#requestBytesMax));
      return;
    }
    writer.endFrame(frame);
    this.#nextXid = xid === XID_MAX ? 1 : xid + 1;
    request.xid = xid;
    request.sentTick = this.#nowTick;
    this.#inFlight.push(request);
    connection.scheduleFlush();
  }

  #enqueue(request: Request): void {
    if (this.#waiting.size >= this.#options.waitingMax) {
      this.#dropSettled();
      if (this.#waiting.size >= this.#options.waitingMax) {
        this.#fail(request, this.#errors.queueFull(request, this.#options.waitingMax));
        return;
      }
    }
    this.#waiting.push(request);
  }

  #dropSettled(): void {
    const kept = new RequestRing();
    for (const request of this.#waiting.drain()) if (!request.settled) kept.push(request);
    this.#waiting = kept;
  }

  /** A server that does not know an operation says so out of order and then closes the connection. */
  #onStrayReply(xid: number, err: number): void {
    if (err === ErrorCode.UNIMPLEMENTED) {
      for (let index = 0; index < this.#inFlight.size; index++) {
        const request = this.#inFlight.at(index) as Request;
        if (request.xid !== xid) continue;
        if (!request.settled) {
          this.#fail(request, this.#errors.refused(request, err));
        }
        return;
      }
    }
    const expected = this.#inFlight.peek()?.xid;
    throw new WireFormatError(
      `reply with xid ${xid}, ${expected === undefined ? "none is awaited" : `${expected} is next`}`,
      0,
    );
  }

  /** Links the caller's signal; false when it has aborted already. */
  #link(request: Request, signal: AbortSignal): boolean {
    if (signal.aborted) {
      this.#fail(request, this.#errors.aborted(request, signal));
      return false;
    }
    request.signal = signal;
    this.#aborts.add(request, signal);
    return true;
  }

  /**
   * Notes the time limit. One timer serves all requests: it stands at the earliest limit, and a sweep
   * over what is pending finds the next. Nothing is done for a request that is answered in time.
   */
  #arm(request: Request, timeoutMs: number): void {
    request.timeoutMs = timeoutMs;
    request.deadlineTick = this.#nowTick + timeoutMs;
    if (request.deadlineTick < this.#sweepTick) this.#armSweep(request.deadlineTick);
  }

  #armSweep(tick: number): void {
    this.#sweepTimer?.cancel();
    this.#sweepTick = tick;
    const delayMs = Math.max(tick - this.#ticks.now() + 1, SWEEP_SPACING_MS);
    this.#sweepTimer = this.#options.clock.after(delayMs, () => this.#sweep());
  }

  #sweep(): void {
    this.#sweepTimer = undefined;
    this.#sweepTick = Number.POSITIVE_INFINITY;
    const now = this.#ticks.now();
    let next = Number.POSITIVE_INFINITY;
    let expiredWaiting = false;
    for (const ring of [this.#inFlight, this.#waiting]) {
      for (let index = 0; index < ring.size; index++) {
        const request = ring.at(index) as Request;
        if (request.settled || request.timeoutMs === 0) continue;
        if (request.deadlineTick <= now) {
          this.#fail(request, this.#errors.timedOut(request, now));
          expiredWaiting ||= ring === this.#waiting;
        } else if (request.deadlineTick < next) {
          next = request.deadlineTick;
        }
      }
    }
    if (expiredWaiting) this.#dropSettled();
    if (next < this.#sweepTick) this.#armSweep(next);
  }

  #settle(request: Request, error: Error | undefined): void {
    request.settled = true;
    if (request.signal !== undefined) {
      this.#aborts.remove(request, request.signal);
      request.signal = undefined;
    }
    if (requestChannel.hasSubscribers) this.#publish(request, error);
  }

  #fail(request: Request, error: Error): void {
    this.#settle(request, error);
    (request.reject as (error: Error) => void)(error);
  }

  #publish(request: Request, error: Error | undefined): void {
    requestChannel.publish({
      operation: request.operation.name,
      path: request.path,
      durationMs: request.xid === 0 ? 0 : this.#ticks.now() - request.sentTick,
      error,
    } satisfies RequestMessage);
  }
}

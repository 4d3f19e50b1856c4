// SPDX-License-Identifier: Apache-2.0
// Keeps a session alive and judges it. A sent frame keeps the session; a received one proves that the
// server lives; an answered one proves that the server knew of us when it was sent, and from that moment
// the session is good for its timeout. One timer serves all three.
import type { Clock, Timer } from "@meerkat/runtime";
import { OpCode, Xid } from "@meerkat/wire";
import type { Connection } from "../connection/connection.ts";
import type { TickClock } from "./tick-clock.ts";

/** A verdict comes this share of the timeout early, at most `MARGIN_MAX_MS`: timers fire late. */
const MARGIN_SHARE = 0.02;
const MARGIN_MAX_MS = 100;
/** After a stalled event loop the socket is read for so long before silence is held against the server. */
const STALL_GRACE_MS = 100;

/** What a heartbeat calls. */
export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly ticks: TickClock;
  /** Tick at which the newest answered request was sent. */
  readonly lastAnsweredTick: () => number;
  /** Nothing was heard for `silentMs`: the connection is dead. */
  readonly onSilence: (connection: Connection, silentMs: number) => void;
  /** The server may have given the session up. */
  readonly onDoubt: () => void;
}

/** See the head of this file. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #timeoutMs = 0;
  #proofTick = 0;
  #connection: Connection | undefined;
  /** Ticks of the pings not answered yet. */
  #pings: number[] = [];
  #timer: Timer | undefined;
  #dueTick = 0;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** A server has granted the session: good from `proofTick`, when the grant was asked for. */
  start(timeoutMs: number, proofTick: number): void {
    this.#timeoutMs = timeoutMs;
    this.#proofTick = proofTick;
    this.#schedule();
  }

  /** The session is served over this connection. */
  attach(connection: Connection): void {
    this.#connection = connection;
    this.#pings = [];
    this.#schedule();
  }

  /** The connection is gone; the session's time runs on. */
  detach(): void {
    this.#connection = undefined;
    if (this.#timeoutMs > 0) this.#schedule();
  }

  /** The session is over. */
  stop(): void {
    this.#timeoutMs = 0;
    this.#connection = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** The reply to the oldest ping arrived. */
  onPong(): void {
    const sentTick = this.#pings.shift();
    if (sentTick !== undefined && sentTick > this.#proofTick) this.#proofTick = sentTick;
  }

  /** Milliseconds for which the session is surely alive; negative when in doubt. */
  vouchedMs(): number {
    return this.#doubtTick() - this.#options.ticks.now();
  }

  #doubtTick(): number {
    const proofTick = Math.max(this.#proofTick, this.#options.lastAnsweredTick());
    return proofTick + this.#timeoutMs - Math.min(this.#timeoutMs * MARGIN_SHARE, MARGIN_MAX_MS);
  }

  #schedule(): void {
    const { clock, ticks } = this.#options;
    const now = ticks.now();
    let due = this.#doubtTick();
    const connection = this.#connection;
    if (connection !== undefined) {
      due = Math.min(
        due,
        ticks.at(connection.lastSentMs) + this.#timeoutMs / 3,
        ticks.at(connection.lastReceivedMs) + (this.#timeoutMs * 2) / 3,
      );
    }
    this.#arm(clock, now, Math.max(due, now));
  }

  #arm(clock: Clock, now: number, dueTick: number): void {
    this.#timer?.cancel();
    this.#dueTick = dueTick;
    // One more than the difference, since `now` is rounded down.
    this.#timer = clock.after(dueTick - now + 1, () => this.#beat());
  }

  #beat(): void {
    const { clock, ticks, onDoubt, onSilence } = this.#options;
    this.#timer = undefined;
    const now = ticks.now();
    if (now >= this.#doubtTick()) {
      onDoubt();
      return;
    }
    const connection = this.#connection;
    if (connection !== undefined) {
      const silentMs = now - ticks.at(connection.lastReceivedMs);
      const stalled = now - this.#dueTick > STALL_GRACE_MS;
      if (silentMs >= (this.#timeoutMs * 2) / 3) {
        if (stalled) {
          // The replies may lie unread in the socket: the event loop was busy, not the server silent.
          this.#arm(clock, now, now + Math.min(STALL_GRACE_MS, this.#timeoutMs / 10));
          return;
        }
        onSilence(connection, silentMs);
        return;
      }
      if (now - ticks.at(connection.lastSentMs) >= this.#timeoutMs / 3) {
        this.#pings.push(now);
        sendPing(connection);
      }
    }
    this.#schedule();
  }
}

/** Ping => header alone. Sent at once, not at the tick's end: its time counts. */
function sendPing(connection: Connection): void {
  const { writer } = connection;
  const frame = writer.beginFrame();
  writer.int(Xid.ping);
  writer.int(OpCode.ping);
  writer.endFrame(frame);
  connection.flush();
}

// SPDX-License-Identifier: Apache-2.0
// Which sessions live and when they end. Deadlines are rounded up to whole ticks, so one timer serves all: a
// session lives for its timeout and up to one tick more. Hearing from a client only notes the time; a session
// moves to its later bucket when its present one comes up.
import type { Clock, Timer } from "@meerkat/runtime";
import type { Session } from "./session.ts";

/** Sessions whose deadline fell in the same tick. */
type Bucket = Set<Session>;

/** Tracks open sessions and reports silent ones. */
export class SessionTracker {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #onExpired: (session: Session) => void;
  readonly #sessions = new Map<bigint, Session>();
  readonly #buckets = new Map<number, Bucket>();
  #timer: Timer | undefined;
  #nextId: bigint | undefined;
  #closed = false;

  /** `onExpired` must close the session through the log, which ends in `remove`. */
  constructor(options: {
    readonly clock: Clock;
    readonly tickMs: number;
    readonly onExpired: (session: Session) => void;
  }) {
    this.#clock = options.clock;
    this.#tickMs = options.tickMs;
    this.#onExpired = options.onExpired;
  }

  get size(): number {
    return this.#sessions.size;
  }

  all(): Iterable<Session> {
    return this.#sessions.values();
  }

  get(id: bigint): Session | undefined {
    return this.#sessions.get(id);
  }

  /** Sessions by the time they end at (ms on the monotonic clock) if their clients stay silent. */
  expiries(): ReadonlyMap<number, ReadonlySet<Session>> {
    return new Map([...this.#buckets].map(([bucket, sessions]) => [bucket * this.#tickMs, sessions]));
  }

  /**
   * An id for a new session: server 1 in the top byte, then 40 bits of wall-clock ms, then a counter. Apache
   * takes the ms from a clock that starts anew at every boot, so ids can repeat there; here they cannot.
   */
  nextId(): bigint {
    const start = (1n << 56n) | ((BigInt(Math.floor(this.#clock.wallMs())) & 0xff_ffff_ffffn) << 16n);
    let id = this.#nextId ?? start;
    while (this.#sessions.has(id)) id++;
    this.#nextId = id + 1n;
    return id;
  }

  /** Starts to track a session, heard just now. */
  add(id: bigint, timeoutMs: number): Session {
    const session: Session = {
      id,
      createdTimeoutMs: timeoutMs,
      timeoutMs,
      heardMs: this.#clock.nowMs(),
      bucket: 0,
      state: "open",
      connection: undefined,
    };
    this.#sessions.set(id, session);
    this.#place(session);
    return session;
  }

  /** Gives a session another timeout: its client reconnected, just now. */
  renegotiate(session: Session, timeoutMs: number): void {
    this.#buckets.get(session.bucket)?.delete(session);
    session.timeoutMs = timeoutMs;
    session.heardMs = this.#clock.nowMs();
    this.#place(session);
  }

  /** Forgets a session. */
  remove(session: Session): void {
    this.#sessions.delete(session.id);
    this.#buckets.get(session.bucket)?.delete(session);
  }

  /** Stops the timer. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #place(session: Session): void {
    session.bucket = Math.floor((session.heardMs + session.timeoutMs) / this.#tickMs) + 1;
    const bucket = this.#buckets.get(session.bucket);
    if (bucket === undefined) this.#buckets.set(session.bucket, new Set([session]));
    else bucket.add(session);
    this.#arm();
  }

  /** Wakes at the end of every tick while there are sessions. */
  #arm(): void {
    if (this.#timer !== undefined || this.#closed || this.#sessions.size === 0) return;
    const nowMs = this.#clock.nowMs();
    const nextTickMs = (Math.floor(nowMs / this.#tickMs) + 1) * this.#tickMs;
    const onTick = (): void => {
      if (this.#clock.nowMs() - nextTickMs > this.#tickMs && !caughtUp) {
        // The process was stopped or stalled: what clients sent meanwhile waits in the sockets. Hear it first.
        caughtUp = true;
        this.#timer = this.#clock.after(0, onTick);
        return;
      }
      this.#timer = undefined;
      this.#expire();
      this.#arm();
    };
    let caughtUp = false;
    this.#timer = this.#clock.after(nextTickMs - nowMs, onTick);
  }

  #expire(): void {
    const nowMs = this.#clock.nowMs();
    for (const [number, bucket] of this.#buckets) {
      if (number * this.#tickMs > nowMs) continue;
      this.#buckets.delete(number);
      for (const session of bucket) {
        const deadline = Math.floor((session.heardMs + session.timeoutMs) / this.#tickMs) + 1;
        if (deadline * this.#tickMs > nowMs) this.#place(session);
        else this.#onExpired(session);
      }
    }
  }
}

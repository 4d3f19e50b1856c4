// SPDX-License-Identifier: Apache-2.0
import type { Clock, Timer } from "@meerkat/runtime";
import { describe, expect, it } from "vitest";
import type { Session } from "./session.ts";
import { isSessionPassword, sessionPassword } from "./session-password.ts";
import { SessionTracker } from "./session-tracker.ts";

/** A clock moved by hand; timers run in order of their time. */
class HandClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ atMs: number; callback: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }
  wallMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }
  after(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }
  get timers(): number {
    return this.#timers.size;
  }

  /** Jumps without running timers: the process was stopped. */
  stall(ms: number): void {
    this.#nowMs += ms;
  }

  advance(ms: number): void {
    const end = this.#nowMs + ms;
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > end) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
    }
    this.#nowMs = Math.max(this.#nowMs, end);
  }
}

function setUp(): { clock: HandClock; tracker: SessionTracker; expired: bigint[] } {
  const clock = new HandClock();
  const expired: bigint[] = [];
  const onExpired = (session: Session): void => {
    expired.push(session.id);
    tracker.remove(session);
  };
  const tracker = new SessionTracker({ clock, tickMs: 100, onExpired });
  return { clock, tracker, expired };
}

describe("SessionTracker", () => {
  it("ends a silent session after its timeout and at most one tick more", () => {
    const { clock, tracker, expired } = setUp();
    clock.advance(30);
    tracker.add(1n, 250);
    clock.advance(250);
    expect(expired).toEqual([]);
    clock.advance(100);
    expect(expired).toEqual([1n]);
    clock.advance(1000);
    expect(clock.timers).toBe(0);
  });

  it("moves the end of a session that was heard", () => {
    const { clock, tracker, expired } = setUp();
    const session = tracker.add(1n, 250);
    for (let turn = 0; turn < 20; turn++) {
      clock.advance(200);
      session.heardMs = clock.nowMs();
    }
    expect(expired).toEqual([]);
    clock.advance(400);
    expect(expired).toEqual([1n]);
  });

  it("uses the timeout of the last connection, also a shorter one", () => {
    const { clock, tracker, expired } = setUp();
    const session = tracker.add(1n, 10_000);
    clock.advance(50);
    tracker.renegotiate(session, 200);
    clock.advance(350);
    expect(expired).toEqual([1n]);
    expect(session.createdTimeoutMs).toBe(10_000);
  });

  it("hears what waits in the sockets before it ends sessions after a stall of the process", () => {
    const { clock, tracker, expired } = setUp();
    const session = tracker.add(1n, 300);
    clock.advance(50);
    clock.stall(2000);
    // The tick that comes late only waits for the event loop's next turn, in which the ping is read.
    const late = clock.after(0, () => {
      session.heardMs = clock.nowMs();
    });
    clock.advance(100);
    late.cancel();
    expect(expired).toEqual([]);
    clock.advance(500);
    expect(expired).toEqual([1n]);
  });

  it("makes ids of server 1 that no living session has", () => {
    const { tracker } = setUp();
    const first = tracker.nextId();
    expect(first >> 56n).toBe(1n);
    tracker.add(first + 1n, 1000);
    expect(tracker.nextId()).toBe(first + 2n);
  });

  it("leaves no timer when closed", () => {
    const { clock, tracker } = setUp();
    tracker.add(1n, 1000);
    expect(clock.timers).toBe(1);
    tracker.close();
    expect(clock.timers).toBe(0);
  });
});

describe("sessionPassword", () => {
  it("is what Apache ZooKeeper 3.8.0 gave a client with this id", () => {
    expect(sessionPassword(0x10000315e3a0000n).toString("hex")).toBe("94ab3fc49137481492ba5824c2e4a061");
    expect(
      isSessionPassword(0x10000315e3a0000n, Buffer.from("94ab3fc49137481492ba5824c2e4a061", "hex")),
    ).toBe(true);
    expect(isSessionPassword(0x10000315e3a0000n, Buffer.alloc(16))).toBe(false);
    expect(isSessionPassword(0x10000315e3a0000n, null)).toBe(false);
  });
});

// SPDX-License-Identifier: Apache-2.0
// Time that only moves when the test says so.
import type { Clock, Timer } from "@meerkat/runtime";

/** Timers that one `advance` may fire before it is taken for an endless loop. */
const FIRED_MAX = 1_000_000;

interface Entry {
  readonly dueMs: number;
  /** Breaks ties: timers due at one moment fire in the order they were set. */
  readonly sequence: number;
  /** Undefined once fired or cancelled. */
  callback: (() => void) | undefined;
}

function isBefore(left: Entry, right: Entry): boolean {
  return left.dueMs < right.dueMs || (left.dueMs === right.dueMs && left.sequence < right.sequence);
}

/** A clock under the test's control. Timers fire in order of their due time, never early. */
export class VirtualClock implements Clock {
  #nowMs = 0;
  #wallOffsetMs: number;
  #sequence = 0;
  #live = 0;
  /** A binary heap, earliest first. Cancelled entries stay until they come up. */
  readonly #heap: Entry[] = [];

  /** `wallMs` is what the wall clock shows at the start (14 November 2023 when left out). */
  constructor(options: { readonly wallMs?: number } = {}) {
    this.#wallOffsetMs = options.wallMs ?? 1_700_000_000_000;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return Math.floor(this.#wallOffsetMs + this.#nowMs);
  }

  after(delayMs: number, callback: () => void): Timer {
    const dueMs = this.#nowMs + Math.max(delayMs, 0);
    const entry: Entry = { dueMs, sequence: this.#sequence++, callback };
    this.#live++;
    this.#add(entry);
    return {
      cancel: () => {
        if (entry.callback === undefined) return;
        entry.callback = undefined;
        this.#live--;
      },
    };
  }

  /** Timers that are set and neither fired nor cancelled. */
  get timers(): number {
    return this.#live;
  }

  /** When the next timer is due, in milliseconds from now; undefined when none is set. */
  get nextTimerMs(): number | undefined {
    this.#dropCancelled();
    const next = this.#heap[0];
    return next === undefined ? undefined : next.dueMs - this.#nowMs;
  }

  /** Moves the wall clock alone, as an administrator or NTP would. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /**
   * Moves time on by `byMs`. Timers due meanwhile fire at their own time, one by one, also those that are
   * set on the way; between two of them all promises that can settle do. Rejects with what a callback
   * throws.
   */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    await this.settle();
    for (let fired = 0; ; fired++) {
      if (fired === FIRED_MAX) throw new Error(`${FIRED_MAX} timers fired in one advance of ${byMs} ms`);
      const entry = this.#takeDue(untilMs);
      if (entry === undefined) break;
      this.#nowMs = Math.max(this.#nowMs, entry.dueMs);
      const { callback } = entry;
      entry.callback = undefined;
      this.#live--;
      callback?.();
      await this.settle();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  /** Moves to the next timer and fires it; false when none is set. */
  async advanceToNext(): Promise<boolean> {
    await this.settle();
    const nextMs = this.nextTimerMs;
    if (nextMs === undefined) return false;
    await this.advance(nextMs);
    return true;
  }

  /** Lets every promise settle that can without time moving on. */
  async settle(): Promise<void> {
    // A turn of the event loop runs all microtasks and ticks, however many they set off in turn.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  #dropCancelled(): void {
    while (this.#heap[0] !== undefined && this.#heap[0].callback === undefined) this.#removeFirst();
  }

  #takeDue(untilMs: number): Entry | undefined {
    this.#dropCancelled();
    const first = this.#heap[0];
    if (first === undefined || first.dueMs > untilMs) return undefined;
    this.#removeFirst();
    return first;
  }

  #add(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Entry;
      if (!isBefore(entry, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = index * 2 + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, left)) child++;
      const smaller = heap[child] as Entry;
      if (!isBefore(smaller, last)) break;
      heap[index] = smaller;
      index = child;
    }
    heap[index] = last;
  }
}

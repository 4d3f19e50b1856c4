// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "@meerkat/runtime";
import type { CallOptions } from "./session/request.ts";

/** One time limit over several requests: each gets what is left. */
export class Deadline {
  readonly #clock: Clock;
  readonly #endMs: number;
  readonly #signal: AbortSignal | undefined;

  /** `timeoutMs` 0 is no limit. */
  constructor(clock: Clock, timeoutMs: number, signal: AbortSignal | undefined) {
    this.#clock = clock;
    this.#endMs = timeoutMs > 0 ? clock.nowMs() + timeoutMs : Number.POSITIVE_INFINITY;
    this.#signal = signal;
  }

  /** True when the time is up. */
  get passed(): boolean {
    return this.#clock.nowMs() >= this.#endMs;
  }

  /** Options of the next request: the signal, and the time left (at least 1 ms, so that it times out itself). */
  call(): { readonly signal: AbortSignal | undefined; readonly timeoutMs: number } & CallOptions {
    const leftMs = this.#endMs - this.#clock.nowMs();
    return { signal: this.#signal, timeoutMs: leftMs === Number.POSITIVE_INFINITY ? 0 : Math.max(1, leftMs) };
  }
}

// SPDX-License-Identifier: Apache-2.0
// A token bucket in front of new and renewed sessions (ZooKeeper's `connection_throttle_*`), so that a flood of
// connects, after a network failure say, does not keep the server from serving those it has.

/** How many handshakes may be served, and how fast that refills. */
export interface ConnectThrottleOptions {
  /** Size of the bucket. */
  readonly tokens: number;
  /** Interval after which the bucket gets `fillCount` tokens, ms. */
  readonly fillIntervalMs: number;
  readonly fillCount: number;
  /** Tokens that a new session takes. */
  readonly newSessionTokens: number;
  /** Tokens that a session takes that goes on over another connection. */
  readonly renewedSessionTokens: number;
}

/** See the head of the file. */
export class ConnectThrottle {
  readonly #options: ConnectThrottleOptions;
  #tokens: number;
  #filledMs: number;

  constructor(options: ConnectThrottleOptions, nowMs: number) {
    this.#options = options;
    this.#tokens = options.tokens;
    this.#filledMs = nowMs;
  }

  /** Takes the tokens of a handshake; false when there are too few. */
  admits(kind: "new" | "renewed", nowMs: number): boolean {
    this.#fill(nowMs);
    const { newSessionTokens, renewedSessionTokens } = this.#options;
    const cost = kind === "new" ? newSessionTokens : renewedSessionTokens;
    if (cost > this.#tokens) return false;
    this.#tokens -= cost;
    return true;
  }

  #fill(nowMs: number): void {
    const { tokens, fillIntervalMs, fillCount } = this.#options;
    const intervals = Math.floor((nowMs - this.#filledMs) / fillIntervalMs);
    if (intervals <= 0) return;
    this.#filledMs += intervals * fillIntervalMs;
    this.#tokens = Math.min(tokens, this.#tokens + intervals * fillCount);
  }
}

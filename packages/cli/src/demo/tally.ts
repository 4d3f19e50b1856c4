// SPDX-License-Identifier: Apache-2.0
// The demo's bookkeeping: who answered, what failed, and how long the join and the loss took. Pure: the
// caller brings the times.

/** What `--json FILE` holds. */
export interface DemoSummary {
  /** Calls that ended, well or badly. */
  readonly calls: number;
  /** Calls that the caller saw fail. */
  readonly failures: number;
  /** Answered calls per server, by `HOST:PORT`. */
  readonly byServer: Readonly<Record<string, number>>;
  /** From the join of the third server to the first call on it; null when there was none. */
  readonly joinMs: number | null;
  /** From the kill to the last attempt on the dead server; 0 when there was none, null without a kill. */
  readonly ejectMs: number | null;
}

/** How a call went, for the strip of recent calls: the server's key or a failure. */
export type RecentCall = string | "failed";

/** Recent calls kept for the view. */
const RECENT_MAX = 200;

/** Counts calls and attempts. All times are milliseconds of one monotonic clock. */
export class Tally {
  readonly #answered = new Map<string, number>();
  readonly #recent: RecentCall[] = [];
  /** Servers whose answers were seen as attempts and not yet as calls. */
  readonly #answering: string[] = [];
  #calls = 0;
  #failures = 0;
  #failovers = 0;
  #lastResult = "";
  #firstFailure: string | undefined;
  #joined: { readonly key: string; readonly atMs: number } | undefined;
  #firstCallMs: number | undefined;
  #killed: { readonly key: string; readonly atMs: number } | undefined;
  #lastDeadAttemptMs: number | undefined;

  /** Makes a server appear in the summary with zero calls. */
  addServer(key: string): void {
    if (!this.#answered.has(key)) this.#answered.set(key, 0);
  }

  /** An attempt on `key` ended. `startedMs` is when it began. */
  attemptEnded(key: string, isAnswered: boolean, startedMs: number): void {
    if (this.#joined?.key === key) this.#firstCallMs ??= startedMs;
    if (this.#killed?.key === key && startedMs >= this.#killed.atMs) this.#lastDeadAttemptMs = startedMs;
    if (!isAnswered) {
      this.#failovers++;
      return;
    }
    this.#answered.set(key, (this.#answered.get(key) ?? 0) + 1);
    this.#answering.push(key);
    this.#remember(key);
  }

  /** A call was answered. Calls are told in the order in which their last attempts ended. */
  callAnswered(result: string): void {
    this.#calls++;
    const key = this.#answering.shift() ?? "";
    this.#lastResult = `${result}  by ${key}`;
  }

  /** A call failed for good. */
  callFailed(reason: string): void {
    this.#calls++;
    this.#failures++;
    this.#firstFailure ??= reason;
    this.#lastResult = reason;
    this.#remember("failed");
  }

  /** The server joined. The earliest word of it counts. */
  serverJoined(key: string, atMs: number): void {
    this.#joined ??= { key, atMs };
  }

  /** The server was killed. */
  serverKilled(key: string, atMs: number): void {
    this.#killed = { key, atMs };
  }

  get calls(): number {
    return this.#calls;
  }
  get failures(): number {
    return this.#failures;
  }
  /** Attempts that failed and were made good by another server. */
  get failovers(): number {
    return this.#failovers;
  }
  get lastResult(): string {
    return this.#lastResult;
  }
  /** Why the first failed call failed. */
  get firstFailure(): string | undefined {
    return this.#firstFailure;
  }
  /** The latest calls, oldest first. */
  get recent(): readonly RecentCall[] {
    return this.#recent;
  }
  /** Calls that `key` answered. */
  answeredBy(key: string): number {
    return this.#answered.get(key) ?? 0;
  }
  /** See `DemoSummary.joinMs`. */
  get joinMs(): number | null {
    if (this.#joined === undefined || this.#firstCallMs === undefined) return null;
    return Math.max(0, this.#firstCallMs - this.#joined.atMs);
  }
  /** See `DemoSummary.ejectMs`. */
  get ejectMs(): number | null {
    if (this.#killed === undefined) return null;
    return this.#lastDeadAttemptMs === undefined ? 0 : this.#lastDeadAttemptMs - this.#killed.atMs;
  }

  /** Everything at once. Times are rounded to a tenth of a millisecond. */
  summary(): DemoSummary {
    const round = (ms: number | null): number | null => (ms === null ? null : Math.round(ms * 10) / 10);
    return {
      calls: this.#calls,
      failures: this.#failures,
      byServer: Object.fromEntries(this.#answered),
      joinMs: round(this.joinMs),
      ejectMs: round(this.ejectMs),
    };
  }

  #remember(call: RecentCall): void {
    this.#recent.push(call);
    if (this.#recent.length > RECENT_MAX) this.#recent.shift();
  }
}

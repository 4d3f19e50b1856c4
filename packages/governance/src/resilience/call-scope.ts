// SPDX-License-Identifier: Apache-2.0
// The life of one governed call: its deadline, the caller's signal, and the attempts made within it.
import type { Clock, Effect, Timer } from "@meerkat/runtime";
import { GovernanceError } from "../errors.ts";

/** Why a call or an attempt was ended from outside. */
export type EndReason = "deadline" | "aborted" | "closed" | "attemptTimeout";

/** Where a call stands; kept for retry decisions and for messages. @internal */
export class CallScope {
  readonly startMs: number;
  readonly deadlineMs: number;
  readonly timeoutMs: number;
  readonly idempotent: boolean;
  readonly key: string | undefined;
  /** Slots tried in this round. */
  readonly tried: number[] = [];
  attempts = 0;
  /** Retries that counted against the bound. */
  retries = 0;
  /** Whether the free retry after a lost connection was used. */
  lostConnection = false;
  lastError: unknown;
  /** The worst that an attempt may have done. */
  effect: Effect = "none";
  readonly #clock: Clock;
  readonly #timer: Timer;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;
  #ended: EndReason | undefined;
  #onEnd: ((reason: EndReason) => void) | undefined;

  constructor(
    clock: Clock,
    options: {
      readonly timeoutMs: number;
      readonly signal: AbortSignal | undefined;
      readonly idempotent: boolean;
      readonly key: string | undefined;
    },
  ) {
    this.#clock = clock;
    this.timeoutMs = options.timeoutMs;
    this.idempotent = options.idempotent;
    this.key = options.key;
    this.startMs = clock.nowMs();
    this.deadlineMs = this.startMs + options.timeoutMs;
    this.#timer = clock.after(options.timeoutMs, () => this.end("deadline"));
    this.#signal = options.signal;
    this.#onAbort = () => this.end("aborted");
    if (options.signal?.aborted) this.end("aborted");
    else options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Milliseconds until the deadline, never below 0. */
  get remainingMs(): number {
    return Math.max(0, this.deadlineMs - this.#clock.nowMs());
  }

  get ended(): EndReason | undefined {
    return this.#ended;
  }

  /** The one who wants to know about the end; called at once if it has come. */
  set onEnd(listener: ((reason: EndReason) => void) | undefined) {
    this.#onEnd = listener;
    if (this.#ended !== undefined) listener?.(this.#ended);
  }

  /** Ends the call from outside. Only the first end counts. */
  end(reason: EndReason): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#onEnd?.(reason);
  }

  /** Lets go of the timer and the signal. */
  dispose(): void {
    this.#timer.cancel();
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#onEnd = undefined;
  }

  /** What the call rejects with when it was ended from outside. */
  endError(reason: EndReason, during: "attempt" | "wait"): GovernanceError {
    const effect = during === "attempt" ? "unknown" : this.effect;
    const context = { attempts: this.attempts };
    const cause = this.lastError;
    switch (reason) {
      case "aborted":
        return new GovernanceError("the call was aborted by its caller", {
          code: "ABORTED",
          effect,
          context,
          cause: this.#signal?.reason,
        });
      case "closed":
        return new GovernanceError("the service caller was closed", {
          code: "CLOSED",
          effect,
          context,
          cause,
        });
      case "attemptTimeout":
        return new GovernanceError(`attempt ${this.attempts} had no answer within its time`, {
          code: "DEADLINE_EXCEEDED",
          effect,
          context,
        });
      case "deadline":
        return new GovernanceError(
          `no answer within the call's ${this.timeoutMs} ms (attempt ${this.attempts})`,
          { code: "DEADLINE_EXCEEDED", effect, context, cause },
        );
    }
  }
}

/** What an attempt is told about its call. */
export interface AttemptContext {
  /** Aborts when the attempt's result is no longer wanted: deadline, caller's abort, attempt timeout. */
  readonly signal: AbortSignal;
  /** Milliseconds until the call's deadline, at the moment of reading. */
  readonly remainingMs: number;
  /** 1 for the first attempt of the call. */
  readonly attempt: number;
}

/** One running attempt. The signal is made when first asked for: most attempts of a fast path never do. @internal */
export class AttemptRun implements AttemptContext {
  readonly attempt: number;
  readonly #scope: CallScope;
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  constructor(scope: CallScope) {
    this.#scope = scope;
    this.attempt = scope.attempts;
  }

  get remainingMs(): number {
    return this.#scope.remainingMs;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Tells the attempt that nobody waits any more. */
  abort(reason: Error): void {
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}

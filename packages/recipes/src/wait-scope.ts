// SPDX-License-Identifier: Apache-2.0
// One time limit and one signal over everything that a call of a recipe does.
import type { CallOptions } from "@meerkat/client";
import { type Clock, InvalidArgumentError, type Timer } from "@meerkat/runtime";
import { onAbort } from "./on-abort.ts";
import { RecipeError } from "./recipe-error.ts";

/** Limits of a call that waits for others. */
export interface WaitOptions {
  /** Ends the wait with `ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  /** Limit in milliseconds over the whole call; 0 or left out for none. */
  readonly timeoutMs?: number | undefined;
}

/** See the head of this file. Call `end` when the work is over, whatever came of it. */
export class WaitScope {
  /** Aborts at the limit or with the caller's signal; the reason is a `RecipeError`. */
  readonly signal: AbortSignal;
  /** Limits of a request inside the scope: the signal ends it, also while it waits for a connection. */
  readonly call: { readonly signal: AbortSignal; readonly timeoutMs: 0 } & CallOptions;
  readonly #controller = new AbortController();
  readonly #timer: Timer | undefined;
  readonly #unlink: () => void;

  /** `what` completes "gave up …" in the error; `path` is the recipe's root. */
  constructor(clock: Clock, options: WaitOptions, what: string, path: string) {
    const { timeoutMs = 0, signal } = options;
    if (!(timeoutMs >= 0)) {
      throw new InvalidArgumentError(
        "timeoutMs",
        `timeoutMs must be a number of 0 or more, got ${String(timeoutMs)}`,
      );
    }
    const controller = this.#controller;
    this.signal = controller.signal;
    this.call = { signal: controller.signal, timeoutMs: 0 };
    this.#unlink =
      signal === undefined
        ? () => {}
        : onAbort(signal, () => {
            const cause = signal.reason;
            controller.abort(
              new RecipeError("ABORTED", `gave up ${what}: the signal aborted`, { cause, context: { path } }),
            );
          });
    this.#timer =
      timeoutMs === 0 || controller.signal.aborted
        ? undefined
        : clock.after(timeoutMs, () => {
            const message = `gave up ${what} after ${timeoutMs} ms`;
            controller.abort(new RecipeError("TIMEOUT", message, { context: { path, timeoutMs } }));
          });
  }

  /** True when the limit passed or the caller gave up. */
  get over(): boolean {
    return this.signal.aborted;
  }

  /** Throws the reason when the scope is over. */
  check(): void {
    if (this.signal.aborted) throw this.signal.reason;
  }

  /** What to throw for a failure inside: the scope's own reason when it is over. */
  explain(error: unknown): unknown {
    return this.signal.aborted ? this.signal.reason : error;
  }

  /** Stops the timer and lets the caller's signal go. */
  end(): void {
    this.#timer?.cancel();
    this.#unlink();
  }
}

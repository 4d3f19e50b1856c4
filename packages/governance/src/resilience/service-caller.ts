// SPDX-License-Identifier: Apache-2.0
// The governed call: picks an endpoint, runs one attempt, and decides by the error's `effect` alone
// whether another endpoint may be tried. Knows no transport: an attempt is a function of the caller.
import { Backoff, type Clock, Emitter, type Runtime, resolveRuntime } from "@meerkat/runtime";
import type { Picker } from "../balancing/balancer.ts";
import { EndpointPool, NO_SLOT } from "../balancing/endpoint-pool.ts";
import { peakEwmaBalancer } from "../balancing/p2c.ts";
import type { Directory } from "../directory.ts";
import { type DirectoryChange, type Endpoint, emptyEndpointSet, endpointDifference } from "../endpoint.ts";
import { GovernanceError } from "../errors.ts";
import {
  type Attempt,
  type AttemptEvent,
  type AttemptOutcome,
  attemptOutcome,
  type EndpointReport,
  type ServiceCallerOptions,
  type ServiceCallOptions,
} from "./attempt.ts";
import { type AttemptFailure, attemptFailure } from "./attempt-failure.ts";
import { type AttemptContext, AttemptRun, CallScope, type EndReason } from "./call-scope.ts";
import { EndpointHealth, type HealthEvidence } from "./endpoint-health.ts";
import { noEndpointError } from "./no-endpoint.ts";
import { RetryBudget } from "./retry-budget.ts";

/** Attempts in a row before pausing, however many endpoints there are. */
const ROUND_ATTEMPTS_MAX = 64;
/** Pause when every endpoint was tried in vain; grows by half of itself up to the maximum. */
const ROUND_PAUSE = { initialMs: 40, maxMs: 1_000, factor: 1.5, floor: 0.5 } as const;

/** What `#attempt` resolves with: the value, or the failure and what it means. */
type AttemptResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: unknown; readonly failure: AttemptFailure };

/**
 * Calls a service through whichever endpoint is best.
 *
 * After a failed attempt only the error's `effect` counts: `none` goes on with the next endpoint;
 * `unknown` does so only for an idempotent call; `applied` (the server's own verdict) rejects with that
 * error. An error whose `context.connection` is true, or which has effect `none` and does not say false
 * there, marks the endpoint as down at once; others take its calls until a probe succeeds. When all are
 * down they are tried nevertheless.
 *
 * Rejects with the last attempt's error when it may not go on, and with `GovernanceError`:
 * `NO_ENDPOINT`, `DEADLINE_EXCEEDED`, `ABORTED`, `OVERLOADED`, `CLOSED`.
 */
export class ServiceCaller implements AsyncDisposable {
  readonly #directory: Directory;
  readonly #clock: Clock;
  readonly #runtime: Runtime;
  readonly #options: ServiceCallerOptions;
  readonly #pool: EndpointPool;
  readonly #picker: Picker;
  readonly #health: EndpointHealth;
  readonly #budget: RetryBudget;
  readonly #attempts: Emitter<AttemptEvent>;
  readonly #unsubscribe: () => void;
  /** Calls in progress, for draining. */
  readonly #scopes = new Set<CallScope>();
  readonly #waiters = new Set<() => void>();
  readonly #drained: (() => void)[] = [];
  #closed = false;

  constructor(options: ServiceCallerOptions) {
    this.#options = options;
    this.#directory = options.directory;
    this.#runtime = resolveRuntime(options.runtime);
    this.#clock = this.#runtime.clock;
    this.#pool = new EndpointPool(options.pool);
    this.#picker = (options.balancer ?? peakEwmaBalancer(this.#runtime.random)).picker(this.#pool);
    this.#health = new EndpointHealth(this.#pool, this.#runtime, options.health ?? {}, () => this.#wake());
    const { retryBudget } = options;
    this.#budget =
      retryBudget instanceof RetryBudget ? retryBudget : new RetryBudget(this.#clock, retryBudget ?? {});
    this.#attempts = new Emitter((error) =>
      this.#runtime.logger.error({ error }, "a listener of onAttempt threw"),
    );
    this.#apply(endpointDifference(emptyEndpointSet, options.directory.snapshot()));
    this.#unsubscribe = options.directory.onChange((_set, change) => this.#apply(change));
  }

  /** Calls the service; see the class for what happens on failure. */
  async call<T>(attempt: Attempt<T>, options: ServiceCallOptions = {}): Promise<T> {
    if (this.#closed) throw new GovernanceError("the service caller is closed", { code: "CLOSED" });
    const scope = new CallScope(this.#clock, {
      timeoutMs: options.timeoutMs ?? this.#options.timeoutMs ?? 10_000,
      signal: options.signal,
      idempotent: options.idempotent ?? false,
      key: options.key,
    });
    this.#scopes.add(scope);
    this.#budget.deposit();
    try {
      return await this.#run(scope, attempt);
    } finally {
      scope.dispose();
      this.#scopes.delete(scope);
      if (this.#closed && this.#scopes.size === 0) for (const done of this.#drained.splice(0)) done();
    }
  }

  /** Adds a listener of ended attempts; the returned function removes it. */
  onAttempt(listener: (event: AttemptEvent) => void): () => void {
    return this.#attempts.on(listener);
  }

  /** All endpoints as they stand now. */
  endpoints(): EndpointReport[] {
    const pool = this.#pool;
    const nowMs = this.#clock.nowMs();
    return Array.from(pool.members.subarray(0, pool.memberCount), (slot) => ({
      endpoint: pool.endpointAt(slot),
      down: pool.isDown(slot),
      inFlight: pool.inFlightOf(slot),
      latencyMs: pool.latencyOf(slot, nowMs),
    }));
  }

  /** Refuses new calls, ends those that wait for an endpoint, and resolves when the running ones ended. */
  async close(): Promise<void> {
    this.#shut();
    this.#wake();
    if (this.#scopes.size > 0) await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  /** Like `close`, but aborts the running calls. */
  destroy(): void {
    this.#shut();
    for (const scope of [...this.#scopes]) scope.end("closed");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #shut(): void {
    this.#closed = true;
    this.#unsubscribe();
    this.#health.close();
  }

  #apply(change: DirectoryChange): void {
    this.#health.apply(change);
    this.#pool.apply(change, this.#clock.nowMs());
    if (change.added.length + change.changed.length > 0) this.#wake();
  }

  #wake(): void {
    for (const wake of [...this.#waiters]) wake();
  }

  async #run<T>(scope: CallScope, attempt: Attempt<T>): Promise<T> {
    const pause = { backoff: undefined as Backoff | undefined };
    for (;;) {
      if (scope.ended !== undefined) throw this.#endedWaiting(scope, scope.ended);
      const slot = this.#pick(scope);
      if (slot === NO_SLOT) {
        if (this.#closed) throw scope.endError("closed", "wait");
        pause.backoff ??= new Backoff(ROUND_PAUSE, this.#runtime.random);
        await this.#waitForEndpoint(scope, pause.backoff);
        scope.tried.length = 0;
        continue;
      }
      const result = await this.#attempt(scope, slot, attempt);
      if (result.ok) return result.value;
      scope.lastError = result.error;
      if (scope.ended !== undefined || !this.#mayRetry(scope, result.failure)) throw result.error;
      if (result.failure.effect === "unknown") scope.effect = "unknown";
    }
  }

  #pick(scope: CallScope): number {
    const { tried } = scope;
    if (tried.length >= ROUND_ATTEMPTS_MAX) return NO_SLOT;
    if (this.#pool.starting) this.#pool.advance(this.#clock.nowMs());
    const probe = this.#health.takeDueProbe(tried, scope.idempotent);
    return probe !== NO_SLOT ? probe : this.#picker.pick(scope);
  }

  /** Whether the call may go on with another endpoint. */
  #mayRetry(scope: CallScope, failure: AttemptFailure): boolean {
    if (failure.usage || failure.effect === "applied") return false;
    // Nothing was sent: the next endpoint is no extra load on anyone.
    if (failure.effect === "none" && failure.connection) return true;
    if (failure.effect === "unknown" && !scope.idempotent) return false;
    if (failure.connection && !scope.lostConnection) {
      // One lost connection hits all calls on it at once; the budget is for what goes on failing.
      scope.lostConnection = true;
      return true;
    }
    if (scope.retries >= (this.#options.retriesMax ?? 3) || !this.#budget.tryWithdraw()) return false;
    scope.retries++;
    return true;
  }

  /** Runs one attempt to its end, or to the end of the call or of the attempt's time. Never rejects. */
  #attempt<T>(scope: CallScope, slot: number, attempt: Attempt<T>): Promise<AttemptResult<T>> {
    const pool = this.#pool;
    const endpoint = pool.endpointAt(slot);
    const generation = pool.generationOf(slot);
    scope.attempts++;
    scope.tried.push(slot);
    const run = new AttemptRun(scope);
    const startMs = this.#clock.nowMs();
    pool.begin(slot);
    return new Promise((resolve) => {
      let settled = false;
      const settle = (result: AttemptResult<T>, outcome: AttemptOutcome): void => {
        settled = true;
        scope.onEnd = undefined;
        timer?.cancel();
        this.#book(slot, generation, this.#clock.nowMs() - startMs, outcome);
        if (this.#attempts.size > 0) {
          const latencyMs = this.#clock.nowMs() - startMs;
          const error = result.ok ? {} : { error: result.error };
          this.#attempts.emit({ endpoint, attempt: run.attempt, outcome, latencyMs, ...error });
        }
        resolve(result);
      };
      const giveUp = (reason: EndReason): void => {
        if (settled) return;
        const error = scope.endError(reason, "attempt");
        const failure: AttemptFailure = { effect: "unknown", connection: false, usage: false };
        settle(
          { ok: false, error, failure },
          reason === "deadline" || reason === "attemptTimeout" ? "timedOut" : "aborted",
        );
        run.abort(error);
      };
      const { attemptTimeoutMs } = this.#options;
      const timer =
        attemptTimeoutMs === undefined || attemptTimeoutMs >= scope.remainingMs
          ? undefined
          : this.#clock.after(attemptTimeoutMs, () => giveUp("attemptTimeout"));
      scope.onEnd = giveUp;
      if (settled) return;
      started(attempt, endpoint, run).then(
        (value) => {
          if (!settled) settle({ ok: true, value }, "ok");
        },
        (error: unknown) => {
          if (settled) return;
          const failure = attemptFailure(error);
          settle({ ok: false, error, failure }, attemptOutcome(failure));
        },
      );
    });
  }

  /** Books an outcome on the endpoint that it says something about. */
  #book(slot: number, generation: number, latencyMs: number, outcome: AttemptOutcome): void {
    const answered = outcome === "ok" || outcome === "rejected";
    const verdict = answered
      ? "answered"
      : outcome === "aborted" || outcome === "connectionFailed"
        ? "ignored"
        : "failed";
    this.#pool.end(slot, generation, latencyMs, this.#clock.nowMs(), verdict);
    this.#health.observe(slot, generation, evidenceOf(outcome));
  }

  /** Resolves when it makes sense to pick again; rejects when the call ends first. */
  async #waitForEndpoint(scope: CallScope, backoff: Backoff): Promise<void> {
    const waitingMax = this.#options.waitingMax ?? 10_000;
    if (this.#waiters.size >= waitingMax) {
      throw new GovernanceError(
        `${waitingMax} calls already wait for an endpoint of ${this.#source()}: raise waitingMax or call less`,
        { code: "OVERLOADED", effect: scope.effect, cause: scope.lastError },
      );
    }
    // With members there is something to try again after a pause; without, only a change helps.
    const pauseMs = this.#pool.memberCount === 0 ? undefined : backoff.nextMs();
    const reason = await new Promise<EndReason | undefined>((resolve) => {
      const done = (ended: EndReason | undefined): void => {
        this.#waiters.delete(wake);
        timer?.cancel();
        scope.onEnd = undefined;
        resolve(ended);
      };
      const wake = (): void => done(this.#closed ? "closed" : undefined);
      const timer = pauseMs === undefined ? undefined : this.#clock.after(pauseMs, () => done(undefined));
      this.#waiters.add(wake);
      scope.onEnd = done;
    });
    if (reason !== undefined) throw this.#endedWaiting(scope, reason);
  }

  #endedWaiting(scope: CallScope, reason: EndReason): GovernanceError {
    if (reason !== "deadline") return scope.endError(reason, "wait");
    return noEndpointError(scope, this.#directory, this.#pool.memberCount, this.#health.downCount);
  }

  #source(): string {
    return this.#directory.status?.().source ?? "the directory";
  }
}

function evidenceOf(outcome: AttemptOutcome): HealthEvidence {
  switch (outcome) {
    case "ok":
    case "rejected":
      return "answered";
    case "failed":
    case "timedOut":
      return "failed";
    case "connectionFailed":
      return "connectionFailed";
    case "aborted":
      return "nothing";
  }
}

/** Starts an attempt; one that throws at once rejects like any other. */
async function started<T>(attempt: Attempt<T>, endpoint: Endpoint, context: AttemptContext): Promise<T> {
  return attempt(endpoint, context);
}

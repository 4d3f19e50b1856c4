// SPDX-License-Identifier: Apache-2.0
// The words of governed calls: what callers give, and what they are told about attempts.
import type { Runtime } from "@meerkat/runtime";
import type { Balancer } from "../balancing/balancer.ts";
import type { EndpointPoolOptions } from "../balancing/endpoint-pool.ts";
import type { Directory } from "../directory.ts";
import type { Endpoint } from "../endpoint.ts";
import type { AttemptFailure } from "./attempt-failure.ts";
import type { AttemptContext } from "./call-scope.ts";
import type { EndpointHealthOptions } from "./endpoint-health.ts";
import type { RetryBudget, RetryBudgetOptions } from "./retry-budget.ts";

/** Performs one attempt against one endpoint. What it throws decides what follows; see `ServiceCaller`. */
export type Attempt<T> = (endpoint: Endpoint, context: AttemptContext) => Promise<T>;

/** How one attempt ended. */
export type AttemptOutcome =
  /** It returned. */
  | "ok"
  /** The server answered with an error: effect `applied`. */
  | "rejected"
  /** It failed otherwise, and the endpoint was reached. */
  | "failed"
  /** The connection was refused, lost or timed out: the endpoint counts as down. */
  | "connectionFailed"
  /** No answer in time. */
  | "timedOut"
  /** The caller lost interest. */
  | "aborted";

/** Told to `onAttempt` listeners when an attempt ends. */
export interface AttemptEvent {
  readonly endpoint: Endpoint;
  /** 1 for the first attempt of its call. */
  readonly attempt: number;
  readonly outcome: AttemptOutcome;
  readonly latencyMs: number;
  readonly error?: unknown;
}

/** One endpoint as a caller sees it. */
export interface EndpointReport {
  readonly endpoint: Endpoint;
  readonly down: boolean;
  readonly inFlight: number;
  /** Expected latency (peak EWMA), ms; 0 when never tried. */
  readonly latencyMs: number;
}

/** Options of a `ServiceCaller`. */
export interface ServiceCallerOptions {
  /** Where the endpoints come from. Not closed by the caller. */
  readonly directory: Directory;
  /** Default `peakEwmaBalancer`; `randomBalancer` chooses as the seed does. */
  readonly balancer?: Balancer | undefined;
  readonly runtime?: Partial<Runtime> | undefined;
  /** Time for a whole call, waiting and retries included, ms; default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** Time for one attempt, ms; default: the call's. Past it an idempotent call tries elsewhere. */
  readonly attemptTimeoutMs?: number | undefined;
  /** Retries of one call after it may have reached a server; default 3. Refused connections do not count. */
  readonly retriesMax?: number | undefined;
  /** Shared bound on those retries over all calls; give an instance to share it between callers. */
  readonly retryBudget?: RetryBudget | RetryBudgetOptions | undefined;
  /** Probing of endpoints that are down. */
  readonly health?: EndpointHealthOptions | undefined;
  readonly pool?: EndpointPoolOptions | undefined;
  /** Calls that may wait for an endpoint at once; default 10,000. */
  readonly waitingMax?: number | undefined;
}

/** Options of one call. */
export interface ServiceCallOptions {
  /** Default: that of the caller. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Whether executing it twice does no harm; default false. */
  readonly idempotent?: boolean | undefined;
  /** Hash key for balancers that keep equal keys together. */
  readonly key?: string | undefined;
}

/** The outcome that a failure amounts to. @internal */
export function attemptOutcome(failure: AttemptFailure): AttemptOutcome {
  if (failure.usage) return "aborted";
  if (failure.effect === "applied") return failure.connection ? "connectionFailed" : "rejected";
  return failure.connection ? "connectionFailed" : "failed";
}

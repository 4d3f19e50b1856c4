// SPDX-License-Identifier: Apache-2.0
// Everything that a call can end with beside its result. `effect` decides whether it may be tried again.
import { CodedError, type Effect } from "@meerkat/runtime";

/**
 * What went wrong, and the effect that goes with it:
 *
 * | code | effect | meaning |
 * |---|---|---|
 * | `INVALID_OPERATION` | applied | the handler refused: an error of the application |
 * | `INTERNAL` | applied | the handler failed; the reason is in the server's log only |
 * | `RESULT_OUT_OF_RANGE` | applied | the handler's result does not fit the declared type |
 * | `UNKNOWN_METHOD` | none | the server has no such method |
 * | `BAD_ARGUMENTS` | none | the server does not understand the arguments: the contracts differ |
 * | `CONNECT_FAILED`, `CONNECT_TIMEOUT` | none | no connection came about |
 * | `CONNECTION_LOST` | unknown once the request was written, else none | |
 * | `TIMEOUT`, `ABORTED` | unknown once the request was written, else none | |
 * | `PROTOCOL_ERROR` | unknown | the peer does not speak this wire |
 * | `QUEUE_FULL` | none | too many calls wait for a connection to this endpoint |
 * | `CLOSED` | none | the client is closed |
 * | `LISTEN_FAILED` | none | the server's address cannot be bound |
 */
export type RpcErrorCode =
  | "INVALID_OPERATION"
  | "INTERNAL"
  | "RESULT_OUT_OF_RANGE"
  | "UNKNOWN_METHOD"
  | "BAD_ARGUMENTS"
  | "CONNECT_FAILED"
  | "CONNECT_TIMEOUT"
  | "CONNECTION_LOST"
  | "TIMEOUT"
  | "ABORTED"
  | "PROTOCOL_ERROR"
  | "QUEUE_FULL"
  | "CLOSED"
  | "LISTEN_FAILED";

/** Where the time of one attempt went, in milliseconds. */
export interface CallTiming {
  /** Waiting for a free connection. */
  readonly queuedMs: number;
  /** Connecting. */
  readonly connectingMs: number;
  /** Between writing the request and the end. */
  readonly inFlightMs: number;
}

/** What an `RpcError` was about. */
export interface RpcErrorContext {
  readonly method?: string | undefined;
  /** `host:port` of the peer. */
  readonly endpoint?: string | undefined;
  /** True when the connection itself failed, so that other calls to this endpoint will fail too. */
  readonly connection?: boolean | undefined;
  readonly timing?: CallTiming | undefined;
}

/** What an `RpcError` is made of. */
export interface RpcErrorOptions {
  readonly code: RpcErrorCode;
  readonly effect: Effect;
  readonly context?: RpcErrorContext | undefined;
  readonly cause?: unknown;
}

/** Any failure of a call. Match on `code`. */
export class RpcError extends CodedError<RpcErrorCode, RpcErrorContext> {
  constructor(message: string, options: RpcErrorOptions) {
    super(message, {
      code: options.code,
      effect: options.effect,
      context: options.context ?? {},
      cause: options.cause,
    });
  }
}

/** True for an `RpcError` (with the given code, when one is given). */
export function isRpcError(value: unknown, code?: RpcErrorCode): value is RpcError {
  return value instanceof RpcError && (code === undefined || value.code === code);
}

/** Optional parts of an `InvalidOperation`. */
export interface InvalidOperationOptions {
  readonly context?: RpcErrorContext | undefined;
  readonly cause?: unknown;
}

/**
 * The handler refuses the call: the one error that the seed's wire knows, as text. A handler throws it and
 * the caller gets one with the same message. Extend it for errors of your own and declare them in the
 * contract (`errors: [DivisionByZero]`).
 */
export class InvalidOperation extends RpcError {
  constructor(message: string = "invalid operation", options: InvalidOperationOptions = {}) {
    super(message, { code: "INVALID_OPERATION", effect: "applied", ...options });
  }
}

/** A class of declared errors: `InvalidOperation` or a class derived from it. */
export type DeclaredErrorClass = new (
  message?: string,
  options?: InvalidOperationOptions,
) => InvalidOperation;

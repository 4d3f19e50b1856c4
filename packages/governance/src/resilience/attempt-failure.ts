// SPDX-License-Identifier: Apache-2.0
// What a thrown value says about the call and about the endpoint. The only place that looks inside the
// errors of an attempt.
import { type Effect, isCodedError } from "@meerkat/runtime";

/** The two things that matter about a failed attempt. */
export interface AttemptFailure {
  /** Whether the other side may have executed the call. */
  readonly effect: Effect;
  /** True when the connection to the endpoint is to blame: it counts as down. */
  readonly connection: boolean;
  /** True for a mistake of the caller: the same everywhere, so no other endpoint is tried. */
  readonly usage: boolean;
}

/** Errors of Node's sockets that end a connection. */
const CONNECTION_CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EHOSTDOWN",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EPIPE",
  "ETIMEDOUT",
]);

/**
 * Reads an error: a coded one by its `effect` and, where it has one, `context.connection`; without the
 * latter an effect of `none` means that the endpoint was not reached. A system error of Node counts as
 * never sent when it came from connecting or looking up. Anything else is `unknown`.
 */
export function attemptFailure(thrown: unknown): AttemptFailure {
  if (isCodedError(thrown)) {
    if (thrown.code === "INVALID_ARGUMENT") return { effect: "none", connection: false, usage: true };
    const stated = (thrown.context as { readonly connection?: unknown }).connection;
    const connection = typeof stated === "boolean" ? stated : thrown.effect === "none";
    return { effect: thrown.effect, connection, usage: false };
  }
  if (thrown instanceof Error) {
    const { code, syscall } = thrown as { readonly code?: unknown; readonly syscall?: unknown };
    if (typeof code === "string" && CONNECTION_CODES.has(code)) {
      const neverSent = syscall === "connect" || syscall === "getaddrinfo" || code === "ECONNREFUSED";
      return { effect: neverSent ? "none" : "unknown", connection: true, usage: false };
    }
  }
  return { effect: "unknown", connection: false, usage: false };
}

// SPDX-License-Identifier: Apache-2.0
// Every failure that governance itself reports. What an attempt threw is passed on unchanged.
import { CodedError, type CodedErrorOptions, type Effect, isCodedError } from "@meerkat/runtime";

/**
 * What went wrong:
 * - `NO_ENDPOINT`: nothing to call, or nothing that could be reached, until the deadline (effect none).
 * - `DEADLINE_EXCEEDED`: time ran out during an attempt (effect unknown) or before one (none).
 * - `ABORTED`: the caller's signal fired.
 * - `OVERLOADED`: too many calls already wait for an endpoint.
 * - `CLOSED`: the caller, directory or registration was closed.
 * - `CONFLICT`: the same instance is already registered here.
 * - `INVALID_INSTANCE`: an instance that cannot be registered as it is.
 * - `REGISTRATION_FAILED`: ZooKeeper refuses the registration for good (no permission, for one).
 * - `DIRECTORY_UNAVAILABLE`: no list could be read in time and none was kept from before.
 */
export type GovernanceErrorCode =
  | "NO_ENDPOINT"
  | "DEADLINE_EXCEEDED"
  | "ABORTED"
  | "OVERLOADED"
  | "CLOSED"
  | "CONFLICT"
  | "INVALID_INSTANCE"
  | "REGISTRATION_FAILED"
  | "DIRECTORY_UNAVAILABLE";

/** Where it happened, as far as that is known. */
export interface GovernanceErrorContext {
  /** The list that was asked: a root znode, or "static". */
  readonly source?: string | undefined;
  /** Endpoints known, and how many of them were down. */
  readonly known?: number | undefined;
  readonly down?: number | undefined;
  /** Age of the list in milliseconds. */
  readonly ageMs?: number | undefined;
  readonly attempts?: number | undefined;
  readonly path?: string | undefined;
}

/** An error of governance; match on `code`. */
export class GovernanceError extends CodedError<GovernanceErrorCode, GovernanceErrorContext> {
  constructor(
    message: string,
    options: Omit<CodedErrorOptions<GovernanceErrorCode, GovernanceErrorContext>, "effect" | "context"> & {
      readonly effect?: Effect;
      readonly context?: GovernanceErrorContext;
    },
  ) {
    super(message, { effect: "none", context: {}, ...options });
  }
}

/** True for a `GovernanceError`, with the given code if one is given; also across package copies. */
export function isGovernanceError(value: unknown, code?: GovernanceErrorCode): value is GovernanceError {
  return (
    isCodedError(value) && value.name === "GovernanceError" && (code === undefined || value.code === code)
  );
}

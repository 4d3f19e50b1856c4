// SPDX-License-Identifier: Apache-2.0
// Every failure that recipes report themselves. What a request failed with is passed on unchanged.
import { CodedError, type Effect, isCodedError } from "@meerkat/runtime";

/**
 * What went wrong:
 * - `TIMEOUT`: the time limit of the whole wait passed; nothing is left behind.
 * - `ABORTED`: the caller's signal fired; nothing is left behind.
 * - `LOST`: what was held can no longer be vouched for: session over or in doubt, or its znode deleted.
 * - `RELEASED`: used after its release.
 * - `CONFLICT`: others use the same path in another way, or the call does not fit what is held.
 * - `CLOSED`: the recipe was closed.
 * - `LIMIT`: more than a limit of the recipe allows.
 */
export type RecipeErrorCode = "TIMEOUT" | "ABORTED" | "LOST" | "RELEASED" | "CONFLICT" | "CLOSED" | "LIMIT";

/** Circumstances of a `RecipeError`. */
export interface RecipeErrorContext {
  /** Root of the recipe, or the znode concerned. */
  readonly path?: string | undefined;
  /** Why something was lost. */
  readonly reason?: "session" | "suspended" | "deleted" | undefined;
  /** The limit that passed. */
  readonly timeoutMs?: number | undefined;
}

/** An error of recipes; match on `code`. */
export class RecipeError extends CodedError<RecipeErrorCode, RecipeErrorContext> {
  constructor(
    code: RecipeErrorCode,
    message: string,
    options: {
      readonly effect?: Effect | undefined;
      readonly context?: RecipeErrorContext | undefined;
      readonly cause?: unknown;
    } = {},
  ) {
    super(`${message} (${code})`, {
      code,
      effect: options.effect ?? "none",
      context: options.context ?? {},
      cause: options.cause,
    });
  }
}

/** True for a `RecipeError`, with the given code if one is given; also across package copies. */
export function isRecipeError(value: unknown, code?: RecipeErrorCode): value is RecipeError {
  return isCodedError(value) && value.name === "RecipeError" && (code === undefined || value.code === code);
}

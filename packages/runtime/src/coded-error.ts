// SPDX-License-Identifier: Apache-2.0
// The root of every error that Meerkat throws. Users match on `code`; retry decisions look at `effect`
// alone.

/**
 * Whether the other side may have executed the request:
 * `none` surely not, so any retry is safe; `applied` surely yes (or it answered with a verdict);
 * `unknown` the reply was lost, so only an idempotent request may be sent again.
 */
export type Effect = "none" | "unknown" | "applied";

/** Brand that makes `isCodedError` agree across several installed copies of this package. */
const brand: unique symbol = Symbol.for("meerkat.coded-error") as never;

/** Everything a coded error carries beside its message. */
export interface CodedErrorOptions<Code extends string, Context extends object> {
  readonly code: Code;
  readonly effect: Effect;
  readonly context: Context;
  readonly cause?: unknown;
}

/** Base class; each domain (client, governance, rpc) has one subclass with its own codes. */
export class CodedError<Code extends string = string, Context extends object = object> extends Error {
  readonly code: Code;
  readonly effect: Effect;
  readonly context: Context;

  constructor(message: string, options: CodedErrorOptions<Code, Context>) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = options.code;
    this.effect = options.effect;
    this.context = options.context;
    Object.defineProperty(this, brand, { value: true });
  }
}

/** True for any error of Meerkat, also one made by another copy of this package. */
export function isCodedError(value: unknown): value is CodedError {
  return typeof value === "object" && value !== null && (value as { [brand]?: unknown })[brand] === true;
}

/** A caller's mistake: a wrong option, path or argument. Nothing was sent. */
export class InvalidArgumentError extends CodedError<"INVALID_ARGUMENT", { readonly argument: string }> {
  /** `argument` names what was wrong; `message` says what was found and what is expected. */
  constructor(argument: string, message: string) {
    super(message, { code: "INVALID_ARGUMENT", effect: "none", context: { argument } });
  }
}

/** Turns whatever was thrown into an `Error`, keeping errors as they are. */
export function errorFrom(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
}

// SPDX-License-Identifier: Apache-2.0
// A service is defined once, as a value. The types of its handlers and of its client follow by inference.
import { InvalidArgumentError } from "@meerkat/runtime";
import type { DeclaredErrorClass } from "./errors.ts";
import type { ValueType } from "./value-type.ts";

/** Whether a caller must pass an argument, and what a handler sees when it does not. */
export type ArgumentPresence = "required" | "defaulted" | "optional";

/** One argument: its number on the wire, its type, and whether it may be left out. */
export interface ArgumentDefinition<T = unknown, P extends ArgumentPresence = ArgumentPresence> {
  /** Identifies the argument on the wire, 1 to 255. Names may change, numbers must not. */
  readonly seq: number;
  readonly type: ValueType<T>;
  readonly presence: P;
  /** What the handler sees when the caller leaves a `defaulted` argument out. */
  readonly default: T | undefined;
}

/** A required argument: `arg(1, i32)`. */
export function arg<T>(seq: number, type: ValueType<T>): ArgumentDefinition<T, "required">;
/** An argument with a default: `arg(2, i32, { default: 1 })`. Equal to its default, it is not sent. */
export function arg<T>(
  seq: number,
  type: ValueType<T>,
  options: { readonly default: T },
): ArgumentDefinition<T, "defaulted">;
/** An argument that handlers see as `undefined` when it is left out. */
export function arg<T>(
  seq: number,
  type: ValueType<T>,
  options: { readonly optional: true },
): ArgumentDefinition<T, "optional">;
export function arg<T>(
  seq: number,
  type: ValueType<T>,
  options: { readonly default?: T; readonly optional?: true } = {},
): ArgumentDefinition<T> {
  const presence = "default" in options ? "defaulted" : options.optional === true ? "optional" : "required";
  return { seq, type, presence, default: options.default };
}

/** The arguments of one method, by name. */
export type ArgumentDefinitions = Readonly<Record<string, ArgumentDefinition>>;

/** One method as it is written in `defineService`. */
export interface MethodDefinition {
  readonly args: ArgumentDefinitions;
  readonly result: ValueType<unknown>;
  /**
   * Errors that cross the wire with their message; any other arrives as `INTERNAL`. Callers get an instance
   * of the first class listed, because the seed's wire carries only the text. `InvalidOperation` itself
   * always crosses.
   */
  readonly errors?: readonly DeclaredErrorClass[] | undefined;
  /** Calling it twice does no more than calling it once, so a lost reply may be asked for again. Default false. */
  readonly idempotent?: boolean | undefined;
}

/** The methods of a service, by name. */
export type MethodDefinitions = Readonly<Record<string, MethodDefinition>>;

/** An argument together with its name. */
export interface ArgumentContract extends ArgumentDefinition {
  readonly name: string;
}

/** A method, checked and ready for codecs. */
export interface MethodContract {
  readonly name: string;
  readonly args: readonly ArgumentContract[];
  /** The argument with number `seq` at index `seq`. */
  readonly argsBySeq: readonly (ArgumentContract | undefined)[];
  readonly result: ValueType<unknown>;
  readonly errors: readonly DeclaredErrorClass[];
  readonly idempotent: boolean;
  /** True when the seed's Python peers can take part: `i32` arguments and an `f32` result. */
  readonly seedCompatible: boolean;
}

/** A defined service. `M` carries the types; `methods` is for codecs. */
export interface ServiceContract<M extends MethodDefinitions = MethodDefinitions> {
  readonly name: string;
  readonly definitions: M;
  readonly methods: readonly MethodContract[];
}

type Simplify<T> = { [K in keyof T]: T[K] } & {};
type NamesWith<A extends ArgumentDefinitions, P extends ArgumentPresence> = {
  [K in keyof A]: A[K]["presence"] extends P ? K : never;
}[keyof A];
type ValueOf<D> = D extends ArgumentDefinition<infer T> ? T : never;

/** What a caller passes: required arguments, and others if it likes. */
export type CallArguments<D extends MethodDefinition> = Simplify<
  { readonly [K in NamesWith<D["args"], "required">]: ValueOf<D["args"][K]> } & {
    readonly [K in NamesWith<D["args"], "defaulted" | "optional">]?: ValueOf<D["args"][K]> | undefined;
  }
>;

/** What a handler gets: defaults are filled in. */
export type HandlerArguments<D extends MethodDefinition> = Simplify<
  { readonly [K in NamesWith<D["args"], "required" | "defaulted">]: ValueOf<D["args"][K]> } & {
    readonly [K in NamesWith<D["args"], "optional">]?: ValueOf<D["args"][K]> | undefined;
  }
>;

/** What a method returns. */
export type ResultOf<D extends MethodDefinition> = D["result"] extends ValueType<infer T> ? T : never;

/** Method names are sent as they are, so they are kept to what every language can write. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,254}$/;

/** Names that a client object or a promise has already. */
const RESERVED: ReadonlySet<string> = new Set([
  "close",
  "destroy",
  "onAttempt",
  "stats",
  "then",
  "constructor",
  "__proto__",
]);

/**
 * Defines a service. Throws `InvalidArgumentError` when a name or a number cannot be used, which is a
 * mistake in the program.
 */
export function defineService<const M extends MethodDefinitions>(
  name: string,
  methods: M,
): ServiceContract<M> {
  if (name === "") throw new InvalidArgumentError("name", "a service needs a name");
  const contracts = Object.entries(methods).map(([method, definition]) => methodContract(method, definition));
  return { name, definitions: methods, methods: contracts };
}

function methodContract(name: string, definition: MethodDefinition): MethodContract {
  if (!NAME.test(name) || RESERVED.has(name)) {
    throw new InvalidArgumentError(
      "methods",
      `"${name}" cannot be a method's name: use letters, digits and _, and none of ${[...RESERVED].join(", ")}`,
    );
  }
  const args = Object.entries(definition.args).map(([argument, entry]) => ({ ...entry, name: argument }));
  const argsBySeq: (ArgumentContract | undefined)[] = [];
  for (const argument of args) {
    checkArgument(name, argument);
    const other = argsBySeq[argument.seq];
    if (other !== undefined) {
      throw new InvalidArgumentError(
        "args",
        `${other.name} and ${argument.name} of ${name} have the same number ${argument.seq}`,
      );
    }
    while (argsBySeq.length <= argument.seq) argsBySeq.push(undefined);
    argsBySeq[argument.seq] = argument;
  }
  return {
    name,
    args,
    argsBySeq,
    result: definition.result,
    errors: definition.errors ?? [],
    idempotent: definition.idempotent ?? false,
    seedCompatible: definition.result.name === "f32" && args.every(({ type }) => type.name === "i32"),
  };
}

function checkArgument(method: string, argument: ArgumentContract): void {
  const { name, seq, type, presence } = argument;
  if (!NAME.test(name) || name === "__proto__") {
    throw new InvalidArgumentError("args", `"${name}" cannot be the name of an argument of ${method}`);
  }
  if (!Number.isInteger(seq) || seq < 1 || seq > 255) {
    throw new InvalidArgumentError("args", `the number ${seq} of ${name} of ${method} is not 1 to 255`);
  }
  const problem = presence === "defaulted" ? type.problem(argument.default) : undefined;
  if (problem !== undefined) {
    throw new InvalidArgumentError("args", `the default of ${name} of ${method}: ${problem}`);
  }
}

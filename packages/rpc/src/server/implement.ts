// SPDX-License-Identifier: Apache-2.0
// Joins a contract and the functions that carry it out.
import { InvalidArgumentError } from "@meerkat/runtime";
import type {
  HandlerArguments,
  MethodContract,
  MethodDefinition,
  MethodDefinitions,
  ResultOf,
  ServiceContract,
} from "../contract.ts";

/** What a handler may want to know about the call it serves. */
export interface CallContext {
  readonly service: string;
  readonly method: string;
  /** The wire the call came over: `seed`. */
  readonly wire: string;
  /** The client's address. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Fires when nobody waits for the result any more: the client went away, or the server is destroyed. */
  readonly signal: AbortSignal;
}

/** The function behind one method. Throw `InvalidOperation` to refuse. */
export type Handler<D extends MethodDefinition> = (
  args: HandlerArguments<D>,
  context: CallContext,
) => ResultOf<D> | Promise<ResultOf<D>>;

/** A function for every method of a service. */
export type Handlers<M extends MethodDefinitions> = { readonly [K in keyof M]: Handler<M[K]> };

/** A handler once the types are checked and gone. */
export type ErasedHandler = (args: object, context: CallContext) => unknown;

/** One method ready to be served. */
export interface BoundMethod {
  readonly service: string;
  readonly contract: MethodContract;
  readonly handler: ErasedHandler;
}

/** A service ready for `RpcServer.listen`. */
export interface ServiceImplementation {
  readonly name: string;
  readonly methods: readonly BoundMethod[];
}

/**
 * `implement(Divide, { divide: ({ num1, num2 }) => num1 / num2 })`. Handlers are called as methods of the
 * object given, so it may be an instance of a class. Throws `InvalidArgumentError` when one is missing.
 */
export function implement<M extends MethodDefinitions>(
  contract: ServiceContract<M>,
  handlers: Handlers<M>,
): ServiceImplementation {
  const functions = handlers as Readonly<Record<string, ErasedHandler | undefined>>;
  const methods = contract.methods.map((method): BoundMethod => {
    const handler = functions[method.name];
    if (typeof handler !== "function") {
      throw new InvalidArgumentError(
        "handlers",
        `the service ${contract.name} needs a handler ${method.name}`,
      );
    }
    return { service: contract.name, contract: method, handler: handler.bind(handlers) };
  });
  return { name: contract.name, methods };
}

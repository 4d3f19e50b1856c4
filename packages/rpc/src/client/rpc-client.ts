// SPDX-License-Identifier: Apache-2.0
// The client of a contract: a method for every method, over governance and the connection pool.
import {
  type AttemptEvent,
  connectProbe,
  type EndpointReport,
  randomBalancer,
  ServiceCaller,
} from "@meerkat/governance";
import { resolveRuntime } from "@meerkat/runtime";
import { ByteWriter } from "../bytes/byte-writer.ts";
import type {
  CallArguments,
  MethodContract,
  MethodDefinition,
  MethodDefinitions,
  ResultOf,
  ServiceContract,
} from "../contract.ts";
import { RpcError } from "../errors.ts";
import { type ArgumentValues, writeRequest } from "../protocol/seed/arguments.ts";
import { ConnectionPool, type ConnectionPoolStats } from "./connection-pool.ts";
import { GovernedCall } from "./governed-call.ts";
import { type RpcClientOptions, resolveConnectionSettings } from "./options.ts";

/** Options of one call. */
export interface RpcCallOptions {
  /** Time for the whole call, waiting and retries included. Default: the client's, else 10,000. */
  readonly timeoutMs?: number | undefined;
  /** Ends the call; its connection is destroyed, since the seed's wire cannot cancel. */
  readonly signal?: AbortSignal | undefined;
  /** Hash key for balancers that keep equal keys together. */
  readonly key?: string | undefined;
}

/** What every client has beside its methods. */
export interface RpcClientControl extends AsyncDisposable {
  /** Adds a listener of ended attempts; the returned function removes it. */
  onAttempt(listener: (event: AttemptEvent) => void): () => void;
  /** Connections and endpoints as they stand now. */
  stats(): ConnectionPoolStats & { readonly endpoints: readonly EndpointReport[] };
  /** Refuses new calls, waits for those in progress, closes the connections. The directory stays open. */
  close(): Promise<void>;
  /** Like `close`, but calls in progress reject with `CLOSED`. */
  destroy(): void;
}

/** How one method is called; without a required argument they may be left out altogether. */
export type ClientMethod<D extends MethodDefinition> =
  Record<never, never> extends CallArguments<D>
    ? (args?: CallArguments<D>, options?: RpcCallOptions) => Promise<ResultOf<D>>
    : (args: CallArguments<D>, options?: RpcCallOptions) => Promise<ResultOf<D>>;

/** The client of a service. */
export type RpcClient<M extends MethodDefinitions> = RpcClientControl & {
  readonly [K in keyof M]: ClientMethod<M[K]>;
};

/**
 * Makes the client of a service whose endpoints come from `options.directory`.
 *
 * A call goes to a random live endpoint. What happens when it fails depends on the error's `effect` alone:
 * with `none` (nobody accepted the connection) another endpoint is tried; with `unknown` (the connection
 * broke before the reply) only if the contract says `idempotent`; with `applied` (the server answered) the
 * call rejects. While no endpoint is known it waits, at most until `timeoutMs`.
 *
 * Calls reject with `RpcError` (see `RpcErrorCode`), with the contract's declared errors, with
 * `GovernanceError` `NO_ENDPOINT` or `OVERLOADED`, and with `INVALID_ARGUMENT` before anything is sent.
 * Throws `INVALID_ARGUMENT` for wrong options.
 */
export function createRpcClient<M extends MethodDefinitions>(
  contract: ServiceContract<M>,
  options: RpcClientOptions,
): RpcClient<M> {
  const core = new ClientCore(options);
  const client: Record<string | symbol, unknown> = {
    onAttempt: (listener: (event: AttemptEvent) => void) => core.caller.onAttempt(listener),
    stats: () => core.stats(),
    close: () => core.close(),
    destroy: () => core.destroy(),
    [Symbol.asyncDispose]: () => core.close(),
  };
  for (const method of contract.methods) {
    client[method.name] = (args?: ArgumentValues, callOptions?: RpcCallOptions) =>
      core.call(method, args ?? {}, callOptions ?? {});
  }
  return client as RpcClient<M>;
}

/** What the methods of one client share. */
class ClientCore {
  readonly caller: ServiceCaller;
  readonly #pool: ConnectionPool;
  readonly #writer = new ByteWriter();
  readonly #unsubscribe: () => void;
  #closed = false;

  constructor(options: RpcClientOptions) {
    const runtime = resolveRuntime(options.runtime);
    this.#pool = new ConnectionPool(runtime, resolveConnectionSettings(options));
    this.caller = new ServiceCaller({
      ...options,
      runtime,
      balancer: options.balancer ?? randomBalancer(runtime.random),
      health: { probe: connectProbe(runtime.net), ...options.health },
    });
    this.#unsubscribe = options.directory.onChange((set) => this.#pool.retain(set));
  }

  async call(method: MethodContract, args: ArgumentValues, options: RpcCallOptions): Promise<unknown> {
    if (this.#closed) {
      const context = { method: method.name, connection: false };
      throw new RpcError("the client is closed", { code: "CLOSED", effect: "none", context });
    }
    writeRequest(this.#writer, method, args);
    const call = new GovernedCall(this.#pool, method, this.#writer.take());
    try {
      return await this.caller.call(call.attempt, { ...options, idempotent: method.idempotent });
    } catch (error) {
      throw call.failure(error);
    }
  }

  stats(): ConnectionPoolStats & { readonly endpoints: readonly EndpointReport[] } {
    return { ...this.#pool.stats, endpoints: this.caller.endpoints() };
  }

  async close(): Promise<void> {
    this.#shut();
    await this.caller.close();
    this.#pool.destroy();
  }

  destroy(): void {
    this.#shut();
    this.caller.destroy();
    this.#pool.destroy();
  }

  #shut(): void {
    this.#closed = true;
    this.#unsubscribe();
  }
}

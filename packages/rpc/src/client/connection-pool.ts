// SPDX-License-Identifier: Apache-2.0
// The connections of a client, endpoint by endpoint.
import { type EndpointSet, endpointKey } from "@meerkat/governance";
import type { Runtime, Timer } from "@meerkat/runtime";
import type { MethodContract } from "../contract.ts";
import { RpcError } from "../errors.ts";
import { EndpointConnections, type EndpointOwner } from "./endpoint-connections.ts";
import type { ConnectionSettings } from "./options.ts";
import type { PooledCall } from "./pooled-call.ts";

/** What a client has open. */
export interface ConnectionPoolStats {
  /** Connections, those being made included. */
  readonly connections: number;
  /** Of these, how many carry no call. */
  readonly free: number;
  /** Calls that wait for a connection. */
  readonly waiting: number;
}

/** Keeps connections to every endpoint in use and closes those that are not. */
export class ConnectionPool {
  readonly #owner: EndpointOwner;
  readonly #endpoints = new Map<string, EndpointConnections>();
  /** Left the list, but still with calls in progress. */
  readonly #retired = new Set<EndpointConnections>();
  #idleTimer: Timer | undefined;

  constructor(runtime: Runtime, settings: ConnectionSettings) {
    this.#owner = {
      runtime,
      settings,
      onFree: () => this.#armIdleTimer(),
      onEmpty: (endpoint) => {
        this.#retired.delete(endpoint);
      },
    };
  }

  /** Starts a call at an endpoint. Never throws. */
  call(
    target: { readonly host: string; readonly port: number },
    method: MethodContract,
    request: Buffer,
  ): PooledCall {
    const key = endpointKey(target);
    let endpoint = this.#endpoints.get(key);
    if (endpoint === undefined) {
      endpoint = new EndpointConnections(key, target, this.#owner);
      this.#endpoints.set(key, endpoint);
    }
    return endpoint.call(method, request);
  }

  /** Lets go of endpoints that are not in the set. Their calls in progress go on. */
  retain(set: EndpointSet): void {
    const keys = new Set(set.endpoints.map(endpointKey));
    for (const [key, endpoint] of this.#endpoints) {
      if (keys.has(key)) continue;
      this.#endpoints.delete(key);
      this.#retired.add(endpoint);
      endpoint.retire();
    }
  }

  get stats(): ConnectionPoolStats {
    let connections = 0;
    let free = 0;
    let waiting = 0;
    for (const endpoint of [...this.#endpoints.values(), ...this.#retired]) {
      connections += endpoint.size;
      free += endpoint.free;
      waiting += endpoint.waiting;
    }
    return { connections, free, waiting };
  }

  /** Closes every connection. Calls in progress reject with `CLOSED`. */
  destroy(): void {
    this.#idleTimer?.cancel();
    this.#idleTimer = undefined;
    const closed = (effect: "none" | "unknown"): RpcError =>
      new RpcError("the client was destroyed", { code: "CLOSED", effect, context: { connection: false } });
    for (const endpoint of [...this.#endpoints.values(), ...this.#retired]) endpoint.destroy(closed);
    this.#endpoints.clear();
    this.#retired.clear();
  }

  /** One timer for all connections, and none when no connection is free. */
  #armIdleTimer(): void {
    if (this.#idleTimer !== undefined) return;
    const { runtime, settings } = this.#owner;
    const { idleTimeoutMs } = settings;
    this.#idleTimer = runtime.clock.after(Math.max(idleTimeoutMs / 2, 1), () => {
      this.#idleTimer = undefined;
      const beforeMs = runtime.clock.nowMs() - idleTimeoutMs;
      let free = 0;
      for (const endpoint of this.#endpoints.values()) {
        endpoint.closeIdle(beforeMs);
        free += endpoint.free;
      }
      if (free > 0) this.#armIdleTimer();
    });
  }
}

// SPDX-License-Identifier: Apache-2.0
// The connections to one endpoint.
import type { Runtime } from "@meerkat/runtime";
import type { MethodContract } from "../contract.ts";
import { RpcError } from "../errors.ts";
import type { ConnectionSettings } from "./options.ts";
import { PooledCall } from "./pooled-call.ts";
import { type ConnectionPool, SeedConnection } from "./seed-connection.ts";

/** What the connections to one endpoint tell the pool of all endpoints. */
export interface EndpointOwner {
  readonly runtime: Runtime;
  readonly settings: ConnectionSettings;
  /** A connection became free. */
  onFree(): void;
  /** The last connection of a retired endpoint is gone. */
  onEmpty(endpoint: EndpointConnections): void;
}

/**
 * Lends each connection to one call at a time. Free connections are used last in, first out, so that in
 * quiet times the rest grows idle and is closed. Calls that find none wait first in, first out.
 */
export class EndpointConnections implements ConnectionPool {
  readonly key: string;
  readonly #owner: EndpointOwner;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #all = new Set<SeedConnection>();
  readonly #free: SeedConnection[] = [];
  readonly #waiting = new Set<PooledCall>();
  #retired = false;

  constructor(key: string, target: { readonly host: string; readonly port: number }, owner: EndpointOwner) {
    this.key = key;
    this.#target = target;
    this.#owner = owner;
  }

  get size(): number {
    return this.#all.size;
  }
  get free(): number {
    return this.#free.length;
  }
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Starts a call. Never throws: a refusal is a rejected call. */
  call(method: MethodContract, request: Buffer): PooledCall {
    const { runtime, settings } = this.#owner;
    const call = new PooledCall(method, request, this.key, runtime.clock);
    const connection = this.#free.pop();
    if (connection !== undefined) {
      connection.send(call);
    } else if (this.#all.size < settings.connectionsPerEndpointMax) {
      this.#connect(call);
    } else if (this.#waiting.size < settings.waitingPerEndpointMax) {
      call.owner = this;
      this.#waiting.add(call);
    } else {
      const context = { method: method.name, endpoint: this.key, connection: false };
      const message = `${this.#waiting.size} calls already wait for a connection to ${this.key}`;
      call.reject(new RpcError(message, { code: "QUEUE_FULL", effect: "none", context }));
    }
    return call;
  }

  /** A waiting call was cancelled. */
  abandon(call: PooledCall): void {
    this.#waiting.delete(call);
  }

  onFree(connection: SeedConnection): void {
    const next = this.#takeWaiting();
    if (next !== undefined) {
      connection.send(next);
    } else if (this.#retired || this.#owner.settings.idleTimeoutMs === 0) {
      connection.destroy();
    } else {
      connection.freeSinceMs = this.#owner.runtime.clock.nowMs();
      this.#free.push(connection);
      this.#owner.onFree();
    }
  }

  onGone(connection: SeedConnection): void {
    this.#all.delete(connection);
    const index = this.#free.indexOf(connection);
    if (index >= 0) this.#free.splice(index, 1);
    const next = this.#takeWaiting();
    if (next !== undefined) this.#connect(next);
    else if (this.#retired && this.#all.size === 0) this.#owner.onEmpty(this);
  }

  /** Takes no part in new calls: closes free connections now and the others after their call. */
  retire(): void {
    this.#retired = true;
    for (const connection of [...this.#free]) connection.destroy();
    if (this.#all.size === 0) this.#owner.onEmpty(this);
  }

  /** Closes connections that have been free since before `beforeMs`. */
  closeIdle(beforeMs: number): void {
    while (this.#free[0] !== undefined && this.#free[0].freeSinceMs <= beforeMs) this.#free[0].destroy();
  }

  /** Closes everything; each call ends with the error for its effect. */
  destroy(error: (effect: "none" | "unknown") => RpcError): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const call of waiting) call.reject(error("none"));
    for (const connection of [...this.#all]) {
      connection.fail(error(connection.connected ? "unknown" : "none"));
    }
  }

  /** The call that has waited longest. */
  #takeWaiting(): PooledCall | undefined {
    for (const call of this.#waiting) {
      this.#waiting.delete(call);
      return call;
    }
    return undefined;
  }

  #connect(call: PooledCall): void {
    const { runtime, settings } = this.#owner;
    this.#all.add(new SeedConnection(this, this.#target, call, { runtime, settings }));
  }
}

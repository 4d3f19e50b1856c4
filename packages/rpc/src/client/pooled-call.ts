// SPDX-License-Identifier: Apache-2.0
import { type Clock, type Deferred, deferred } from "@meerkat/runtime";
import type { MethodContract } from "../contract.ts";
import type { CallTiming } from "../errors.ts";

/** One call to one endpoint, from the wait for a connection to the reply. */
export class PooledCall {
  readonly method: MethodContract;
  /** The encoded request. */
  readonly request: Buffer;
  /** `host:port`. */
  readonly endpoint: string;
  readonly #clock: Clock;
  readonly #outcome: Deferred<unknown> = deferred();
  readonly #startedMs: number;
  #connectingMs: number | undefined;
  #writtenMs: number | undefined;
  #settled = false;
  /** Ends whatever is going on for this call; set by whoever has it at the moment. */
  owner: { abandon(call: PooledCall): void } | undefined;

  constructor(method: MethodContract, request: Buffer, endpoint: string, clock: Clock) {
    this.method = method;
    this.request = request;
    this.endpoint = endpoint;
    this.#clock = clock;
    this.#startedMs = clock.nowMs();
  }

  get promise(): Promise<unknown> {
    return this.#outcome.promise;
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** True once the server may have seen the request. */
  get written(): boolean {
    return this.#writtenMs !== undefined;
  }

  connecting(): void {
    this.#connectingMs = this.#clock.nowMs();
  }

  writing(): void {
    this.#writtenMs = this.#clock.nowMs();
  }

  resolve(value: unknown): void {
    this.#settled = true;
    this.#outcome.resolve(value);
  }

  reject(error: Error): void {
    this.#settled = true;
    this.#outcome.reject(error);
  }

  /** Gives up: a connection that is busy with the call is destroyed, since the wire cannot cancel. */
  cancel(error: Error): void {
    if (this.#settled) return;
    this.reject(error);
    this.owner?.abandon(this);
  }

  /** Where the time has gone so far. */
  timing(): CallTiming {
    const nowMs = this.#clock.nowMs();
    const writtenMs = this.#writtenMs ?? nowMs;
    const connectingMs = this.#connectingMs ?? writtenMs;
    return {
      queuedMs: connectingMs - this.#startedMs,
      connectingMs: writtenMs - connectingMs,
      inFlightMs: nowMs - writtenMs,
    };
  }
}

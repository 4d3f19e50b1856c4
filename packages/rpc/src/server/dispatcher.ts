// SPDX-License-Identifier: Apache-2.0
// What all connections of a server share: the methods, the slots for running handlers, the counters.
import { InvalidArgumentError, type Logger } from "@meerkat/runtime";
import { InvalidOperation } from "../errors.ts";
import type { BoundMethod, ServiceImplementation } from "./implement.ts";
import type { RpcServerStats } from "./stats.ts";

/** Someone waiting for a slot. */
export interface SlotWaiter {
  /** A slot was taken on the waiter's behalf; it must `leave` in the end. */
  onSlot(): void;
}

/** Finds methods and bounds how many handlers run at a time. Knows neither sockets nor wires. */
export class Dispatcher {
  readonly stats: RpcServerStats;
  readonly #logger: Logger;
  readonly #inFlightMax: number;
  readonly #methods = new Map<string, BoundMethod>();
  /** First in, first out; a set, so that one that goes away leaves no trace. */
  readonly #waiting = new Set<SlotWaiter>();
  #handingOut = false;

  constructor(options: {
    readonly services: readonly ServiceImplementation[];
    readonly inFlightMax: number;
    readonly stats: RpcServerStats;
    readonly logger: Logger;
  }) {
    this.stats = options.stats;
    this.#logger = options.logger;
    this.#inFlightMax = options.inFlightMax;
    for (const method of options.services.flatMap((service) => service.methods)) {
      const { name } = method.contract;
      const other = this.#methods.get(name);
      if (other !== undefined) {
        throw new InvalidArgumentError(
          "services",
          `${other.service} and ${method.service} both have a method ${name}; the wire cannot tell them apart`,
        );
      }
      this.#methods.set(name, method);
    }
  }

  find(method: string): BoundMethod | undefined {
    return this.#methods.get(method);
  }

  /** Takes a slot, or queues the waiter and returns false. */
  enter(waiter: SlotWaiter): boolean {
    if (this.stats.inFlight < this.#inFlightMax) {
      this.stats.inFlight++;
      return true;
    }
    this.#waiting.add(waiter);
    return false;
  }

  /** The waiter needs no slot any more. */
  forget(waiter: SlotWaiter): void {
    this.#waiting.delete(waiter);
  }

  /** Gives a slot back. The longest waiting one gets it. */
  leave(): void {
    this.stats.inFlight--;
    // A waiter may finish at once and come back here: the outer loop goes on, the stack does not grow.
    if (this.#handingOut) return;
    this.#handingOut = true;
    for (const waiter of this.#waiting) {
      if (this.stats.inFlight >= this.#inFlightMax) break;
      this.#waiting.delete(waiter);
      this.stats.inFlight++;
      waiter.onSlot();
    }
    this.#handingOut = false;
  }

  /**
   * Counts what a handler threw. The message to reply for an error that may cross the wire; undefined for
   * any other, which only the log gets to see.
   */
  declaredMessage(method: BoundMethod, thrown: unknown): string | undefined {
    if (
      thrown instanceof InvalidOperation ||
      method.contract.errors.some((declared) => thrown instanceof declared)
    ) {
      this.stats.declaredErrors++;
      return (thrown as Error).message;
    }
    this.handlerFailed(method, thrown);
    return undefined;
  }

  /** Counts and logs a handler that failed. */
  handlerFailed(method: BoundMethod, error: unknown): void {
    this.stats.internalErrors++;
    this.#logger.error(
      { service: method.service, method: method.contract.name, err: error },
      "handler failed",
    );
  }
}

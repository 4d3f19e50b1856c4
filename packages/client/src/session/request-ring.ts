// SPDX-License-Identifier: Apache-2.0
import type { Request } from "./request.ts";

/**
 * A first-in-first-out queue over an array whose length is a power of two. Replies come in the order of
 * the requests, so matching one is reading the head: no map, no search (`bench client`).
 */
export class RequestRing {
  #slots: (Request | undefined)[] = new Array<Request | undefined>(64).fill(undefined);
  #head = 0;
  #size = 0;

  /** Number of requests held. */
  get size(): number {
    return this.#size;
  }

  /** Appends. */
  push(request: Request): void {
    if (this.#size === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.#size) & (this.#slots.length - 1)] = request;
    this.#size++;
  }

  /** The oldest, left in place. */
  peek(): Request | undefined {
    return this.#slots[this.#head];
  }

  /** Takes the oldest. */
  shift(): Request | undefined {
    const request = this.#slots[this.#head];
    if (request === undefined) return undefined;
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.#size--;
    return request;
  }

  /** The request at `index`, counted from the oldest. */
  at(index: number): Request | undefined {
    return index < this.#size ? this.#slots[(this.#head + index) & (this.#slots.length - 1)] : undefined;
  }

  /** Takes all, oldest first. */
  drain(): Request[] {
    const requests: Request[] = [];
    for (let request = this.shift(); request !== undefined; request = this.shift()) requests.push(request);
    return requests;
  }

  #grow(): void {
    const capacity = this.#slots.length;
    const slots = new Array<Request | undefined>(capacity * 2).fill(undefined);
    for (let index = 0; index < this.#size; index++) {
      slots[index] = this.#slots[(this.#head + index) & (capacity - 1)];
    }
    this.#slots = slots;
    this.#head = 0;
  }
}

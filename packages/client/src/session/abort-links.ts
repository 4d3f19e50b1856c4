// SPDX-License-Identifier: Apache-2.0
import type { Request } from "./request.ts";

/**
 * The requests that each abort signal may give up. One listener per signal, however many requests share
 * it: a listener each would cost more than the request, and set off Node's warning about leaks at eleven.
 */
export class AbortLinks {
  readonly #onAbort: (request: Request, signal: AbortSignal) => void;
  readonly #links = new Map<
    AbortSignal,
    { readonly requests: Set<Request>; readonly listener: () => void }
  >();

  /** `onAbort` is called for every linked request of a signal that aborts. It unlinks them. */
  constructor(onAbort: (request: Request, signal: AbortSignal) => void) {
    this.#onAbort = onAbort;
  }

  /** Number of signals listened to. */
  get size(): number {
    return this.#links.size;
  }

  /** Links a request; the signal has not aborted yet. */
  add(request: Request, signal: AbortSignal): void {
    let link = this.#links.get(signal);
    if (link === undefined) {
      const requests = new Set<Request>();
      const listener = (): void => {
        for (const each of [...requests]) this.#onAbort(each, signal);
      };
      link = { requests, listener };
      this.#links.set(signal, link);
      signal.addEventListener("abort", listener);
    }
    link.requests.add(request);
  }

  /** Unlinks a request; the last one takes the listener along. */
  remove(request: Request, signal: AbortSignal): void {
    const link = this.#links.get(signal);
    if (link === undefined || !link.requests.delete(request) || link.requests.size > 0) return;
    this.#links.delete(signal);
    signal.removeEventListener("abort", link.listener);
  }
}

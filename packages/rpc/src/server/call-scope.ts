// SPDX-License-Identifier: Apache-2.0
import type { Socket } from "@meerkat/runtime";
import type { BoundMethod, CallContext } from "./implement.ts";

/** The context of one call. The signal is made only for handlers that look at it: most never do. */
export class CallScope implements CallContext {
  readonly #method: BoundMethod;
  readonly #socket: Socket;
  readonly wire: string;
  #controller: AbortController | undefined;
  #abandoned: Error | undefined;

  constructor(method: BoundMethod, socket: Socket, wire: string) {
    this.#method = method;
    this.#socket = socket;
    this.wire = wire;
  }

  get service(): string {
    return this.#method.service;
  }
  get method(): string {
    return this.#method.contract.name;
  }
  get remoteAddress(): string {
    return this.#socket.remoteAddress;
  }
  get remotePort(): number {
    return this.#socket.remotePort;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abandoned !== undefined) this.#controller.abort(this.#abandoned);
    }
    return this.#controller.signal;
  }

  /** Fires the signal. */
  abandon(reason: Error): void {
    this.#abandoned ??= reason;
    this.#controller?.abort(reason);
  }
}

// SPDX-License-Identifier: Apache-2.0
import { type Deferred, deferred } from "@meerkat/runtime";

/** Runs tasks, a bounded number at a time; tasks may add more. The first failure drops those not started. */
export class ReadPool {
  readonly #activeMax: number;
  readonly #tasks: (() => Promise<void>)[] = [];
  #active = 0;
  #failure: { readonly error: unknown } | undefined;
  #idle: Deferred<void> | undefined;

  constructor(activeMax: number) {
    this.#activeMax = activeMax;
  }

  add(task: () => Promise<void>): void {
    if (this.#failure !== undefined) return;
    this.#tasks.push(task);
    this.#pump();
  }

  /** Resolves when all is done; rejects with the first failure once nothing runs any more. */
  async drained(): Promise<void> {
    if (this.#active > 0) {
      this.#idle ??= deferred();
      await this.#idle.promise;
    }
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
  }

  #pump(): void {
    while (this.#active < this.#activeMax) {
      // The youngest first: a tree is read in depth, which keeps this list short.
      const task = this.#tasks.pop();
      if (task === undefined) return;
      this.#active++;
      task().then(this.#onDone, this.#onFailed);
    }
  }

  readonly #onFailed = (error: unknown): void => {
    this.#failure ??= { error };
    this.#tasks.length = 0;
    this.#onDone();
  };

  readonly #onDone = (): void => {
    this.#active--;
    this.#pump();
    if (this.#active > 0) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  };
}

// SPDX-License-Identifier: Apache-2.0

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Those who wait until requests are answered. */
export class ReadyWaiters {
  #waiters: Waiter[] = [];

  /** Settles with the next `resolve` or `reject`. */
  wait(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  resolve(): void {
    for (const waiter of this.#take()) waiter.resolve();
  }

  reject(error: Error): void {
    for (const waiter of this.#take()) waiter.reject(error);
  }

  #take(): Waiter[] {
    const waiters = this.#waiters;
    this.#waiters = [];
    return waiters;
  }
}

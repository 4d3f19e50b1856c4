// SPDX-License-Identifier: Apache-2.0
// A typed event source that survives its listeners: one that throws is reported and the rest still run.

/** Listener of one kind of event. */
export type Listener<T> = (event: T) => void;

/** An event source with one event type. Listeners run synchronously in the order they were added. */
export class Emitter<T> {
  readonly #listeners = new Set<Listener<T>>();
  readonly #onListenerError: (error: unknown) => void;

  /** `onListenerError` gets whatever a listener throws; it must not throw itself. */
  constructor(onListenerError: (error: unknown) => void) {
    this.#onListenerError = onListenerError;
  }

  /** Adds a listener; the returned function removes it (idempotent). */
  on(listener: Listener<T>): () => void {
    // A wrapper, so that the same function added twice is two listeners and each is removed alone.
    const entry: Listener<T> = (event) => listener(event);
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  /** Number of listeners at this moment. */
  get size(): number {
    return this.#listeners.size;
  }

  /** Calls every listener with `event`. One that was removed meanwhile is not called, one added is not yet. */
  emit(event: T): void {
    for (const listener of [...this.#listeners]) {
      if (!this.#listeners.has(listener)) continue;
      try {
        listener(event);
      } catch (error) {
        this.#onListenerError(error);
      }
    }
  }

  /** Removes all listeners. */
  clear(): void {
    this.#listeners.clear();
  }
}

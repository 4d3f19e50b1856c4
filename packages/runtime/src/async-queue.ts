// SPDX-License-Identifier: Apache-2.0
// From callbacks to `for await`: a producer pushes, one consumer iterates.
import { type Deferred, deferred } from "./deferred.ts";

/**
 * A bounded queue read as an async iterable by one consumer. When it is full, `merge` decides: it gets
 * the newest waiting value and the pushed one and returns what stands for both (so a slow reader of
 * states sees the latest state, never an ever-growing backlog).
 */
export class AsyncQueue<T> implements AsyncIterableIterator<T> {
  readonly #capacity: number;
  readonly #merge: (waiting: T, pushed: T) => T;
  readonly #onReturn: () => void;
  readonly #values: T[] = [];
  #reader: Deferred<IteratorResult<T>> | undefined;
  #end: { readonly error?: unknown } | undefined;

  constructor(options: {
    readonly capacity: number;
    readonly merge: (waiting: T, pushed: T) => T;
    /** Called once when the consumer stops early or the queue ends. */
    readonly onReturn?: () => void;
  }) {
    this.#capacity = options.capacity;
    this.#merge = options.merge;
    this.#onReturn = options.onReturn ?? (() => {});
  }

  /** Hands a value to the reader or keeps it. Ignored after the end. */
  push(value: T): void {
    if (this.#end !== undefined) return;
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      reader.resolve({ value, done: false });
      return;
    }
    if (this.#values.length < this.#capacity) {
      this.#values.push(value);
      return;
    }
    const waiting = this.#values.pop() as T;
    this.#values.push(this.#merge(waiting, value));
  }

  /** Takes the waiting values out at once, oldest first. */
  takeAll(): T[] {
    return this.#values.splice(0);
  }

  /** Ends the iteration once the waiting values are read. */
  end(): void {
    this.#finish({});
  }

  /** Ends the iteration with a rejection once the waiting values are read. */
  fail(error: unknown): void {
    this.#finish({ error });
  }

  /**
   * The next value. Called again before the last promise settled, it gives the same promise: a reader may
   * race it against something else and lose no value.
   */
  next(): Promise<IteratorResult<T>> {
    if (this.#values.length > 0) {
      return Promise.resolve({ value: this.#values.shift() as T, done: false });
    }
    const end = this.#end;
    if (end !== undefined) {
      if (!("error" in end)) return Promise.resolve({ value: undefined, done: true });
      this.#end = {};
      return Promise.reject(end.error);
    }
    if (this.#reader === undefined) this.#reader = deferred();
    return this.#reader.promise;
  }

  return(): Promise<IteratorResult<T>> {
    this.#values.length = 0;
    this.#finish({});
    // Whoever stopped reading is not told of an earlier failure either.
    this.#end = {};
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #finish(end: { readonly error?: unknown }): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader !== undefined) {
      if ("error" in end) {
        this.#end = {};
        reader.reject(end.error);
      } else {
        reader.resolve({ value: undefined, done: true });
      }
    }
    this.#onReturn();
  }
}

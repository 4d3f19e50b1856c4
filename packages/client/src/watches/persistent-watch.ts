// SPDX-License-Identifier: Apache-2.0
// A watch that stays: the user's end of it.
import { AsyncQueue, type Logger } from "@meerkat/runtime";
import type { WatchEvent, WatchListener } from "../session/request.ts";

/** What a persistent watch needs of those who made it. */
export interface PersistentWatchOptions {
  /** The caller's path. */
  readonly path: string;
  readonly recursive: boolean;
  /** Events kept for a slow reader; beyond that they become one `resync`. */
  readonly eventsMax: number;
  readonly logger: Logger;
  /** Gives the watch up; resolves when the server has removed it, if nobody else needs it. */
  readonly release: () => Promise<void>;
}

/**
 * A watch on a path, or on a path and all below it, that stays armed over reconnects and new sessions.
 * Read it as an async iterable (one reader) or with `onEvent`. After every gap a `resync` event says that
 * changes may have been missed. Events from before the first reader are kept. End it with `close`, by
 * leaving the iteration, or by the signal given to `addWatch`; it also ends when the client closes.
 */
export class PersistentWatch implements AsyncIterable<WatchEvent>, AsyncDisposable {
  /** The caller's path. */
  readonly path: string;
  /** Whether descendants are watched too. */
  readonly recursive: boolean;

  readonly #options: PersistentWatchOptions;
  readonly #listeners = new Set<WatchListener>();
  #queue: AsyncQueue<WatchEvent> | undefined;
  #hasReader = false;
  #closed: Promise<void> | undefined;

  constructor(options: PersistentWatchOptions) {
    this.#options = options;
    this.path = options.path;
    this.recursive = options.recursive;
    this.#queue = this.#newQueue();
  }

  /** Calls `listener` for each event; the returned function stops it. */
  onEvent(listener: WatchListener): () => void {
    const entry: WatchListener = (event) => listener(event);
    this.#listeners.add(entry);
    if (!this.#hasReader && this.#queue !== undefined) this.#replay(this.#queue, entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchEvent> {
    this.#hasReader = true;
    this.#queue ??= this.#newQueue();
    return this.#queue;
  }

  /** Gives the watch up. Resolves when the server has removed it (at once when others still use it). */
  close(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = this.#options.release();
      this.end();
    }
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal Hands an event to the readers. */
  deliver(event: WatchEvent): void {
    this.#queue?.push(event);
    for (const listener of [...this.#listeners]) this.#call(listener, event);
  }

  /** @internal Ends the iteration without touching the server. */
  end(): void {
    this.#closed ??= Promise.resolve();
    this.#queue?.end();
    this.#listeners.clear();
  }

  #newQueue(): AsyncQueue<WatchEvent> {
    const queue = new AsyncQueue<WatchEvent>({
      capacity: this.#options.eventsMax,
      merge: () => ({ type: "resync", path: this.path }),
      onReturn: () => void this.close(),
    });
    if (this.#closed !== undefined) queue.end();
    return queue;
  }

  /** The first listener gets what came before it; from then on nothing is kept unless somebody iterates. */
  #replay(queue: AsyncQueue<WatchEvent>, listener: WatchListener): void {
    this.#queue = undefined;
    for (const event of queue.takeAll()) this.#call(listener, event);
  }

  #call(listener: WatchListener, event: WatchEvent): void {
    try {
      listener(event);
    } catch (error) {
      this.#options.logger.error({ error, path: this.path }, "a watch listener threw");
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
// The live list of a service's endpoints, wherever it comes from, and the part that all directories
// share: publishing sets to listeners and to `for await`.
import { AsyncQueue, Emitter, type Logger } from "@meerkat/runtime";
import { type DirectoryChange, type EndpointSet, emptyEndpointSet, endpointDifference } from "../endpoint.ts";

/** How a directory is doing, for error messages and for people. */
export interface DirectoryStatus {
  /** What is read: a root znode, or "static". */
  readonly source: string;
  /** Milliseconds since the list was last known to be true; undefined when it never was. */
  readonly ageMs: number | undefined;
  /** Children that could not be understood, at present. */
  readonly skipped: number;
  /** The last failure of the source that is not yet overcome. */
  readonly lastError?: Error | undefined;
}

/** Called after each published set. Runs synchronously; a listener that throws is logged and isolated. */
export type DirectoryListener = (set: EndpointSet, change: DirectoryChange) => void;

/** A live list of endpoints. Everything handed out is immutable, so a reader never sees half a change. */
export interface Directory extends AsyncDisposable {
  /** The present set. Never waits. */
  snapshot(): EndpointSet;
  /** Adds a listener; the returned function removes it. */
  onChange(listener: DirectoryListener): () => void;
  /**
   * Differences from now on, the first one with everything present as added. A slow reader gets one
   * difference that stands for several. Ends when the directory closes, rejects when `signal` aborts.
   */
  changes(options?: { readonly signal?: AbortSignal | undefined }): AsyncIterable<DirectoryChange>;
  /** How the list is doing. */
  status?(): DirectoryStatus;
  /** Stops following the source. The last set stays readable. Idempotent. */
  close(): Promise<void>;
}

/** Keeps the present set and tells about each new one. @internal */
export class SetPublisher {
  readonly #emitter: Emitter<DirectoryChange>;
  readonly #queues = new Set<AsyncQueue<DirectoryChange>>();
  #set: EndpointSet = emptyEndpointSet;
  #closed = false;

  constructor(logger: Logger) {
    this.#emitter = new Emitter((error) => logger.error({ error }, "a listener of a directory threw"));
  }

  get set(): EndpointSet {
    return this.#set;
  }

  /** Makes the change's set the present one. */
  publish(change: DirectoryChange): void {
    if (this.#closed) return;
    this.#set = change.set;
    this.#emitter.emit(change);
    for (const queue of [...this.#queues]) queue.push(change);
  }

  onChange(listener: DirectoryListener): () => void {
    return this.#emitter.on((change) => listener(change.set, change));
  }

  changes(options?: { readonly signal?: AbortSignal | undefined }): AsyncIterable<DirectoryChange> {
    const signal = options?.signal;
    const onAbort = (): void => queue.fail(signal?.reason);
    const queue = new AsyncQueue<DirectoryChange>({
      capacity: 1,
      merge: (waiting, pushed) => endpointDifference(waiting.previous, pushed.set),
      onReturn: () => {
        this.#queues.delete(queue);
        signal?.removeEventListener("abort", onAbort);
      },
    });
    queue.push(endpointDifference(emptyEndpointSet, this.#set));
    if (this.#closed) {
      queue.end();
    } else if (signal?.aborted) {
      onAbort();
    } else {
      this.#queues.add(queue);
      signal?.addEventListener("abort", onAbort, { once: true });
    }
    return queue;
  }

  close(): void {
    this.#closed = true;
    for (const queue of [...this.#queues]) queue.end();
    this.#emitter.clear();
  }
}

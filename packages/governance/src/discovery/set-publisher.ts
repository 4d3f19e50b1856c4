// SPDX-License-Identifier: Apache-2.0
// The part that all directories share: publishing sets to listeners and to `for await`.
import { AsyncQueue, Emitter, type Logger } from "@meerkat/runtime";
import type { DirectoryListener } from "../directory.ts";
import { type DirectoryChange, type EndpointSet, emptyEndpointSet, endpointDifference } from "../endpoint.ts";

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

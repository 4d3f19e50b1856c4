// SPDX-License-Identifier: Apache-2.0
// A directory whose list is given by the program: fixed addresses, tests, or a source of the user's own.
import { silentLogger } from "@meerkat/runtime";
import type { Directory, DirectoryListener, DirectoryStatus } from "../directory.ts";
import {
  type DirectoryChange,
  type Endpoint,
  type EndpointSet,
  endpoint,
  endpointDifference,
  endpointKey,
} from "../endpoint.ts";
import { SetPublisher } from "./set-publisher.ts";

/** What a static directory takes as an endpoint: `host` and `port`, the rest optional. */
export type EndpointFields = Parameters<typeof endpoint>[0];

/** A list held in memory; `replace` changes it. */
export class StaticDirectory implements Directory {
  readonly #publisher = new SetPublisher(silentLogger);

  /** Throws `RangeError` for an impossible endpoint. Of two with the same address the last one counts. */
  constructor(endpoints: Iterable<EndpointFields> = []) {
    this.replace(endpoints);
  }

  /** Makes `endpoints` the present set. Does nothing when it says the same. */
  replace(endpoints: Iterable<EndpointFields>): void {
    const byKey = new Map<string, Endpoint>();
    for (const fields of endpoints) {
      const entry = endpoint(fields);
      byKey.set(endpointKey(entry), entry);
    }
    const previous = this.#publisher.set;
    const set: EndpointSet = Object.freeze({
      version: previous.version + 1,
      endpoints: Object.freeze([...byKey.values()]),
      stale: false,
    });
    const change = endpointDifference(previous, set);
    if (change.added.length + change.removed.length + change.changed.length > 0)
      this.#publisher.publish(change);
  }

  snapshot(): EndpointSet {
    return this.#publisher.set;
  }

  onChange(listener: DirectoryListener): () => void {
    return this.#publisher.onChange(listener);
  }

  changes(options?: { readonly signal?: AbortSignal | undefined }): AsyncIterable<DirectoryChange> {
    return this.#publisher.changes(options);
  }

  status(): DirectoryStatus {
    return { source: "static", ageMs: 0, skipped: 0 };
  }

  close(): Promise<void> {
    this.#publisher.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

// SPDX-License-Identifier: Apache-2.0
// The live list of a service's endpoints, wherever it comes from.
import type { DirectoryChange, EndpointSet } from "./endpoint.ts";

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

// SPDX-License-Identifier: Apache-2.0
import type { WatchSink } from "./request-pipeline.ts";

/** Paths (the server's) of one SetWatches frame. */
export interface WatchChunk {
  readonly data: readonly string[];
  readonly exist: readonly string[];
  readonly child: readonly string[];
  readonly persistent: readonly string[];
  readonly recursive: readonly string[];
}

/** The watches as a session sees them: they get the events and say what to arm on a new connection. */
export interface SessionWatches extends WatchSink {
  /** An event from the server: an `EventType` and the server's path. */
  onEvent(type: number, path: string): void;
  /** All that must be armed, in pieces that fit into a frame. */
  chunks(): WatchChunk[];
  /** A piece is armed again: reads sent from now on see what its watches may have missed. */
  onArmed(chunk: WatchChunk): void;
}

// SPDX-License-Identifier: Apache-2.0
import { setMaxListeners } from "node:events";

/**
 * Calls `listener` once when the signal aborts (at once, when it has), and returns what takes it back. A
 * session's signal has a listener for every lock held in it, so Node's warning about eleven is off there.
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) {
    listener();
    return () => {};
  }
  setMaxListeners(0, signal);
  signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}

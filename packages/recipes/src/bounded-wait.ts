// SPDX-License-Identifier: Apache-2.0
import { type Clock, sleep } from "@meerkat/runtime";

/**
 * How long `close` and `release` wait for what they ask of the server. While the server is away it goes on in
 * the background; with the client's end it ends too.
 */
const CLOSE_WAIT_MS = 5_000;

/** Waits for `work`, which never rejects, but not longer than closing may take. */
export async function waitForClosing(clock: Clock, work: Promise<void>): Promise<void> {
  const over = new AbortController();
  const watched = work.finally(() => over.abort());
  // An abort only says that the wait is over.
  await Promise.race([watched, sleep(clock, CLOSE_WAIT_MS, over.signal).catch(() => {})]);
  over.abort();
}

// SPDX-License-Identifier: Apache-2.0
// Removing what a registration made, however often the connection breaks meanwhile: an ephemeral left
// behind by a living session would be a phantom for as long as the process runs.
import { isZooKeeperError } from "@meerkat/client";
import { Backoff, sleep } from "@meerkat/runtime";
import type { RegistrarShared } from "./registrar.ts";

/** How long the one who closes waits for the removal: with a connection at the start, and without. */
const WAIT_MAX_MS = 5_000;
const WAIT_AWAY_MAX_MS = 1_000;
const RETRY_PAUSE = { initialMs: 50, maxMs: 2_000 } as const;

/** Errors that a repetition does not cure: the request itself is refused. */
const HOPELESS_CODES = new Set([
  "NO_AUTH",
  "INVALID_ACL",
  "AUTH_FAILED",
  "BAD_ARGUMENTS",
  "NO_CHILDREN_FOR_EPHEMERALS",
  "CLOSED",
]);

/** Whether trying again is in vain. @internal */
export function isHopeless(error: unknown): boolean {
  return isZooKeeperError(error) && HOPELESS_CODES.has(error.code);
}

/** Repeats a removal until it succeeds, or until nothing can be left. @internal */
export class Withdrawal {
  readonly #shared: RegistrarShared;
  readonly #remove: () => Promise<void>;

  /** `remove` removes everything; it may be called again after it rejected. */
  constructor(shared: RegistrarShared, remove: () => Promise<void>) {
    this.#shared = shared;
    this.#remove = remove;
  }

  /**
   * Resolves when everything is removed or the wait is over; goes on in the background in the latter case. `finish` is called at the true end.
   */
  async run(finish: () => void): Promise<void> {
    const { clock, logger } = this.#shared.runtime;
    const waitMs = this.#shared.client.state === "connected" ? WAIT_MAX_MS : WAIT_AWAY_MAX_MS;
    const waiting = new AbortController();
    let late = false;
    const removal = this.#repeat().then(finish);
    const timeout = sleep(clock, waitMs, waiting.signal).then(
      () => {
        late = true;
      },
      () => {},
    );
    await Promise.race([removal, timeout]);
    waiting.abort();
    if (late) logger.warn({ root: this.#shared.root }, "ZooKeeper is away; deregistering in the background");
  }

  /** Never rejects. */
  async #repeat(): Promise<void> {
    const { client, runtime } = this.#shared;
    const backoff = new Backoff(RETRY_PAUSE, runtime.random);
    // A session that is closed or lost takes its ephemerals along.
    while (!client.session.lost.aborted) {
      try {
        await this.#remove();
        return;
      } catch (error) {
        if (isHopeless(error)) {
          runtime.logger.warn({ error, root: this.#shared.root }, "deregistering was refused");
          return;
        }
      }
      await sleep(runtime.clock, backoff.nextMs());
    }
  }
}

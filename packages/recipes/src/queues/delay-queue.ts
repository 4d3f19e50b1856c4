// SPDX-License-Identifier: Apache-2.0
import type { ZooKeeperClient } from "@meerkat/client";
import { InvalidArgumentError } from "@meerkat/runtime";
import type { WaitOptions } from "../wait-scope.ts";
import { BaseQueue, type QueueOptions } from "./base-queue.ts";
import { curatorQueue, type QueueLayout } from "./queue-layout.ts";

/** Limits of a put, and when the item may be taken: now, unless one of the two is given. */
export interface DelayPutOptions extends WaitOptions {
  /** In so many milliseconds. */
  readonly delayMs?: number | undefined;
  /** At this time of the server's clock, ms since 1970. */
  readonly readyAtMs?: number | undefined;
}

/**
 * Items that may be taken only after some time, the earliest first. The layout is that of Curator's
 * DistributedDelayQueue. "Now" is the server's clock, measured at a write of our own, so the clocks of
 * producers and consumers need not agree; Curator's peers go by their own clocks.
 */
export class DelayQueue<T = Buffer> extends BaseQueue<T> {
  /** Throws `InvalidArgumentError` for a layout that has no times. */
  constructor(client: ZooKeeperClient, place: string | QueueLayout, options: QueueOptions<T> = {}) {
    const layout = typeof place === "string" ? curatorQueue(place, { ordering: "delay" }) : place;
    if (layout.ordering !== "delay") throw new InvalidArgumentError("place", "the layout has no times");
    super(client, layout, options);
  }

  /** Puts a value; see `Queue.put`. */
  put(value: T, options: DelayPutOptions = {}): Promise<void> {
    return this.putAll([value], options);
  }

  /** Puts several values for one time, all or none; 1,000 at most. */
  async putAll(values: readonly T[], options: DelayPutOptions = {}): Promise<void> {
    const { delayMs = 0 } = options;
    const readyAtMs =
      options.readyAtMs ?? (await this.witness.serverTimeMs({ signal: options.signal })) + delayMs;
    await this.putPlaced(values, { priority: 0, readyAtMs }, options);
  }
}

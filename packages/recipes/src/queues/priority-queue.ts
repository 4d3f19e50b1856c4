// SPDX-License-Identifier: Apache-2.0
import type { ZooKeeperClient } from "@meerkat/client";
import { InvalidArgumentError } from "@meerkat/runtime";
import type { WaitOptions } from "../wait-scope.ts";
import { BaseQueue, type QueueOptions } from "./base-queue.ts";
import { kazooLockingQueue, type QueueLayout } from "./queue-layout.ts";

/** Limits of a put, and the priority. */
export interface PriorityPutOptions extends WaitOptions {
  /** Lower goes first. Kazoo: 0 to 999, default 100. Curator: any 32-bit integer, default 0. */
  readonly priority?: number | undefined;
}

/**
 * Lower priorities first, and within one priority first in, first out; every take looks at all entries, so
 * for thousands of them a `Queue` is faster. The layout is Kazoo's LockingQueue
 * unless another is given (`kazooQueue`, `curatorQueue` with ordering `priority`).
 */
export class PriorityQueue<T = Buffer> extends BaseQueue<T> {
  /** Throws `InvalidArgumentError` for a layout that has no priorities. */
  constructor(client: ZooKeeperClient, place: string | QueueLayout, options: QueueOptions<T> = {}) {
    const layout = typeof place === "string" ? kazooLockingQueue(place) : place;
    if (layout.ordering !== "priority")
      throw new InvalidArgumentError("place", "the layout has no priorities");
    super(client, layout, options, true);
  }

  /** Puts a value; see `Queue.put`. */
  put(value: T, options: PriorityPutOptions = {}): Promise<void> {
    return this.putAll([value], options);
  }

  /** Puts several values of one priority, all or none, in their order; 1,000 at most. */
  async putAll(values: readonly T[], options: PriorityPutOptions = {}): Promise<void> {
    const { priority = this.layout.priority } = options;
    await this.putPlaced(values, { priority, readyAtMs: 0 }, options);
  }
}

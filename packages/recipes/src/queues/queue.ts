// SPDX-License-Identifier: Apache-2.0
import type { ZooKeeperClient } from "@meerkat/client";
import type { WaitOptions } from "../wait-scope.ts";
import { BaseQueue, type QueueOptions } from "./base-queue.ts";
import { kazooLockingQueue, type QueueLayout } from "./queue-layout.ts";

/**
 * First in, first out. The layout is Kazoo's LockingQueue unless another is given (`kazooQueue`,
 * `curatorQueue`). See `BaseQueue` for what it promises.
 */
export class Queue<T = Buffer> extends BaseQueue<T> {
  /** Pass a layout instead of a path to meet peers that use another. */
  constructor(client: ZooKeeperClient, place: string | QueueLayout, options: QueueOptions<T> = {}) {
    super(client, typeof place === "string" ? kazooLockingQueue(place) : place, options);
  }

  /**
   * Puts a value at the end. Resolves when the ensemble has it, exactly once. Rejects with `TIMEOUT` or
   * `ABORTED`; effect unknown when it was under way already.
   */
  put(value: T, options: WaitOptions = {}): Promise<void> {
    return this.putAll([value], options);
  }

  /** Puts several values, all or none, in their order; 1,000 at most. */
  putAll(values: readonly T[], options: WaitOptions = {}): Promise<void> {
    return this.putPlaced(values, { priority: this.layout.priority, readyAtMs: 0 }, options);
  }
}

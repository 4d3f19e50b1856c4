// SPDX-License-Identifier: Apache-2.0
import type { ZooKeeperClient } from "@meerkat/client";
import { Hold } from "./hold.ts";
import {
  type AcquireOptions,
  type ContenderInfo,
  type Lockable,
  type LockOptions,
  LockSide,
  listContenders,
} from "./lock.ts";
import { RecipeError } from "./recipe-error.ts";
import { type WaitOptions, WaitScope } from "./wait-scope.ts";

/** The write side held: alone. */
export class WriteHold extends Hold {
  /**
   * Lets other readers in without letting a writer through in between: resolves with a hold of the read
   * side in the same place of the queue and with the same token; this handle is released. Rejects with
   * `CONFLICT` while there are other handles on it or with the Kazoo layout (which has no name for it),
   * with `LOST`, `TIMEOUT`, `ABORTED`; after the latter two `release` it, for how it stands is unknown.
   */
  async downgrade(options: WaitOptions = {}): Promise<Hold> {
    this.assertHeld();
    const { possession, path } = this;
    const { contender } = possession;
    const { queue } = contender;
    const context = { path };
    if (possession.handles > 1) {
      throw new RecipeError("CONFLICT", `${path} has other handles; release them before downgrade`, {
        context,
      });
    }
    const curatorName = /^(.*)__WRIT__[-\d]+$/.exec(contender.name.name);
    if (curatorName === null) {
      const message = `${path} has the Kazoo layout, in which nobody steps back from writing`;
      throw new RecipeError("CONFLICT", message, { context });
    }
    const scope = new WaitScope(queue.runtime.clock, options, `stepping back from writing ${path}`, path);
    try {
      await contender.stepBack(`${curatorName[1]}__READ__`, scope);
    } finally {
      scope.end();
    }
    const hold = new Hold(possession);
    this.retire();
    return hold;
  }
}

/** The write side of a `ReadWriteLock`. */
export class WriteLock implements Lockable {
  readonly path: string;
  readonly #side: LockSide;

  /** @internal Use `ReadWriteLock`. */
  constructor(side: LockSide) {
    this.path = side.path;
    this.#side = side;
  }

  /** Waits until nobody reads or writes. Rejects as `Lock.acquire`. */
  async acquire(options: AcquireOptions = {}): Promise<WriteHold> {
    return this.#upgradeHandle(await this.#side.acquire(options));
  }

  /** The write side, or undefined when someone is before us. */
  async tryAcquire(options?: WaitOptions): Promise<WriteHold | undefined> {
    const hold = await this.#side.tryAcquire(options);
    return hold === undefined ? undefined : this.#upgradeHandle(hold);
  }

  #upgradeHandle(hold: Hold): WriteHold {
    const write = new WriteHold(hold.possession);
    hold.retire();
    return write;
  }
}

/**
 * Many readers or one writer, in order of arrival: a reader behind a waiting writer waits too, so writers
 * are served. A reader waits only for the nearest writer before it, a writer for whoever is nearest.
 *
 * Znodes: ephemeral sequential children of `path`, named as those of Curator's InterProcessReadWriteLock
 * (`__READ__`, `__WRIT__`) and of Kazoo's ReadLock and WriteLock (`__rlock__`, `__lock__`), see
 * `LockLayout`. A writer that steps back takes the name `__READ__<its place><number>`, which Curator sorts
 * into the writer's place; with the layout `both` its Kazoo half stays as it is, so that Kazoo's readers
 * (not ours, not Curator's) wait for its release.
 *
 * A reader of Kazoo 2.8 waits for the last writer in the list, even one that came after it and waits for
 * it: they stand still, whosever the writer is, unless it has a time limit.
 */
export class ReadWriteLock {
  readonly path: string;
  /** The side that bears company. */
  readonly read: Lockable;
  /** The side that does not. */
  readonly write: WriteLock;
  readonly #client: ZooKeeperClient;

  /** Throws `InvalidArgumentError`. Nothing is sent before an acquire. */
  constructor(client: ZooKeeperClient, path: string, options: LockOptions = {}) {
    this.path = path;
    this.#client = client;
    this.read = new LockSide(client, path, "read", options);
    this.write = new WriteLock(new LockSide(client, path, "write", options));
  }

  /** Everyone who holds or awaits a side, first come first. */
  contenders(call?: WaitOptions): Promise<ContenderInfo[]> {
    return listContenders(this.#client, this.path, call);
  }
}

// SPDX-License-Identifier: Apache-2.0
import { InvalidArgumentError, type Runtime, resolveRuntime } from "@meerkat/runtime";
import type { Hold } from "./hold.ts";
import type { Lockable } from "./lock.ts";
import { onAbort } from "./on-abort.ts";
import { type WaitOptions, WaitScope } from "./wait-scope.ts";

/** Several locks held as one. */
export class MultiHold implements AsyncDisposable {
  /** The holds, in order of their paths. */
  readonly holds: readonly Hold[];
  /** Aborts as soon as one of them does, with its reason. */
  readonly signal: AbortSignal;
  readonly #unlink: (() => void)[];

  /** @internal */
  constructor(holds: readonly Hold[]) {
    const controller = new AbortController();
    this.holds = holds;
    this.signal = controller.signal;
    this.#unlink = holds.map(({ signal }) => onAbort(signal, () => controller.abort(signal.reason)));
  }

  /** True while all are surely held. */
  get isHeld(): boolean {
    return !this.signal.aborted && this.holds.every((hold) => hold.isHeld);
  }

  /** Throws unless all are held, and with `forMs` surely will be for so long. */
  assertHeld(forMs?: number): void {
    for (const hold of this.holds) hold.assertHeld(forMs);
  }

  /** Operations to put first into a `multi`; see `Hold.fence`. */
  fence(): ReturnType<Hold["fence"]>[] {
    return this.holds.map((hold) => hold.fence());
  }

  /** Gives all up; idempotent. Resolves when all deletions are confirmed; see `Hold.release`. */
  async release(call?: WaitOptions): Promise<void> {
    await Promise.all([...this.holds].reverse().map((hold) => hold.release(call)));
    for (const each of this.#unlink.splice(0)) each();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}

/**
 * All of several locks or none. They are taken one after the other in order of their paths, whatever the
 * order given, so two that share some cannot wait for each other; one time limit spans them all. Every lock
 * taken is given back when a later one is not to be had.
 */
export class MultiLock {
  readonly #locks: readonly Lockable[];
  readonly #runtime: Runtime;

  /** Throws `InvalidArgumentError` when there is none, or two have one path (the second would never come). */
  constructor(locks: readonly Lockable[], options: { readonly runtime?: Partial<Runtime> | undefined } = {}) {
    const sorted = [...locks].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
    if (sorted.length === 0) throw new InvalidArgumentError("locks", "a MultiLock needs at least one lock");
    const twice = sorted.find((lock, at) => sorted[at + 1]?.path === lock.path);
    if (twice !== undefined) {
      throw new InvalidArgumentError("locks", `two locks of a MultiLock have the path ${twice.path}`);
    }
    this.#locks = sorted;
    this.#runtime = resolveRuntime(options.runtime);
  }

  /** Paths of the locks, in the order in which they are taken. */
  get paths(): readonly string[] {
    return this.#locks.map((lock) => lock.path);
  }

  /** Waits for all. Rejects as `Lock.acquire`, or with the reason of a hold lost while waiting for the next. */
  async acquire(options: WaitOptions = {}): Promise<MultiHold> {
    const paths = this.paths.join(", ");
    const scope = new WaitScope(this.#runtime.clock, options, `waiting for ${paths}`, this.paths[0] ?? "");
    try {
      const hold = await this.#takeAll(scope, (lock) => lock.acquire(scope.call));
      if (hold === undefined) throw new TypeError("a patient wait gave nothing");
      return hold;
    } catch (error) {
      throw scope.explain(error);
    } finally {
      scope.end();
    }
  }

  /** All of them, or undefined when one is not to be had at once. */
  async tryAcquire(options: WaitOptions = {}): Promise<MultiHold | undefined> {
    const paths = this.paths.join(", ");
    const scope = new WaitScope(this.#runtime.clock, options, `trying ${paths}`, this.paths[0] ?? "");
    try {
      return await this.#takeAll(scope, (lock) => lock.tryAcquire(scope.call));
    } catch (error) {
      throw scope.explain(error);
    } finally {
      scope.end();
    }
  }

  async #takeAll(
    scope: WaitScope,
    take: (lock: Lockable) => Promise<Hold | undefined>,
  ): Promise<MultiHold | undefined> {
    const holds: Hold[] = [];
    try {
      for (const lock of this.#locks) {
        const hold = await take(lock);
        if (hold === undefined) {
          giveBack(holds);
          return undefined;
        }
        holds.push(hold);
      }
      scope.check();
      const multi = new MultiHold(holds);
      multi.assertHeld();
      return multi;
    } catch (error) {
      giveBack(holds);
      throw error;
    }
  }
}

/** Without waiting: the deletions are made sure of in the background. */
function giveBack(holds: readonly Hold[]): void {
  for (const hold of holds) void hold.release();
}

// SPDX-License-Identifier: Apache-2.0
import type { ZooKeeperClient } from "@meerkat/client";
import { Emitter, errorFrom, resolveRuntime } from "@meerkat/runtime";
import { type ElectionOptions, LeaderElection, type Leadership } from "./leader-election.ts";
import type { ContenderInfo } from "./lock.ts";
import { onAbort } from "./on-abort.ts";
import { RecipeError } from "./recipe-error.ts";
import { type WaitOptions, WaitScope } from "./wait-scope.ts";

/** How a latch works. */
export interface LatchOptions extends ElectionOptions {
  /** Stand again, at the end of the queue, after leadership or place was lost. Default true. */
  readonly rejoin?: boolean | undefined;
}

/**
 * Stands for election in the background from `new` to `close`, and says whether it leads: for processes
 * that go on either way. (To run something only while leading, `LeaderElection.runWhileLeading` is safer.)
 * One loop does everything in turn, so there is never a second znode of the same latch in use. As
 * Curator's LeaderLatch, with the same znodes.
 */
export class LeaderLatch implements AsyncDisposable {
  readonly election: LeaderElection;
  readonly #changes: Emitter<Leadership | undefined>;
  readonly #stop = new AbortController();
  readonly #clock: ReturnType<typeof resolveRuntime>["clock"];
  readonly #loop: Promise<void>;
  readonly #rejoin: boolean;
  #leadership: Leadership | undefined;
  #failure: Error | undefined;

  /** Throws `InvalidArgumentError`. Begins to stand at once. */
  constructor(client: ZooKeeperClient, path: string, options: LatchOptions = {}) {
    const { rejoin = true, ...election } = options;
    const { clock, logger } = resolveRuntime(options.runtime);
    this.election = new LeaderElection(client, path, election);
    this.#changes = new Emitter((error) => logger.error({ error, path }, "a leadership listener threw"));
    this.#clock = clock;
    this.#rejoin = rejoin;
    this.#loop = this.#run().catch((error: unknown) => {
      if (this.#stop.signal.aborted) return;
      this.#failure = errorFrom(error);
      logger.error({ error, path }, "the latch no longer stands for election");
      this.#changes.emit(undefined);
    });
  }

  /** The leadership while it is ours and sure, else undefined. Ask `leadership.assertHeld()` before acting. */
  get leadership(): Leadership | undefined {
    return this.#leadership?.isHeld === true ? this.#leadership : undefined;
  }

  /** True while this latch surely leads. */
  get isLeader(): boolean {
    return this.leadership !== undefined;
  }

  /** Why the latch no longer stands: what the server refused for good. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Calls `listener` with each leadership won, and with undefined when it ends or the latch fails. */
  onChange(listener: (leadership: Leadership | undefined) => void): () => void {
    return this.#changes.on(listener);
  }

  /**
   * Waits until this latch leads. Rejects with `TIMEOUT`, `ABORTED` (the latch goes on standing), `CLOSED`,
   * or the failure that ended it.
   */
  async whenLeader(options: WaitOptions = {}): Promise<Leadership> {
    const { path } = this.election;
    const scope = new WaitScope(this.#clock, options, `waiting to lead ${path}`, path);
    const stops: (() => void)[] = [];
    try {
      return await new Promise<Leadership>((resolve, reject) => {
        const check = (): void => {
          const { leadership } = this;
          if (leadership !== undefined) resolve(leadership);
          else if (this.#failure !== undefined) reject(this.#failure);
        };
        check();
        stops.push(
          this.#changes.on(check),
          onAbort(scope.signal, () => reject(scope.signal.reason)),
          onAbort(this.#stop.signal, () => reject(this.#stop.signal.reason)),
        );
      });
    } finally {
      for (const stop of stops) stop();
      scope.end();
    }
  }

  /** Everyone who stands, the leader first. */
  participants(call?: WaitOptions): Promise<ContenderInfo[]> {
    return this.election.participants(call);
  }

  /**
   * Steps down or leaves the queue, and stops. Idempotent. Resolves when leadership is given up; a place in
   * the queue is deleted in the background.
   */
  async close(): Promise<void> {
    const { path } = this.election;
    if (!this.#stop.signal.aborted) {
      this.#stop.abort(new RecipeError("CLOSED", `the latch on ${path} was closed`, { context: { path } }));
    }
    await this.#loop;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    do {
      const leadership = await this.election.campaign({ signal });
      this.#leadership = leadership;
      const ended = new Promise<void>((resolve) => {
        onAbort(leadership.signal, resolve);
        onAbort(signal, resolve);
      });
      this.#changes.emit(leadership);
      await ended;
      this.#leadership = undefined;
      await leadership.resign();
      this.#changes.emit(undefined);
    } while (this.#rejoin && !signal.aborted);
  }
}

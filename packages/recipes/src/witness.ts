// SPDX-License-Identifier: Apache-2.0
// Transactions whose outcome is known although their reply may be lost.
//
// A witness is an ephemeral znode of one recipe object. Every transaction also writes its number into the
// witness, first of all. So when a reply is lost, the witness tells whether the transaction was applied;
// and because it goes with the session, a transaction that reaches the server after the session that it was
// meant for can change nothing. Only when the session ends in the very moment does the outcome stay open.
import {
  isRetryable,
  isZooKeeperError,
  joinPath,
  type Stat,
  type TransactionOperation,
  type TransactionSetResult,
  type ZooKeeperClient,
  ZooKeeperError,
} from "@meerkat/client";
import { Backoff, type Runtime, randomUuid, sleep } from "@meerkat/runtime";
import { waitForClosing } from "./bounded-wait.ts";
import { RecipeError } from "./recipe-error.ts";
import { deleteSurely } from "./removal.ts";

/** Names of witnesses start so. No layout of Kazoo or Curator takes such a child for one of its own. */
export const WITNESS_PREFIX = "_w-";

const RETRY_PAUSE = { initialMs: 10, maxMs: 1_000 } as const;
/** A measurement of the server's clock is good for so long. */
const CLOCK_GOOD_MS = 60_000;

/** Limits of one commit. */
export interface CommitOptions {
  readonly signal?: AbortSignal | undefined;
  /** Time for one request, ms; 0 (the default) for none. */
  readonly timeoutMs?: number | undefined;
  /** Commit only in this session; otherwise `LOST`, and nothing was applied. */
  readonly owner?: bigint | undefined;
}

/** See the head of this file. */
export class Witness {
  readonly #client: ZooKeeperClient;
  readonly #runtime: Runtime;
  readonly #directory: string;
  #path: string | undefined;
  #owner = 0n;
  #count = 0;
  #tail: Promise<unknown> = Promise.resolve();
  /** The server's clock against ours, and when that was measured. */
  #clockOffset: { readonly offsetMs: number; readonly atMs: number } | undefined;

  /** The witness is a child of `directory`, which is created when it is missing. */
  constructor(client: ZooKeeperClient, runtime: Runtime, directory: string) {
    this.#client = client;
    this.#runtime = runtime;
    this.#directory = directory;
  }

  /**
   * Applies the operations together exactly once, one commit after the other. Resolves with their results,
   * or with undefined when they were applied and the reply was lost. Rejects with the failure of an
   * operation (nothing was applied; `context.index` counts from 1), with `LOST`, or with effect unknown
   * when the session ended before the outcome could be seen or the caller gave up.
   */
  commit(
    operations: readonly TransactionOperation[],
    options: CommitOptions = {},
  ): Promise<readonly unknown[] | undefined> {
    const run = this.#tail.then(() => this.#commit(operations, options));
    this.#tail = run.catch(() => {});
    return run;
  }

  /** The server's wall clock now, ms since 1970, to within a round trip. */
  async serverTimeMs(options: CommitOptions = {}): Promise<number> {
    const { clock } = this.#runtime;
    const measured = this.#clockOffset;
    if (measured === undefined || clock.nowMs() - measured.atMs > CLOCK_GOOD_MS)
      await this.commit([], options);
    return clock.nowMs() + (this.#clockOffset?.offsetMs ?? clock.wallMs() - clock.nowMs());
  }

  /** Deletes the znode, over lost connections if need be; waits at most 5 s for it. */
  close(): Promise<void> {
    return waitForClosing(this.#runtime.clock, this.#remove());
  }

  async #remove(): Promise<void> {
    await this.#tail;
    const path = this.#path;
    this.#path = undefined;
    if (path !== undefined) await deleteSurely(this.#client, this.#runtime, () => [path]);
  }

  async #commit(
    operations: readonly TransactionOperation[],
    options: CommitOptions,
  ): Promise<readonly unknown[] | undefined> {
    const { clock, random } = this.#runtime;
    const call = { signal: options.signal, timeoutMs: options.timeoutMs ?? 0 };
    const backoff = new Backoff(RETRY_PAUSE, random);
    for (;;) {
      let inDoubt: { readonly path: string; readonly data: string; readonly error: unknown } | undefined;
      try {
        const path = await this.#ensure(call);
        if (options.owner !== undefined && this.#owner !== options.owner) throw this.#lost();
        const data = String(++this.#count);
        const sentMs = clock.nowMs();
        try {
          const results = await this.#client.multi([{ op: "set", path, data }, ...operations], call);
          this.#measure((results[0] as TransactionSetResult).stat, sentMs);
          return results.slice(1);
        } catch (error) {
          if (!isZooKeeperError(error)) throw error;
          if (error.effect === "unknown" && error.code === "CONNECTION_LOSS") inDoubt = { path, data, error };
          else if (error.code === "NO_NODE" && error.context.index === 0) this.#path = undefined;
          else throw error;
        }
        if (inDoubt !== undefined && (await this.#applied(inDoubt, call))) return undefined;
      } catch (error) {
        // Never sent, or refused for the moment: the same again.
        if (inDoubt !== undefined || !isRetryable(error) || this.#client.state === "expired") throw error;
        await sleep(clock, backoff.nextMs(), options.signal).catch(() => {
          throw error;
        });
      }
    }
  }

  /** The path of the witness of the present session. */
  async #ensure(call: {
    readonly signal: AbortSignal | undefined;
    readonly timeoutMs: number;
  }): Promise<string> {
    if (this.#path !== undefined && this.#owner === this.#client.sessionId) return this.#path;
    const path = joinPath(this.#directory, `${WITNESS_PREFIX}${randomUuid(this.#runtime.random)}`);
    try {
      const { stat } = await this.#client.create(path, null, {
        ...call,
        mode: "ephemeral",
        createParents: true,
        idempotent: true,
      });
      this.#owner = stat.ephemeralOwner;
      this.#path = path;
      return path;
    } catch (error) {
      if (isZooKeeperError(error, "NODE_EXISTS")) {
        // Made by an earlier try in a session that has ended since; it goes with that one.
        return this.#ensure(call);
      }
      if (isZooKeeperError(error) && error.effect === "unknown") {
        void deleteSurely(this.#client, this.#runtime, () => [path]);
        // The commit itself was not sent.
        throw new ZooKeeperError(error.code, error.message, { context: error.context, cause: error });
      }
      throw error;
    }
  }

  async #applied(
    inDoubt: { readonly path: string; readonly data: string; readonly error: unknown },
    call: { readonly signal: AbortSignal | undefined; readonly timeoutMs: number },
  ): Promise<boolean> {
    for (;;) {
      try {
        await this.#client.sync(inDoubt.path, call);
        const { data } = await this.#client.get(inDoubt.path, call);
        return data.toString() === inDoubt.data;
      } catch (error) {
        if (isZooKeeperError(error, "NO_NODE")) this.#path = undefined;
        else if (isRetryable(error, { idempotent: true }) && !isZooKeeperError(error, "SESSION_EXPIRED"))
          continue;
        throw inDoubt.error;
      }
    }
  }

  #measure(stat: Stat, sentMs: number): void {
    const nowMs = this.#runtime.clock.nowMs();
    this.#clockOffset = { offsetMs: stat.mtimeMs - (sentMs + nowMs) / 2, atMs: nowMs };
  }

  #lost(): RecipeError {
    return new RecipeError(
      "LOST",
      `${this.#directory}: the session that held it is over; it may be another's now`,
      {
        context: { path: this.#directory, reason: "session" },
      },
    );
  }
}

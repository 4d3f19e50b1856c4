// SPDX-License-Identifier: Apache-2.0
// What all queues share: putting exactly once, claiming, waiting, giving back.
import {
  bytes,
  type CallOptions,
  type Codec,
  isZooKeeperError,
  joinPath,
  type ZooKeeperClient,
} from "@meerkat/client";
import { type Runtime, resolveRuntime } from "@meerkat/runtime";
import { waitForClosing } from "../bounded-wait.ts";
import { RecipeError } from "../recipe-error.ts";
import { orAbsent, rereadUntil } from "../reread.ts";
import { type WaitOptions, WaitScope } from "../wait-scope.ts";
import { Witness } from "../witness.ts";
import { EntryClaims } from "./entry-claims.ts";
import { EntryList } from "./entry-list.ts";
import { QueueItem } from "./queue-item.ts";
import type { Placing, QueueLayout } from "./queue-layout.ts";

/** Entries of one `putAll`. Larger ones would pass the server's limit of a request. */
const BATCH_MAX = 1_000;

/** Options of queues. */
export interface QueueOptions<T> {
  /** Between values and bytes; default bytes as they are. */
  readonly codec?: Codec<T> | undefined;
  readonly runtime?: Partial<Runtime> | undefined;
}

/**
 * The base of the queues. Putting is exact also when replies are lost. An item that was taken is claimed,
 * not removed: it is removed by `ack`, and goes to another consumer when its holder gives it back, dies or
 * loses the session. So every item is consumed at least once, and after an acknowledgement never again.
 * (Layouts without a place for claims remove an item when it is taken: at most once.)
 */
export abstract class BaseQueue<T> implements AsyncDisposable {
  readonly layout: QueueLayout;
  protected readonly runtime: Runtime;
  protected readonly witness: Witness;
  readonly #client: ZooKeeperClient;
  readonly #codec: Codec<T>;
  readonly #list: EntryList;
  readonly #claims: EntryClaims;
  readonly #items = new Set<QueueItem<T>>();
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;

  /** `eager`: every take looks at all entries, so that the order is strict. */
  protected constructor(
    client: ZooKeeperClient,
    layout: QueueLayout,
    options: QueueOptions<T>,
    eager: boolean = false,
  ) {
    this.#client = client;
    this.layout = layout;
    this.runtime = resolveRuntime(options.runtime);
    this.#codec = options.codec ?? (bytes as unknown as Codec<T>);
    this.witness = new Witness(client, this.runtime, layout.witnessPath);
    this.#list = new EntryList(client, layout, eager);
    this.#claims = new EntryClaims(client, this.runtime, layout, this.witness);
  }

  /** Number of entries, claimed ones included. */
  async size(options: CallOptions = {}): Promise<number> {
    const found = await orAbsent(this.#client.children(this.layout.entriesPath, options));
    return (found?.children ?? []).filter((name) => this.layout.rank(name) !== undefined).length;
  }

  /**
   * Waits for the first item that nobody has claimed. Rejects with `TIMEOUT`, `ABORTED`, `CLOSED`, or as
   * the client does; then no item is held.
   */
  async take(options: WaitOptions = {}): Promise<QueueItem<T>> {
    return (await this.#take(options, true)) as QueueItem<T>;
  }

  /** The first item that nobody has claimed, or undefined when there is none now. */
  tryTake(options: WaitOptions = {}): Promise<QueueItem<T> | undefined> {
    return this.#take(options, false);
  }

  /**
   * Takes items one after the other and runs `handle` on each: acknowledged when it resolves, given back
   * when it rejects (`onError` is told; the default logs). Resolves when the signal aborts or the queue
   * closes; rejects when items cannot be taken for good.
   */
  async consume(
    handle: (item: QueueItem<T>) => Promise<void>,
    options: {
      readonly signal?: AbortSignal | undefined;
      readonly onError?: ((error: unknown, item: QueueItem<T>) => void) | undefined;
    } = {},
  ): Promise<void> {
    const { signal, onError } = options;
    const isOver = (): boolean => signal?.aborted === true || this.#closed !== undefined;
    while (!isOver()) {
      let item: QueueItem<T>;
      try {
        item = await this.take({ signal });
      } catch (error) {
        if (isOver()) return;
        throw error;
      }
      try {
        await handle(item);
        await item.ack();
      } catch (error) {
        if (onError === undefined) {
          this.runtime.logger.error({ error, path: item.path }, "an item was not consumed; it is given back");
        } else {
          onError(error, item);
        }
        await item.release();
      }
    }
  }

  /**
   * Gives back what is held, removes watches and witnesses. Waiting calls reject with `CLOSED`. Takes at most
   * 5 s; while the server is away it goes on in the background.
   */
  close(): Promise<void> {
    this.#closed ??= waitForClosing(this.runtime.clock, this.#close());
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Puts values at one place, all or none. */
  protected async putPlaced(values: readonly T[], placing: Placing, options: WaitOptions): Promise<void> {
    this.#assertOpen();
    if (values.length === 0) return;
    if (values.length > BATCH_MAX) {
      throw new RecipeError(
        "CONFLICT",
        `${values.length} values are too many for one step; at most ${BATCH_MAX}`,
        {
          context: { path: this.layout.entriesPath },
        },
      );
    }
    const path = joinPath(this.layout.entriesPath, this.layout.name(placing));
    const operations = values.map(
      (value) =>
        ({
          op: "create",
          path,
          data: this.layout.encode(this.#codec.encode(value)),
          mode: "persistentSequential",
        }) as const,
    );
    const scope = new WaitScope(this.runtime.clock, options, `putting into ${this.layout.entriesPath}`, path);
    try {
      for (;;) {
        try {
          await this.witness.commit(operations, { signal: scope.signal });
          return;
        } catch (error) {
          if (!isZooKeeperError(error, "NO_NODE")) throw error;
          await this.#client.retry(() => this.#client.ensurePath(this.layout.entriesPath, scope.call), {
            idempotent: true,
            attemptsMax: Number.POSITIVE_INFINITY,
            signal: scope.signal,
          });
        }
      }
    } catch (error) {
      // What was sent may have been put all the same: that must not look like nothing.
      if (isZooKeeperError(error) && error.effect === "unknown") throw error;
      throw scope.explain(error);
    } finally {
      scope.end();
    }
  }

  async #take(options: WaitOptions, wait: boolean): Promise<QueueItem<T> | undefined> {
    this.#assertOpen();
    const { entriesPath, ordering } = this.layout;
    const { signal } = options;
    const either =
      signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
    const scope = new WaitScope(
      this.runtime.clock,
      { ...options, signal: either },
      `taking from ${entriesPath}`,
      entriesPath,
    );
    try {
      return await rereadUntil<QueueItem<T> | undefined>({
        client: this.#client,
        runtime: this.runtime,
        scope,
        onWake: (wake) => this.#list.onChange(wake),
        look: async (_watch, call) => {
          const nowMs = ordering === "delay" ? await this.witness.serverTimeMs({ signal: scope.signal }) : 0;
          for (;;) {
            const next = await this.#list.next(nowMs, call);
            if (typeof next !== "string") return wait ? next : { found: undefined };
            const item = await this.#claim(next, call);
            if (item !== undefined) return { found: item };
          }
        },
      });
    } catch (error) {
      if (this.#closing.signal.aborted) throw this.#closing.signal.reason;
      throw scope.explain(error);
    } finally {
      scope.end();
    }
  }

  async #claim(name: string, call: CallOptions): Promise<QueueItem<T> | undefined> {
    const claimed = await this.#claims.claim(name, call).catch((error: unknown) => {
      // Whatever became of it, the list no longer has this entry: it is to be read again.
      this.#list.invalidate();
      throw error;
    });
    if (claimed === undefined) return undefined;
    const { entry, data, lost } = claimed;
    let payloads: readonly Buffer[];
    try {
      payloads = this.layout.decode(data);
    } catch (error) {
      // Not of this layout. Left alone it would stand at the head for ever, so its consumer gets it raw.
      this.runtime.logger.warn({ error, path: name }, "an entry is not of the queue's layout");
      payloads = [data];
    }
    const item: QueueItem<T> = new QueueItem({
      path: joinPath(this.layout.entriesPath, name),
      payloads,
      codec: this.#codec,
      owner: this.#claims,
      entry,
      lost,
      onEnd: () => this.#items.delete(item),
    });
    if (this.#closed !== undefined) {
      // Closed while the claim was on its way.
      await item.release();
      throw this.#closing.signal.reason;
    }
    this.#items.add(item);
    return item;
  }

  async #close(): Promise<void> {
    this.#closing.abort(this.#closedError());
    await Promise.all([...this.#items].map((item) => item.release()));
    await this.#list.close();
    await this.#claims.settled();
    await this.witness.close();
  }

  #assertOpen(): void {
    if (this.#closed !== undefined) throw this.#closedError();
  }

  #closedError(): RecipeError {
    const { entriesPath } = this.layout;
    return new RecipeError("CLOSED", `the queue at ${entriesPath} is closed`, {
      context: { path: entriesPath },
    });
  }
}

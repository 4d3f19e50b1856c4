// SPDX-License-Identifier: Apache-2.0
// A value in a znode that several processes change, each change applied exactly once.
import {
  type CallOptions,
  type Codec,
  isRetryable,
  isZooKeeperError,
  type Stat,
  type ZooKeeperClient,
} from "@meerkat/client";
import { Backoff, type Runtime, resolveRuntime, sleep } from "@meerkat/runtime";
import { RecipeError } from "../recipe-error.ts";
import { orAbsent } from "../reread.ts";
import { type WaitOptions, WaitScope } from "../wait-scope.ts";
import { Witness } from "../witness.ts";

const CONFLICT_PAUSE = { initialMs: 2, maxMs: 200 } as const;

/** Something that excludes others while it is held, such as a `Mutex`. */
export interface PromotionLock {
  acquire(options: WaitOptions): Promise<AsyncDisposable>;
}

/** Options of atomic values. */
export interface AtomicValueOptions {
  /**
   * Taken after `optimisticAttemptsMax` lost races, so that under heavy contention a change waits its turn
   * instead of trying for ever (Curator: PromotedToLock). All who change the value should use the same.
   * Default none: optimistic only.
   */
  readonly lock?: PromotionLock | undefined;
  /** Attempts before `lock` is taken. Default 5. */
  readonly optimisticAttemptsMax?: number | undefined;
  readonly runtime?: Partial<Runtime> | undefined;
}

/** A change that was applied. */
export interface AtomicChange<T> {
  readonly previous: T;
  readonly value: T;
}

/** A value as it was read. */
export interface AtomicReading<T> {
  readonly value: T;
  /** Of the znode; -1 while there is none. Pass it to `trySet`. */
  readonly version: number;
}

interface Current<T> extends AtomicReading<T> {
  readonly czxid: bigint;
}

/**
 * The base of the distributed numbers; usable alone with any codec (Curator: DistributedAtomicValue,
 * SharedValue). A change reads, computes and writes if nobody else has written meanwhile; else again.
 *
 * A change whose reply is lost is neither repeated nor given up blindly: an ephemeral child of the znode,
 * one for each object that writes, tells whether it was applied. Only when the session ends at that very
 * moment a change may reject with effect unknown. Empty data reads as the initial value.
 */
export class AtomicValue<T> implements AsyncDisposable {
  readonly path: string;
  /** What a missing or empty znode stands for. */
  readonly initial: T;
  readonly #client: ZooKeeperClient;
  readonly #codec: Codec<T>;
  readonly #runtime: Runtime;
  readonly #lock: PromotionLock | undefined;
  readonly #attemptsMax: number;
  readonly #witness: Witness;

  constructor(
    client: ZooKeeperClient,
    path: string,
    value: { readonly codec: Codec<T>; readonly initial: T },
    options: AtomicValueOptions = {},
  ) {
    this.#client = client;
    this.path = path;
    this.initial = value.initial;
    this.#codec = value.codec;
    this.#runtime = resolveRuntime(options.runtime);
    this.#lock = options.lock;
    this.#attemptsMax = options.optimisticAttemptsMax ?? 5;
    this.#witness = new Witness(client, this.#runtime, path);
  }

  /** The present value. */
  async get(options: CallOptions = {}): Promise<T> {
    return (await this.read(options)).value;
  }

  /** The present value with the version to compare with. */
  async read(options: CallOptions = {}): Promise<AtomicReading<T>> {
    return (await this.#read(options)) ?? { value: this.initial, version: -1 };
  }

  /** Sets the value whatever it is. */
  set(value: T, options: WaitOptions = {}): Promise<AtomicChange<T>> {
    return this.#change(() => value, options) as Promise<AtomicChange<T>>;
  }

  /** Sets the value if nobody has changed it since `reading`. False when somebody has. */
  async trySet(reading: AtomicReading<T>, value: T, options: WaitOptions = {}): Promise<boolean> {
    let stale = false;
    await this.#change((_present, version) => {
      stale = version !== reading.version;
      return stale ? undefined : value;
    }, options);
    return !stale;
  }

  /** Sets the value if it is `expected` (compared as its bytes). False when it is not. */
  async compareAndSet(expected: T, value: T, options: WaitOptions = {}): Promise<boolean> {
    const bytes = Buffer.from(this.#codec.encode(expected));
    const change = await this.#change(
      (present) => (bytes.equals(this.#codec.encode(present)) ? value : undefined),
      options,
    );
    return change !== undefined;
  }

  /**
   * Replaces the value by what `change` makes of it; undefined leaves it. `change` runs again after every
   * lost race, so it must have no effects of its own. Rejects with `TIMEOUT`, `ABORTED`, or as the client
   * does.
   */
  update(
    change: (value: T) => T | undefined,
    options: WaitOptions = {},
  ): Promise<AtomicChange<T> | undefined> {
    return this.#change(change, options);
  }

  /** The present value and every later one that the reader has time for; ends with the signal. */
  async *watch(options: { readonly signal?: AbortSignal | undefined } = {}): AsyncGenerator<T> {
    for await (const state of this.#client.watchNode(this.path, options)) {
      yield state === null || state.data.length === 0 ? this.initial : this.#codec.decode(state.data);
    }
  }

  /** Deletes what this object keeps on the server; the value stays. */
  close(): Promise<void> {
    return this.#witness.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #read(call: CallOptions): Promise<Current<T> | undefined> {
    const found = await orAbsent(this.#client.get(this.path, call));
    if (found === undefined) return undefined;
    const { data, stat } = found;
    const value = data.length === 0 ? this.initial : this.#codec.decode(data);
    return { value, version: stat.version, czxid: stat.czxid };
  }

  async #change(
    change: (value: T, version: number) => T | undefined,
    options: WaitOptions,
  ): Promise<AtomicChange<T> | undefined> {
    const scope = new WaitScope(this.#runtime.clock, options, `changing ${this.path}`, this.path);
    let lock: AsyncDisposable | undefined;
    try {
      const backoff = new Backoff(CONFLICT_PAUSE, this.#runtime.random);
      for (let attempt = 1; ; attempt++) {
        if (attempt > this.#attemptsMax && lock === undefined && this.#lock !== undefined) {
          lock = await this.#lock.acquire({ signal: scope.signal });
        }
        const current = await this.#read(scope.call);
        const value = change(current?.value ?? this.initial, current?.version ?? -1);
        if (value === undefined) return undefined;
        if (await this.#write(current, value, scope.signal)) {
          return { previous: current?.value ?? this.initial, value };
        }
        scope.check();
        // Whoever holds the lock has only optimists against it.
        if (lock === undefined) await sleep(this.#runtime.clock, backoff.nextMs(), scope.signal);
      }
    } catch (error) {
      // A write in flight when the limit passed may still be applied: that must not look like none.
      if (isZooKeeperError(error) && error.effect === "unknown") throw error;
      throw scope.explain(error);
    } finally {
      scope.end();
      await lock?.[Symbol.asyncDispose]();
    }
  }

  /** False when the value was not written because another write came first. */
  async #write(current: Current<T> | undefined, value: T, signal: AbortSignal): Promise<boolean> {
    const data = this.#codec.encode(value);
    if (current?.version === -1) {
      throw new RecipeError(
        "CONFLICT",
        `${this.path}: its version has wrapped to -1, which compares with anything; set the znode once plainly`,
        { context: { path: this.path } },
      );
    }
    try {
      if (current === undefined) {
        // Made with the initial value, which is the same whoever makes it; the change follows.
        await this.#client.create(this.path, this.#codec.encode(this.initial), {
          signal,
          timeoutMs: 0,
          createParents: true,
          idempotent: true,
        });
        return false;
      }
      await this.#witness.commit([{ op: "set", path: this.path, data, version: current.version }], {
        signal,
      });
      return true;
    } catch (error) {
      if (!isZooKeeperError(error)) throw error;
      // Not done in the session that it was meant for: it is as good in the next one.
      if (isRetryable(error) && this.#client.state !== "expired") return false;
      if (error.code === "BAD_VERSION" || error.code === "NODE_EXISTS" || error.code === "NO_NODE")
        return false;
      if (error.effect !== "unknown" || current === undefined || signal.aborted) throw error;
      // The session ended with the reply, and took the witness along. The value may still tell.
      if (await this.#surelyNotApplied(current, data)) return false;
      throw error;
    }
  }

  async #surelyNotApplied(before: Current<T>, data: Uint8Array): Promise<boolean> {
    const found = await orAbsent(this.#client.get(this.path)).catch(() => undefined);
    if (found === undefined) return false;
    const { stat }: { readonly stat: Stat } = found;
    if (stat.czxid !== before.czxid) return false;
    if (stat.version === before.version) return true;
    return stat.version === ((before.version + 1) | 0) && !found.data.equals(data);
  }
}

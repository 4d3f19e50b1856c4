// SPDX-License-Identifier: Apache-2.0
// One path with a codec: a znode whose data is a value.
import type { Stat } from "@meerkat/wire";
import type { Codec } from "./codec.ts";
import { ZooKeeperError } from "./errors.ts";
import type { CreateOptions, SetOptions, WatchableCallOptions } from "./operations/call-options.ts";
import type { CreateResult } from "./operations/create.ts";
import type { ZnodeOperations } from "./znode-operations.ts";

/** A value and the state of the znode that held it. */
export interface ZnodeValue<T> {
  readonly value: T;
  readonly stat: Stat;
}

/**
 * A znode as a typed value. Calls are those of the client, which see for their errors; data that the codec
 * refuses rejects with `MARSHALLING_ERROR` and the codec's error as cause.
 */
export class Znode<T> {
  readonly path: string;
  readonly #client: ZnodeOperations;
  readonly #codec: Codec<T>;

  /** @internal */
  constructor(client: ZnodeOperations, path: string, codec: Codec<T>) {
    this.#client = client;
    this.path = path;
    this.#codec = codec;
  }

  /** Reads the value. */
  async get(options?: WatchableCallOptions): Promise<ZnodeValue<T>> {
    const { data, stat } = await this.#client.get(this.path, options);
    return { value: this.#decode(data), stat };
  }

  /** Creates the znode. */
  async create(value: T, options?: CreateOptions): Promise<CreateResult> {
    return this.#client.create(this.path, this.#encode(value), options);
  }

  /** Replaces the value. */
  async set(value: T, options?: SetOptions): Promise<Stat> {
    return this.#client.set(this.path, this.#encode(value), options);
  }

  /**
   * Changes the value if nobody else does meanwhile, else again. `change` gets null where there is no znode
   * and `create` is set; it returns undefined to leave things as they are.
   */
  update(
    change: (value: T | null, stat: Stat | null) => T | undefined | Promise<T | undefined>,
    options?: Parameters<ZnodeOperations["update"]>[2],
  ): Promise<Stat | null> {
    return this.#client.update(
      this.path,
      async (current) => {
        const value = current === null ? null : this.#decode(current.data);
        const changed = await change(value, current?.stat ?? null);
        return changed === undefined ? undefined : this.#encode(changed);
      },
      options,
    );
  }

  /** The present value and all later ones; null while there is no znode. See `ZooKeeperClient.watchNode`. */
  async *watch(options?: {
    readonly signal?: AbortSignal | undefined;
  }): AsyncGenerator<ZnodeValue<T> | null> {
    for await (const state of this.#client.watchNode(this.path, options)) {
      yield state === null ? null : { value: this.#decode(state.data), stat: state.stat };
    }
  }

  #encode(value: T): Uint8Array {
    try {
      return this.#codec.encode(value);
    } catch (error) {
      throw this.#error("the value cannot be written", error);
    }
  }

  #decode(data: Buffer): T {
    try {
      return this.#codec.decode(data);
    } catch (error) {
      throw this.#error("the data cannot be read", error);
    }
  }

  #error(why: string, cause: unknown): ZooKeeperError {
    return new ZooKeeperError(
      "MARSHALLING_ERROR",
      `${this.path}: ${why} as ${this.#codec.name} (MARSHALLING_ERROR)`,
      {
        context: { path: this.path },
        cause,
      },
    );
  }
}

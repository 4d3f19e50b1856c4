// SPDX-License-Identifier: Apache-2.0

import type { Data } from "./operations/arguments.ts";
import type {
  TransactionCreateResult,
  TransactionOperation,
  TransactionSetResult,
} from "./operations/multi.ts";
import type { CallOptions } from "./session/request.ts";

type Create = Extract<TransactionOperation, { readonly op: "create" }>;

/**
 * Operations that are applied together or not at all, put together step by step. `R` is the tuple of
 * results that `commit` gives.
 */
export class Transaction<R extends readonly unknown[] = []> {
  readonly #commit: (operations: TransactionOperation[], call?: CallOptions) => Promise<unknown[]>;
  readonly #operations: TransactionOperation[] = [];

  /** @internal */
  constructor(commit: (operations: TransactionOperation[], call?: CallOptions) => Promise<unknown[]>) {
    this.#commit = commit;
  }

  /** Creates a znode. */
  create(
    path: string,
    data?: Data,
    options: Pick<Create, "mode" | "acl" | "ttlMs"> = {},
  ): Transaction<[...R, TransactionCreateResult]> {
    return this.#add({ op: "create", path, data, ...options });
  }

  /** Replaces the data of a znode. */
  set(
    path: string,
    data: Data,
    options: { readonly version?: number | undefined } = {},
  ): Transaction<[...R, TransactionSetResult]> {
    return this.#add({ op: "set", path, data, ...options });
  }

  /** Deletes a znode. */
  delete(
    path: string,
    options: { readonly version?: number | undefined } = {},
  ): Transaction<[...R, undefined]> {
    return this.#add({ op: "delete", path, ...options });
  }

  /** Demands that a znode exists (at a version). */
  check(
    path: string,
    options: { readonly version?: number | undefined } = {},
  ): Transaction<[...R, undefined]> {
    return this.#add({ op: "check", path, ...options });
  }

  /** Sends it; see `ZooKeeperClient.multi`. May be called again, to try the same once more. */
  commit(call?: CallOptions): Promise<R> {
    return this.#commit([...this.#operations], call) as Promise<unknown> as Promise<R>;
  }

  #add<N extends readonly unknown[]>(operation: TransactionOperation): Transaction<N> {
    this.#operations.push(operation);
    return this as unknown as Transaction<N>;
  }
}

// SPDX-License-Identifier: Apache-2.0
// Optimistic update: read, change, write if nobody else has written meanwhile; else again.
import { Backoff, type Runtime, sleep } from "@meerkat/runtime";
import type { Stat } from "@meerkat/wire";
import type { Deadline } from "./deadline.ts";
import { isZooKeeperError, ZooKeeperError } from "./errors.ts";
import type { Data } from "./operations/arguments.ts";
import type { GetResult } from "./operations/get.ts";
import type { CallOptions } from "./session/request.ts";

const CONFLICTS_MAX = 100;
const DELAY_INITIAL_MS = 2;
const DELAY_MAX_MS = 200;

/** The operations that an update is made of. */
export interface UpdateOperations {
  get(path: string, call: CallOptions): Promise<GetResult>;
  set(
    path: string,
    data: Data,
    options: { readonly version: number; readonly idempotent: true } & CallOptions,
  ): Promise<Stat>;
  create(
    path: string,
    data: Data,
    options: { readonly idempotent: true } & CallOptions,
  ): Promise<{ readonly stat: Stat }>;
}

/**
 * Gets the present data (null when there is no znode and `create` was asked for) and returns the new one,
 * or undefined to leave it. Called anew after each conflict, so it must have no lasting effects of its own.
 */
export type Change = (current: GetResult | null) => Data | undefined | Promise<Data | undefined>;

/** Runs an update; resolves with the state written, or the present one when `change` left it. */
export async function update(
  client: UpdateOperations,
  path: string,
  change: Change,
  options: { readonly create: boolean; readonly runtime: Runtime; readonly deadline: Deadline },
): Promise<Stat | null> {
  const { create, runtime, deadline } = options;
  const backoff = new Backoff({ initialMs: DELAY_INITIAL_MS, maxMs: DELAY_MAX_MS }, runtime.random);
  for (let conflicts = 1; ; conflicts++) {
    const current = await client.get(path, deadline.call()).catch((error: unknown) => {
      if (create && isZooKeeperError(error, "NO_NODE")) return null;
      throw error;
    });
    const data = await change(current);
    if (data === undefined) return current?.stat ?? null;
    if (current?.stat.version === -1) {
      // The counter has wrapped to the value that means "any": the comparison would be none.
      throw new ZooKeeperError(
        "BAD_VERSION",
        `update ${path}: version -1 cannot be compared; set it once plainly`,
        {
          context: { path, operation: "update" },
        },
      );
    }
    try {
      if (current === null)
        return (await client.create(path, data, { ...deadline.call(), idempotent: true })).stat;
      const { version } = current.stat;
      return await client.set(path, data, { ...deadline.call(), version, idempotent: true });
    } catch (error) {
      const conflict =
        isZooKeeperError(error, "BAD_VERSION") ||
        (create && (isZooKeeperError(error, "NODE_EXISTS") || isZooKeeperError(error, "NO_NODE")));
      if (!conflict || conflicts >= CONFLICTS_MAX || deadline.passed) throw error;
    }
    await sleep(runtime.clock, backoff.nextMs(), deadline.call().signal);
  }
}

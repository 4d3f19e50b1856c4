// SPDX-License-Identifier: Apache-2.0
// Deleting what must not stay: a contender left behind blocks everyone for as long as the session lives.
import { isRetryable, isZooKeeperError, type ZooKeeperClient } from "@meerkat/client";
import { Backoff, type Runtime, sleep } from "@meerkat/runtime";

const INITIAL_MS = 20;
const MAX_MS = 2_000;
/** A request that removal makes waits for a connection as long as there may be one. */
const PATIENT = { timeoutMs: 0 } as const;

/** Deletes one znode, or several in one step; those that are gone already do not matter. */
async function deleteAll(client: ZooKeeperClient, paths: readonly string[]): Promise<void> {
  if (paths.length > 1) {
    try {
      await client.multi(
        paths.map((path) => ({ op: "delete", path }) as const),
        PATIENT,
      );
      return;
    } catch (error) {
      if (!isZooKeeperError(error, "NO_NODE")) throw error;
    }
  }
  for (const path of paths) {
    try {
      await client.delete(path, PATIENT);
    } catch (error) {
      if (!isZooKeeperError(error, "NO_NODE")) throw error;
    }
  }
}

/**
 * Deletes znodes over lost connections and sessions until they are gone or the client has ended (then they
 * go with its session). `locate` gives the paths, and is asked again at every try. Never rejects: what
 * cannot be deleted for good (no permission) is logged.
 */
export async function deleteSurely(
  client: ZooKeeperClient,
  runtime: Runtime,
  locate: () => readonly string[] | Promise<readonly string[]>,
): Promise<void> {
  const backoff = new Backoff({ initialMs: INITIAL_MS, maxMs: MAX_MS }, runtime.random);
  for (;;) {
    try {
      const paths = await locate();
      if (paths.length > 0) await deleteAll(client, paths);
      return;
    } catch (error) {
      const { state } = client;
      if (state === "closed" || state === "authFailed" || state === "expired") return;
      if (!isRetryable(error, { idempotent: true })) {
        runtime.logger.error({ error }, "a znode that must go could not be deleted");
        return;
      }
      await sleep(runtime.clock, backoff.nextMs());
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
// Creating a contender's znodes so that none is ever left behind: their names hold an id by which they are
// found again when a reply is lost.
import {
  type Acl,
  type CallOptions,
  isRetryable,
  isZooKeeperError,
  joinPath,
  type ZooKeeperClient,
} from "@meerkat/client";
import { Backoff, isCodedError, type Runtime, sleep } from "@meerkat/runtime";
import type { ContenderNames } from "./contender-name.ts";
import { RecipeError } from "./recipe-error.ts";
import { deleteSurely } from "./removal.ts";
import type { WaitScope } from "./wait-scope.ts";

/** A root makes way so often (an empty container may vanish) before the error is thrown. */
const ROOT_ROUNDS_MAX = 20;
const INITIAL_MS = 20;
const MAX_MS = 1_000;

/** Where contenders queue and how their znodes look. */
export interface ContenderQueue {
  readonly client: ZooKeeperClient;
  readonly runtime: Runtime;
  /** The parent of the znodes; made when missing. */
  readonly root: string;
  readonly names: ContenderNames;
  /** Data of the znodes: who contends, for people and for `contenders`. */
  readonly data: string;
  readonly acl: readonly Acl[] | undefined;
  /** Default ephemeralSequential. */
  readonly mode?: "ephemeral" | "ephemeralSequential" | undefined;
  /** Paths that must exist at the moment of the creation; one that does not gives `LOST`. */
  readonly guards?: (() => readonly string[]) | undefined;
}

/** Paths of all znodes that carry the id, as the ensemble's leader knows them. */
export async function findById(queue: ContenderQueue, id: string, call: CallOptions): Promise<string[]> {
  const { client, root } = queue;
  const hex = id.replaceAll("-", "");
  // The server that we are connected to now may lag behind the one that took the create.
  await client.sync(root, call);
  try {
    const { children } = await client.children(root, call);
    return children
      .filter((name) => name.replaceAll("-", "").includes(hex))
      .sort((a, b) => Number(b.startsWith("_c_")) - Number(a.startsWith("_c_")))
      .map((name) => joinPath(root, name));
  } catch (error) {
    if (isZooKeeperError(error, "NO_NODE")) return [];
    throw error;
  }
}

/** One try, in one step. */
async function createOnce(queue: ContenderQueue, id: string, scope: WaitScope): Promise<string[]> {
  const { client, root, data, acl, mode = "ephemeralSequential" } = queue;
  const paths = queue.names(id).map((name) => joinPath(root, name));
  const guards = queue.guards?.() ?? [];
  const [path = root] = paths;
  if (paths.length + guards.length === 1) {
    const created = await client.create(path, data, { mode, acl, ...scope.call });
    return [created.path];
  }
  const creates = paths.map((each) => ({ op: "create", path: each, data, acl, mode }) as const);
  const checks = guards.map((each) => ({ op: "check", path: each }) as const);
  try {
    const results = await client.multi([...creates, ...checks], scope.call);
    return results.flatMap((each) => (each === undefined ? [] : [each.path]));
  } catch (error) {
    const at = isZooKeeperError(error, "NO_NODE") ? error.context.index : undefined;
    if (at === undefined || at < creates.length) throw error;
    const guard = guards[at - creates.length];
    throw new RecipeError("LOST", `${guard} is gone, and with it the right to create ${path}`, {
      cause: error,
      context: { path: guard, reason: "deleted" },
    });
  }
}

/** True when the failure passes by itself and the client still serves. */
function isPassing(client: ZooKeeperClient, error: unknown): boolean {
  const over = client.state === "closed" || client.state === "authFailed" || client.state === "expired";
  return !over && isRetryable(error, { idempotent: true });
}

/**
 * Creates the znodes of a contender with all missing ancestors, over lost connections and sessions until
 * the scope ends. They may belong to a session that is over by now: the caller must compare the owner.
 * When it rejects, whatever may have been made is deleted in the background.
 */
export async function createEntry(
  queue: ContenderQueue,
  id: string,
  scope: WaitScope,
): Promise<readonly string[]> {
  const { client, runtime, root } = queue;
  const backoff = new Backoff({ initialMs: INITIAL_MS, maxMs: MAX_MS }, runtime.random);
  let inDoubt = false;
  let isRootMissing = false;
  let rounds = 0;
  try {
    for (;;) {
      try {
        if (isRootMissing) {
          await client.ensurePath(root, { acl: queue.acl, ...scope.call });
          isRootMissing = false;
        }
        if (inDoubt) {
          const found = await findById(queue, id, scope.call);
          if (found.length > 0) return found;
          inDoubt = false;
        }
        return await createOnce(queue, id, scope);
      } catch (error) {
        if (isCodedError(error) && error.effect !== "none") inDoubt = true;
        if (scope.over) throw error;
        if (isZooKeeperError(error, "NO_NODE") && ++rounds <= ROOT_ROUNDS_MAX) {
          isRootMissing = true;
          continue;
        }
        if (!isPassing(client, error)) throw error;
        await sleep(runtime.clock, backoff.nextMs(), scope.signal);
      }
    }
  } catch (error) {
    if (inDoubt) void deleteSurely(client, runtime, () => findById(queue, id, { timeoutMs: 0 }));
    throw scope.explain(error);
  }
}

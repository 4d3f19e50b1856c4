// SPDX-License-Identifier: Apache-2.0
// Writes whose reply may be lost: instead of leaving open whether they happened, these look and try again.
import { joinPath, nodeName, parentPath, type Stat } from "@meerkat/wire";
import type { Deadline } from "./deadline.ts";
import { isZooKeeperError } from "./errors.ts";
import type { CreateResult } from "./operations/create.ts";
import type { GetResult } from "./operations/get.ts";
import type { CallOptions } from "./session/request.ts";

/** The plain operations that these are made of. */
export interface PlainOperations {
  readonly sessionId: bigint;
  get(path: string, call: CallOptions): Promise<GetResult>;
  exists(path: string, call: CallOptions): Promise<Stat | null>;
  children(path: string, call: CallOptions): Promise<{ readonly children: readonly string[] }>;
  sync(path: string, call: CallOptions): Promise<void>;
  delete(path: string, call: { readonly version?: number | undefined } & CallOptions): Promise<void>;
}

/** Prefix of protected names, as in Curator: `_c_<uuid>-name`. */
const PROTECTED_PREFIX = "_c_";

/** True when the reply was lost with the connection: the only failure that looking can resolve. */
function isLost(error: unknown): boolean {
  return isZooKeeperError(error, "CONNECTION_LOSS") && error.effect === "unknown";
}

/** Runs `attempt` until its reply arrives; `recovered` turns failures of later tries into results. */
async function untilAnswered<T>(
  attempt: () => Promise<T>,
  recovered: (error: unknown) => Promise<T>,
): Promise<T> {
  for (let again = false; ; again = true) {
    try {
      return await attempt();
    } catch (error) {
      if (isLost(error)) continue;
      if (!again) throw error;
      return recovered(error);
    }
  }
}

/**
 * Creates a znode; after a lost reply one that exists with our data, at its first version and (when
 * ephemeral) owned by our session is taken for our own.
 */
export function createIdempotently(
  client: PlainOperations,
  create: (call: CallOptions) => Promise<CreateResult>,
  expected: { readonly path: string; readonly data: Uint8Array | null; readonly ephemeral: boolean },
  deadline: Deadline,
): Promise<CreateResult> {
  return untilAnswered(
    () => create(deadline.call()),
    async (error) => {
      if (!isZooKeeperError(error, "NODE_EXISTS")) throw error;
      const { data, stat } = await client.get(expected.path, deadline.call());
      const owner = expected.ephemeral ? client.sessionId : 0n;
      const ours =
        stat.version === 0 && stat.ephemeralOwner === owner && data.equals(expected.data ?? Buffer.alloc(0));
      if (!ours) throw error;
      return { path: expected.path, stat };
    },
  );
}

/** Sets data; after a lost reply the next version with our data is taken for our own write. */
export function setIdempotently(
  client: PlainOperations,
  set: (call: CallOptions) => Promise<Stat>,
  expected: { readonly path: string; readonly data: Uint8Array | null; readonly version: number },
  deadline: Deadline,
): Promise<Stat> {
  return untilAnswered(
    () => set(deadline.call()),
    async (error) => {
      if (expected.version === -1 || !isZooKeeperError(error, "BAD_VERSION")) throw error;
      const { data, stat } = await client.get(expected.path, deadline.call());
      // Versions are 32-bit and wrap.
      const ours =
        stat.version === ((expected.version + 1) | 0) && data.equals(expected.data ?? Buffer.alloc(0));
      if (!ours) throw error;
      return stat;
    },
  );
}

/** Deletes; after a lost reply a znode that is gone counts as deleted. */
export function deleteIdempotently(
  remove: (call: CallOptions) => Promise<void>,
  deadline: Deadline,
): Promise<void> {
  return untilAnswered(
    () => remove(deadline.call()),
    async (error) => {
      if (!isZooKeeperError(error, "NO_NODE")) throw error;
    },
  );
}

/** A protected create: what to make, and the id that tells it from all others. */
export interface ProtectedCreate {
  readonly path: string;
  /** Unique. */
  readonly id: string;
  readonly ephemeral: boolean;
  /** Creates under the protected path. */
  readonly create: (path: string, call: CallOptions) => Promise<CreateResult>;
}

/** The path that a protected create uses: the id in front of the name. */
export function protectedPath(path: string, id: string): string {
  return joinPath(parentPath(path), `${PROTECTED_PREFIX}${id}-${nodeName(path)}`);
}

/** Finds what a protected create made, if it made it. */
async function findProtected(
  client: PlainOperations,
  { path, id }: ProtectedCreate,
  call: () => CallOptions,
): Promise<CreateResult | undefined> {
  const parent = parentPath(path);
  // The server that we are connected to now may lag behind the one that took the create.
  await client.sync(parent, call());
  const children = await client.children(parent, call()).then(
    (result) => result.children,
    (error: unknown) => {
      if (isZooKeeperError(error, "NO_NODE")) return [];
      throw error;
    },
  );
  const name = children.find((each) => each.startsWith(`${PROTECTED_PREFIX}${id}-`));
  if (name === undefined) return undefined;
  const found = joinPath(parent, name);
  const stat = await client.exists(found, call());
  return stat === null ? undefined : { path: found, stat };
}

/**
 * Creates a znode whose name holds an id, so that after a lost reply it can be found instead of made
 * twice. One that a former session of this client made is deleted and made anew. When the call is given up
 * with its outcome unknown, `onAbandoned` gets a task that finds and deletes the leftover.
 */
export async function createProtected(
  client: PlainOperations,
  request: ProtectedCreate,
  deadline: Deadline,
  onAbandoned: (task: () => Promise<void>) => void,
): Promise<CreateResult> {
  const path = protectedPath(request.path, request.id);
  let inDoubt = false;
  try {
    for (;;) {
      try {
        if (inDoubt) {
          const found = await findProtected(client, request, () => deadline.call());
          if (found !== undefined) {
            if (!request.ephemeral || found.stat.ephemeralOwner === client.sessionId) return found;
            await deleteIdempotently((call) => client.delete(found.path, call), deadline);
          }
          inDoubt = false;
        }
        return await request.create(path, deadline.call());
      } catch (error) {
        if (!isLost(error)) throw error;
        inDoubt = true;
      }
    }
  } catch (error) {
    if (inDoubt || (isZooKeeperError(error) && error.effect === "unknown")) {
      onAbandoned(async () => {
        const found = await findProtected(client, request, () => ({ timeoutMs: 0 }));
        if (found !== undefined) await client.delete(found.path, { timeoutMs: 0 });
      });
    }
    throw error;
  }
}

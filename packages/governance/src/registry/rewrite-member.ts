// SPDX-License-Identifier: Apache-2.0
// Changing what someone else registered, for tools that drain or reweigh a running instance: read, lay the
// change over, write if nobody else wrote meanwhile. What the codec does not know stays as it is.
import { isZooKeeperError, type ZooKeeperClient } from "@meerkat/client";
import { GovernanceError } from "../errors.ts";
import type { InstanceCodec } from "./instance-codec.ts";

/** What `rewriteMember` changes, and how. */
export interface RewriteOptions {
  /** The member's znode, `Endpoint.path`. */
  readonly path: string;
  readonly codec: InstanceCodec;
  /** Fields to set; a value of undefined removes one. Not host, port or id. */
  readonly changes: Readonly<Record<string, unknown>>;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

/** How often to begin again when others write at the same time. */
const ATTEMPTS_MAX = 10;

/**
 * Rewrites a member in place. Rejects with `INVALID_INSTANCE` when the layout or the data does not allow it,
 * `CONFLICT` when others keep writing, and with the client's error. A registration of our own puts back
 * what it wants: use its `updateInstance`.
 */
export async function rewriteMember(client: ZooKeeperClient, options: RewriteOptions): Promise<void> {
  const { path, codec, changes, ...call } = options;
  if (codec.rewrite === undefined) {
    throw new GovernanceError(`members of the layout ${codec.name} cannot be changed in place`, {
      code: "INVALID_INSTANCE",
      context: { path },
    });
  }
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const { data, stat } = await client.get(path, call);
    const changed = codec.rewrite(data, changes);
    try {
      await client.set(path, changed, { ...call, version: stat.version });
      return;
    } catch (error) {
      if (!isZooKeeperError(error, "BAD_VERSION")) throw error;
    }
  }
  throw new GovernanceError(`${path} was changed by others ${ATTEMPTS_MAX} times in a row`, {
    code: "CONFLICT",
    context: { path, attempts: ATTEMPTS_MAX },
  });
}

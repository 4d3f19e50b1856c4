// SPDX-License-Identifier: Apache-2.0
// Members whose name is the instance's own, and what to do when it is in use.
import { joinPath, type Stat } from "@meerkat/client";
import { GovernanceError } from "../errors.ts";
import type { EncodedInstance } from "./instance-codec.ts";
import type { RegistrarShared } from "./registrar.ts";

/**
 * Comes to a name that is in use. Gives the stat of a znode of this session: the one that a lost reply was
 * about. One of an earlier session of ours, or with `mayReplace` of another process, is replaced in one
 * step, so that nobody sees the instance leave; then, and when it has just gone, the result is undefined:
 * try again. Anyone else's stands (`CONFLICT`): two who were given one name must not fight over it.
 * @internal
 */
export async function takeName(
  { client, root, sessions, acl }: RegistrarShared,
  { name, mode, data }: EncodedInstance,
  options: { readonly mayReplace: boolean; readonly signal: AbortSignal },
): Promise<Stat | undefined> {
  const { mayReplace, signal } = options;
  const path = joinPath(root, name);
  const stat = await client.exists(path, { signal });
  if (stat === null) return undefined;
  const { ephemeralOwner, version } = stat;
  if (ephemeralOwner === client.sessionId) return stat;
  // A persistent znode was put there by someone on purpose.
  if (!sessions.has(ephemeralOwner) && !(mayReplace && ephemeralOwner !== 0n)) {
    const holder = ephemeralOwner === 0n ? "a persistent znode" : "another process";
    throw new GovernanceError(`its name ${path} is held by ${holder}: give the instance another id`, {
      code: "CONFLICT",
      context: { path },
    });
  }
  await client.transaction().delete(path, { version }).create(path, data, { mode, acl }).commit({ signal });
  return undefined;
}

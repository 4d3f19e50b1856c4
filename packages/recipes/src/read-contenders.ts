// SPDX-License-Identifier: Apache-2.0
import { isZooKeeperError, type ZooKeeperClient } from "@meerkat/client";
import { type ContenderName, contendersOf } from "./contender-name.ts";

/** The contenders under a root, first come first; none when there is no root. */
export async function readContenders(
  client: ZooKeeperClient,
  root: string,
  call?: { readonly signal?: AbortSignal | undefined; readonly timeoutMs?: number | undefined },
): Promise<ContenderName[]> {
  try {
    return contendersOf((await client.children(root, call)).children);
  } catch (error) {
    if (isZooKeeperError(error, "NO_NODE")) return [];
    throw error;
  }
}

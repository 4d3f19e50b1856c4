// SPDX-License-Identifier: Apache-2.0
// The state that the server itself gets from a directory, in the model's form.
import type { Storage } from "@meerkat/server/log";
import { Replica } from "../../../packages/server/src/tree/replica.ts";
import { ModelTree } from "./model-tree.ts";

/** Recovers as a starting server does. */
export async function serverState(storage: Storage): Promise<ModelTree> {
  const replica = new Replica();
  const { lastZxid } = await storage.recover(replica);
  replica.finishRecovery(lastZxid);
  const tree = new ModelTree();
  tree.lastZxid = lastZxid;
  for (const [id, timeoutMs] of replica.sessions()) tree.restoreSession(id, timeoutMs);
  for (const node of replica.nodes()) tree.restoreNode(node);
  return tree;
}

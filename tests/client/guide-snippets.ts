// SPDX-License-Identifier: Apache-2.0
// The programs that the guides about the client show. Each region is one code block there, word for word;
// guides.test.ts compares them and runs them.
import { isZooKeeperError, json, ZooKeeperClient } from "@meerkat/client";

export async function connecting(hosts: string): Promise<ZooKeeperClient> {
  // #region connecting
  const client = await ZooKeeperClient.connect({ hosts, sessionTimeoutMs: 10_000 });
  client.onState((state) => console.log("ZooKeeper:", state));
  // #endregion
  return client;
}

export async function workingUnderSession(
  client: ZooKeeperClient,
  doOneStep: (signal: AbortSignal) => Promise<boolean>,
): Promise<void> {
  // #region working-under-a-session
  const { session } = client;
  await client.create("/workers/w-", null, { mode: "ephemeralSequential", createParents: true });
  while (session.vouchedMs > 1_000 && (await doOneStep(session.lost))) {
    // The znode above is surely still ours for a second when a step begins; a step that is under way when
    // the session is lost is aborted.
  }
  // #endregion
}

export async function keepingEphemeral(client: ZooKeeperClient, signal: AbortSignal): Promise<void> {
  // #region keeping-an-ephemeral
  let owner = 0n;
  for await (const state of client.states({ signal })) {
    if (state !== "connected" || client.sessionId === owner) continue;
    owner = client.sessionId;
    await client.create("/members/me", "here", { mode: "ephemeral", createParents: true, idempotent: true });
  }
  // #endregion
}

export async function retrying(client: ZooKeeperClient): Promise<void> {
  // #region retrying
  await client.retry(() => client.set("/status", "ready"), { idempotent: true });
  // #endregion
}

export async function handingOver(client: ZooKeeperClient, hosts: string): Promise<ZooKeeperClient> {
  // #region handing-over
  const session = await client.handOver();
  const successor = await ZooKeeperClient.connect({ hosts, session });
  // #endregion
  return successor;
}

export async function handlingErrors(client: ZooKeeperClient): Promise<void> {
  // #region handling-errors
  try {
    await client.create("/config/limit", "10");
  } catch (error) {
    if (isZooKeeperError(error, "NODE_EXISTS")) return;
    throw error;
  }
  // #endregion
}

export async function watching(client: ZooKeeperClient, apply: (limit: number) => void): Promise<void> {
  // #region watching
  for await (const current of client.znode("/config/limit", json<number>()).watch()) {
    if (current === null) break;
    apply(current.value);
  }
  // #endregion
}

export async function watchingSubtree(client: ZooKeeperClient, reload: () => Promise<void>): Promise<void> {
  // #region watching-a-subtree
  await using watch = await client.addWatch("/config", { recursive: true });
  await reload();
  for await (const event of watch) {
    // "resync": the watch is armed again after a gap, and changes may have been missed.
    console.log(event.type, event.path);
    await reload();
    if (event.type === "deleted" && event.path === "/config") break;
  }
  // #endregion
}

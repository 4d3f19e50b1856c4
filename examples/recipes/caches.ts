// SPDX-License-Identifier: Apache-2.0
import { ZooKeeperClient } from "@meerkat/client";
import { TreeCache } from "@meerkat/recipes";
import { EmbeddedServer } from "@meerkat/server";

await using zookeeper = await EmbeddedServer.start({ memory: true });
await using client = await ZooKeeperClient.connect(zookeeper.connectString);
await client.create("/config/db/url", "db-1", { createParents: true });

await using cache = await TreeCache.open(client, "/config");
console.log("at first:", [...cache.snapshot().nodes.keys()].join(" "));
const enough = new AbortController();
for await (const { changes } of cache.changes({ signal: enough.signal })) {
  for (const change of changes) {
    if (change.path !== "/config/db/url" || change.type === "removed") continue;
    console.log(change.type, String(change.node.data));
    if (change.type === "added") await client.set(change.path, "db-2");
    else enough.abort();
  }
}

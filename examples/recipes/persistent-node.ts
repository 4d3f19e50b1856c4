// SPDX-License-Identifier: Apache-2.0
import { ZooKeeperClient } from "@meerkat/client";
import { PersistentNode } from "@meerkat/recipes";
import { EmbeddedServer } from "@meerkat/server";

await using zookeeper = await EmbeddedServer.start({ memory: true });
await using client = await ZooKeeperClient.connect(zookeeper.connectString);

await using node = new PersistentNode(client, "/presence/host-1", { data: "ready" });
await node.ready({ timeoutMs: 5_000 });
await client.delete("/presence/host-1");
await node.ready({ timeoutMs: 5_000 });
await node.setData("busy");
console.log("still there:", String((await client.get("/presence/host-1")).data));

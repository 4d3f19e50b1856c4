// SPDX-License-Identifier: Apache-2.0
import { ZooKeeperClient } from "@meerkat/client";
import { Lock, MultiLock } from "@meerkat/recipes";
import { EmbeddedServer } from "@meerkat/server";

await using zookeeper = await EmbeddedServer.start({ memory: true });
await using client = await ZooKeeperClient.connect(zookeeper.connectString);

const accounts = new MultiLock([new Lock(client, "/locks/b"), new Lock(client, "/locks/a")]);
await using both = await accounts.acquire({ timeoutMs: 10_000 });
console.log("taken in order:", accounts.paths.join(", "));
await client.multi([...both.fence(), { op: "create", path: "/transfer", data: "from a to b" }]);

// SPDX-License-Identifier: Apache-2.0
import { ZooKeeperClient } from "@meerkat/client";
import { Barrier } from "@meerkat/recipes";
import { EmbeddedServer } from "@meerkat/server";

await using zookeeper = await EmbeddedServer.start({ memory: true });
await using client = await ZooKeeperClient.connect(zookeeper.connectString);

const maintenance = new Barrier(client, "/barriers/maintenance");
await maintenance.create();
const worker = maintenance.wait({ timeoutMs: 10_000 }).then(() => console.log("the worker goes on"));
console.log("maintenance is over");
await maintenance.remove();
await worker;

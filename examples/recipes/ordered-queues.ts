// SPDX-License-Identifier: Apache-2.0
import { ZooKeeperClient } from "@meerkat/client";
import { DelayQueue, PriorityQueue } from "@meerkat/recipes";
import { EmbeddedServer } from "@meerkat/server";

await using zookeeper = await EmbeddedServer.start({ memory: true });
await using client = await ZooKeeperClient.connect(zookeeper.connectString);

await using priorities = new PriorityQueue(client, "/queues/jobs");
await priorities.put(Buffer.from("backup"), { priority: 500 });
await priorities.put(Buffer.from("alarm"), { priority: 1 });
await using urgent = await priorities.take();
console.log("first:", String(urgent.data));

await using delayed = new DelayQueue(client, "/queues/reminders");
await delayed.put(Buffer.from("later"), { delayMs: 200 });
console.log("now:", await delayed.tryTake());
await using due = await delayed.take({ timeoutMs: 5_000 });
console.log("due:", String(due.data));

// SPDX-License-Identifier: Apache-2.0
import { ZooKeeperClient } from "@meerkat/client";
import { AtomicLong, Counter, Lock } from "@meerkat/recipes";
import { EmbeddedServer } from "@meerkat/server";

await using zookeeper = await EmbeddedServer.start({ memory: true });
await using client = await ZooKeeperClient.connect(zookeeper.connectString);

// Curator's DistributedAtomicLong; the lock serves when many change it at once.
await using orders = new AtomicLong(client, "/numbers/orders", {
  lock: new Lock(client, "/numbers/orders-lock"),
});
const changes = await Promise.all(Array.from({ length: 10 }, () => orders.increment()));
console.log("each increment saw another value:", new Set(changes.map(({ value }) => value)).size);

// Kazoo's Counter, in text.
await using visits = new Counter(client, "/numbers/visits");
await visits.add(5);
const reading = await visits.read();
console.log("set if unchanged:", await visits.trySet(reading, 100), await visits.trySet(reading, 200));
console.log("visits", await visits.get());

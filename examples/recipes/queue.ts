// SPDX-License-Identifier: Apache-2.0
import { json, ZooKeeperClient } from "@meerkat/client";
import { Queue } from "@meerkat/recipes";
import { EmbeddedServer } from "@meerkat/server";

await using zookeeper = await EmbeddedServer.start({ memory: true });
await using client = await ZooKeeperClient.connect(zookeeper.connectString);

interface Mail {
  readonly to: string;
}
await using queue = new Queue<Mail>(client, "/queues/mail", { codec: json<Mail>() });
await queue.put({ to: "ann" });
{
  // Left without `ack`, as when the process dies: the item goes to the next consumer.
  await using item = await queue.take({ timeoutMs: 5_000 });
  console.log("taken and given back:", item.value.to);
}
await using again = await queue.take({ timeoutMs: 5_000 });
console.log("sent to", again.value.to);
await again.ack();
console.log("left:", await queue.size());

// SPDX-License-Identifier: Apache-2.0
import { ZooKeeperClient } from "@meerkat/client";
import { Semaphore } from "@meerkat/recipes";
import { EmbeddedServer } from "@meerkat/server";

await using zookeeper = await EmbeddedServer.start({ memory: true });
await using client = await ZooKeeperClient.connect(zookeeper.connectString);

const converters = new Semaphore(client, "/semaphores/converters", { permits: 2 });
await using _first = await converters.acquire();
{
  await using _second = await converters.acquire({ timeoutMs: 5_000 });
  console.log("leases in use:", (await converters.leases()).length);
  console.log("a third gets", await converters.tryAcquire());
}
console.log("converted:", await converters.runWithLease(async (lease) => lease.isHeld));

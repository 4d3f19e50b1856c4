// SPDX-License-Identifier: Apache-2.0
import { ZooKeeperClient } from "@meerkat/client";
import { ReadWriteLock } from "@meerkat/recipes";
import { EmbeddedServer } from "@meerkat/server";

await using zookeeper = await EmbeddedServer.start({ memory: true });
await using client = await ZooKeeperClient.connect(zookeeper.connectString);

const lock = new ReadWriteLock(client, "/locks/catalogue");
{
  await using _first = await lock.read.acquire();
  await using _second = await lock.read.acquire();
  console.log("two read; a writer gets", await lock.write.tryAcquire());
}
await using write = await lock.write.acquire();
// Written; go on reading what was written, and let other readers in, but no writer between.
await using read = await write.downgrade();
await using other = await lock.read.acquire({ timeoutMs: 5_000 });
console.log("the writer reads on:", read.isHeld, "beside another:", other.isHeld);

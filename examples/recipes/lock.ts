// SPDX-License-Identifier: Apache-2.0
import { ZooKeeperClient } from "@meerkat/client";
import { Lock } from "@meerkat/recipes";
import { EmbeddedServer } from "@meerkat/server";

await using zookeeper = await EmbeddedServer.start({ memory: true });
await using client = await ZooKeeperClient.connect(zookeeper.connectString);
await client.create("/balance", "100");

const lock = new Lock(client, "/locks/balance", { identity: "transfer job" });
{
  await using hold = await lock.acquire({ timeoutMs: 10_000 });
  const balance = Number((await client.get("/balance")).data);
  hold.assertHeld();
  // Written only while the lock's znode is there, whatever has become of this process meanwhile.
  await client.multi([hold.fence(), { op: "set", path: "/balance", data: String(balance - 30) }]);
  console.log("while it is held, others get", await lock.tryAcquire());
}
console.log("balance", String((await client.get("/balance")).data));

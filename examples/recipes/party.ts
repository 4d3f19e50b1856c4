// SPDX-License-Identifier: Apache-2.0
import { ZooKeeperClient } from "@meerkat/client";
import { Party } from "@meerkat/recipes";
import { EmbeddedServer } from "@meerkat/server";

await using zookeeper = await EmbeddedServer.start({ memory: true });
await using client = await ZooKeeperClient.connect(zookeeper.connectString);

await using ann = new Party(client, "/parties/workers", { identifier: "ann" });
await using bob = new Party(client, "/parties/workers", { identifier: "bob" });
await ann.join();
await bob.join();
const names = async (): Promise<string> =>
  (await ann.members()).map(({ identifier }) => identifier).join(", ");
console.log("present:", await names());
await bob.leave();
console.log("present:", await names());

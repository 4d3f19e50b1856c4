// SPDX-License-Identifier: Apache-2.0
import { ZooKeeperClient } from "@meerkat/client";
import { LeaderLatch } from "@meerkat/recipes";
import { EmbeddedServer } from "@meerkat/server";

await using zookeeper = await EmbeddedServer.start({ memory: true });
await using client = await ZooKeeperClient.connect(zookeeper.connectString);

await using mine = new LeaderLatch(client, "/elections/cleaner", { identity: "a" });
await mine.whenLeader({ timeoutMs: 5_000 });
await using other = new LeaderLatch(client, "/elections/cleaner", { identity: "b" });
console.log("a leads:", mine.isLeader, "b leads:", other.isLeader);
await mine.close();
const { token } = await other.whenLeader({ timeoutMs: 5_000 });
console.log("b leads with a token:", token > 0n);

// SPDX-License-Identifier: Apache-2.0
import { ZooKeeperClient } from "@meerkat/client";
import { DoubleBarrier } from "@meerkat/recipes";
import { EmbeddedServer } from "@meerkat/server";

await using zookeeper = await EmbeddedServer.start({ memory: true });
await using client = await ZooKeeperClient.connect(zookeeper.connectString);

const events: string[] = [];
const member = async (): Promise<void> => {
  const barrier = new DoubleBarrier(client, "/barriers/step", { size: 3 });
  await barrier.enter({ timeoutMs: 10_000 });
  events.push("in");
  await barrier.leave({ timeoutMs: 10_000 });
  events.push("out");
};
await Promise.all([member(), member(), member()]);
console.log(events.join(" "));

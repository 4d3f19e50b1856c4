// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import { ZooKeeperClient } from "@meerkat/client";
import { SetPartitioner } from "@meerkat/recipes";
import { EmbeddedServer } from "@meerkat/server";

await using zookeeper = await EmbeddedServer.start({ memory: true });
await using client = await ZooKeeperClient.connect(zookeeper.connectString);

const items = ["north", "south", "east"];
const shares = new Map<string, string>();
const done = new AbortController();

const work = async (name: string): Promise<void> => {
  const partitioner = new SetPartitioner(client, "/partitions/regions", {
    items,
    identifier: name,
    settleMs: 300,
  });
  for await (const share of partitioner.allocations({ signal: done.signal })) {
    if (share.members.length === 2) shares.set(name, share.items.join(", "));
    if (shares.size === 2) done.abort();
    // Work on the items until the members change or the locks are lost.
    if (!share.signal.aborted) await once(share.signal, "abort");
  }
};
await Promise.all([work("ann"), work("bob")]);
console.log("ann:", shares.get("ann"), "| bob:", shares.get("bob"));

// SPDX-License-Identifier: Apache-2.0
import { ZooKeeperClient } from "@meerkat/client";
import { LeaderElection } from "@meerkat/recipes";
import { EmbeddedServer } from "@meerkat/server";

await using zookeeper = await EmbeddedServer.start({ memory: true });
await using client = await ZooKeeperClient.connect(zookeeper.connectString);

const standIn = async (name: string): Promise<void> => {
  const election = new LeaderElection(client, "/elections/scheduler", { identity: name });
  await election.runWhileLeading(async (leadership) => {
    const leader = await election.leader();
    console.log(name, "leads; the server says", leader?.identity);
    leadership.assertHeld();
  });
};
await standIn("first");
await standIn("second");

// SPDX-License-Identifier: Apache-2.0
import { ZooKeeperClient } from "@meerkat/client";
import { RevocableLock } from "@meerkat/recipes";
import { EmbeddedServer } from "@meerkat/server";

await using zookeeper = await EmbeddedServer.start({ memory: true });
await using client = await ZooKeeperClient.connect(zookeeper.connectString);

const batch = new RevocableLock(client, "/locks/index");
const urgent = new RevocableLock(client, "/locks/index");

const hold = await batch.acquire();
// Asks the holder, then waits for its turn like everyone.
const waiting = urgent.acquire({ revoke: true });
await new Promise((resolve) => hold.revoked.addEventListener("abort", resolve));
console.log("asked to make way; saving what was done");
await hold.release();
await using mine = await waiting;
console.log("the urgent one has it:", mine.isHeld);

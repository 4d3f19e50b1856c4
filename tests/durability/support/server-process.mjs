// SPDX-License-Identifier: Apache-2.0
// An embedded server in a process of its own, to be killed. Arguments: the data directory and the
// transactions between snapshots. Prints its port when it serves.
import process from "node:process";
import { EmbeddedServer } from "@meerkat/server";

const [dataDir, snapCount] = process.argv.slice(2);
const server = await EmbeddedServer.start({
  dataDir,
  snapCount: Number(snapCount),
  preAllocKb: 64,
  tickTimeMs: 2000,
  purge: { retainCount: 3, intervalMs: 200 },
});
console.log(server.port);
process.on("SIGTERM", () => void server.close());

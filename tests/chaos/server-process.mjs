// SPDX-License-Identifier: Apache-2.0
// An embedded server in a process of its own, to be killed. Arguments: the data directory, the port (0 for
// a free one) and the tick in milliseconds. Prints its port when it serves.
import process from "node:process";
import { EmbeddedServer } from "@meerkat/server";

const [dataDir, port, tickTimeMs] = process.argv.slice(2);
const server = await EmbeddedServer.start({
  dataDir,
  port: Number(port),
  tickTimeMs: Number(tickTimeMs),
  preAllocKb: 64,
});
console.log(server.port);
process.on("SIGTERM", () => void server.close());

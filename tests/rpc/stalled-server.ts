// SPDX-License-Identifier: Apache-2.0
// A server that neither accepts nor refuses: the process is stopped and the kernel's queue is full.
import net from "node:net";
import { awaitCondition, runProgram } from "@meerkat/testkit";

const PROGRAM = `
const server = require("node:net").createServer();
server.listen({ host: "127.0.0.1", port: 0, backlog: 1 }, () => console.log(server.address().port));
`;

/** An address where connecting takes for ever. */
export interface StalledServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/** Starts one. */
export async function stalledServer(): Promise<StalledServer> {
  const program = runProgram(process.execPath, { args: ["-e", PROGRAM] });
  const port = Number(await program.line());
  await program.kill("SIGSTOP");
  const sockets: net.Socket[] = [];
  // Connections are completed by the kernel until its queue is full; the first one left hanging shows it.
  for (let full = false; !full; ) {
    const socket = net.connect({ host: "127.0.0.1", port });
    socket.on("error", () => {});
    sockets.push(socket);
    await awaitCondition(() => !socket.connecting, { timeoutMs: 200 }).catch(() => {
      full = true;
    });
  }
  return {
    host: "127.0.0.1",
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await program.kill("SIGKILL");
    },
  };
}

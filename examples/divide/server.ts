// SPDX-License-Identifier: Apache-2.0
// The seed's server: divides numbers, and lists itself under /rpc for as long as it lives.
import { once } from "node:events";
import { parseArgs } from "node:util";
import { Registry } from "@meerkat/governance";
import { InvalidOperation, implement, RpcServer } from "@meerkat/rpc";
import { integer, run, stopSignal, zookeeperDefault } from "./command-line.ts";
import { Divide } from "./service.ts";

const divide = implement(Divide, {
  divide({ num1, num2 }) {
    if (num2 === 0) throw new InvalidOperation("division by zero");
    return num1 / num2;
  },
});

await run(
  "npm run example:divide-server -- HOST PORT [--zookeeper HOSTS] [--session-timeout MS]",
  () => {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        zookeeper: { type: "string", default: zookeeperDefault },
        "session-timeout": { type: "string", default: "10000" },
      },
    });
    const [host, port, ...rest] = positionals;
    if (host === undefined || rest.length > 0) throw new Error("give the HOST and the PORT to serve on");
    return {
      host,
      port: integer("PORT", port, 0, 65_535),
      hosts: values.zookeeper,
      sessionTimeoutMs: integer("--session-timeout", values["session-timeout"], 1, 3_600_000),
    };
  },
  async ({ host, port, hosts, sessionTimeoutMs }) => {
    const stop = stopSignal();
    // Closed in reverse order: leave the list, end the session, serve what is still being called.
    await using server = await RpcServer.listen({ host, port, services: [divide] });
    await using registry = await Registry.connect({ hosts, sessionTimeoutMs }, { timeoutMs: 10_000 });
    await using registration = await registry.register({ host, port: server.port });
    console.log(`divide server on ${host}:${server.port}, registered as ${registration.path}`);
    if (!stop.aborted) await once(stop, "abort");
  },
);

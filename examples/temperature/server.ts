// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import { Registry } from "@meerkat/governance";
import { implement, RpcServer } from "@meerkat/rpc";
import { ABSOLUTE_ZERO, Temperature, TooCold } from "./service.ts";

const { MEERKAT_ZOOKEEPER: hosts = "127.0.0.1:2181" } = process.env;

const temperature = implement(Temperature, {
  toFahrenheit({ celsius }) {
    if (celsius < ABSOLUTE_ZERO) throw new TooCold(`${celsius} °C is below absolute zero`);
    return (celsius * 9) / 5 + 32;
  },
});

await using registry = await Registry.connect({ hosts });
await using server = await RpcServer.listen({ services: [temperature] });
await using registration = await registry.register(
  { host: server.host, port: server.port },
  { service: "temperature" },
);
console.log(`serving on ${server.host}:${server.port}, registered as ${registration.path}`);

// What was opened last is closed first: out of the list, then calls in progress, then the session.
await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);

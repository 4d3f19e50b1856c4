// SPDX-License-Identifier: Apache-2.0
import { Registry } from "@meerkat/governance";
import { createRpcClient } from "@meerkat/rpc";
import { Temperature, TooCold } from "./service.ts";

const { MEERKAT_ZOOKEEPER: hosts = "127.0.0.1:2181" } = process.env;

await using registry = await Registry.connect({ hosts });
await using directory = await registry.directory({ service: "temperature" });
await using client = createRpcClient(Temperature, { directory, timeoutMs: 5_000 });

console.log(await client.toFahrenheit({ celsius: 100 }));
try {
  await client.toFahrenheit({ celsius: -300 });
} catch (error) {
  if (!(error instanceof TooCold)) throw error;
  console.log(error.message);
}

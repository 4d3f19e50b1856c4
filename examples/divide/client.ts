// SPDX-License-Identifier: Apache-2.0
// The seed's client: finds the servers under /rpc and keeps calling divide(0), divide(1), …
import { parseArgs } from "node:util";
import { endpointKey, Registry } from "@meerkat/governance";
import { createRpcClient, InvalidOperation } from "@meerkat/rpc";
import { sleep, systemRuntime } from "@meerkat/runtime";
import { integer, run, stopSignal, zookeeperDefault } from "./command-line.ts";
import { Divide } from "./service.ts";

await run(
  "npm run example:divide-client -- [--calls N] [--interval MS] [--zookeeper HOSTS] [--json]",
  () => {
    const { values } = parseArgs({
      options: {
        calls: { type: "string", default: "50" },
        interval: { type: "string", default: "1000" },
        zookeeper: { type: "string", default: zookeeperDefault },
        json: { type: "boolean", default: false },
      },
    });
    return {
      calls: integer("--calls", values.calls, 0, 2 ** 31 - 1),
      intervalMs: integer("--interval", values.interval, 0, 3_600_000),
      hosts: values.zookeeper,
      json: values.json,
    };
  },
  async ({ calls, intervalMs, hosts, json }) => {
    const stop = stopSignal();
    await using registry = await Registry.connect({ hosts }, { timeoutMs: 10_000 });
    await using directory = await registry.directory();
    await using client = createRpcClient(Divide, { directory });
    let server = "";
    client.onAttempt(({ endpoint }) => {
      server = endpointKey(endpoint);
    });
    for (let num1 = 0; num1 < calls && !stop.aborted; num1++) {
      try {
        const result = await client.divide({ num1 }, { signal: stop });
        console.log(
          json ? JSON.stringify({ num1, result, server }) : `divide(${num1}) = ${result}   ${server}`,
        );
      } catch (error) {
        if (stop.aborted) break;
        const { message } = error as Error;
        console.log(json ? JSON.stringify({ num1, error: message }) : `divide(${num1}): ${message}`);
        // A refusal is an answer too; anything else is a failed call.
        if (!(error instanceof InvalidOperation)) process.exitCode = 1;
      }
      if (num1 + 1 < calls) await sleep(systemRuntime.clock, intervalMs, stop).catch(() => {});
    }
  },
);

// SPDX-License-Identifier: Apache-2.0
// The embedded server as a process of its own, which also tells what only it can see: its memory after a
// collection and how long its event loop stood still.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setImmediate as turn } from "node:timers/promises";
import { EmbeddedServer } from "@meerkat/server";
import { serveDriver } from "./serve.ts";

interface StartArguments {
  readonly dataDir: string;
  readonly port: number;
  readonly tickTimeMs: number;
  readonly maxSessionTimeoutMs: number;
}

const delay = monitorEventLoopDelay({ resolution: 1 });
let server: EmbeddedServer | undefined;

await serveDriver(
  {
    async start(args: StartArguments) {
      server = await EmbeddedServer.start({
        dataDir: args.dataDir,
        port: args.port,
        tickTimeMs: args.tickTimeMs,
        maxSessionTimeoutMs: args.maxSessionTimeoutMs,
        // As Apache ZooKeeper's server is set up: every watcher comes from this machine.
        limits: { connectionsPerAddressMax: 0 },
      });
      return { port: server.port };
    },
    async memory() {
      for (let round = 0; round < 3; round++) {
        globalThis.gc?.();
        await turn();
      }
      const usage = process.memoryUsage();
      return { liveBytes: usage.heapUsed + usage.external };
    },
    // The monitor wakes the process every millisecond, so it only runs between these two.
    watchEventLoop() {
      delay.reset();
      delay.enable();
      return {};
    },
    eventLoopDelay() {
      delay.disable();
      return { maxMs: delay.max / 1e6, p99Ms: delay.percentile(99) / 1e6 };
    },
  },
  async () => {
    await server?.close();
  },
);

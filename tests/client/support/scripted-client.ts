// SPDX-License-Identifier: Apache-2.0
import { ZooKeeperClient, type ZooKeeperClientOptions } from "@meerkat/client";
import { seededRandom } from "@meerkat/runtime";
import { VirtualClock } from "@meerkat/testkit";
import { afterEach } from "vitest";
import { ScriptedServer } from "./scripted-server.ts";

/** A client of a scripted server under a virtual clock. */
export interface ScriptedWorld {
  readonly clock: VirtualClock;
  readonly server: ScriptedServer;
  /** Makes a client (session timeout 3,000); it is destroyed after the test. */
  client(options?: Partial<ZooKeeperClientOptions>): ZooKeeperClient;
  /** The same, connected. */
  connected(options?: Partial<ZooKeeperClientOptions>): Promise<ZooKeeperClient>;
}

const live: ZooKeeperClient[] = [];

/** Call once per file. */
export function destroyClientsAfterEach(): void {
  afterEach(() => {
    for (const client of live.splice(0)) client.destroy();
  });
}

/** A fresh world. */
export function scriptedWorld(): ScriptedWorld {
  const clock = new VirtualClock();
  const server = new ScriptedServer();
  const client = (options: Partial<ZooKeeperClientOptions> = {}): ZooKeeperClient => {
    const made = new ZooKeeperClient({
      hosts: "a:1",
      sessionTimeoutMs: 3_000,
      reconnectDelayMs: { initialMs: 10, maxMs: 100 },
      runtime: { clock, net: server, random: seededRandom(1) },
      ...options,
    });
    live.push(made);
    return made;
  };
  return {
    clock,
    server,
    client,
    connected: async (options) => {
      const made = client(options);
      const ready = made.connect();
      await clock.settle();
      await ready;
      return made;
    },
  };
}

// SPDX-License-Identifier: Apache-2.0
// The two servers of the differential test, set up alike.
import { EmbeddedServer } from "@meerkat/server";
import { startRealZooKeeper } from "@meerkat/testkit";
import type { Address } from "./play-connection.ts";
import { SUPER_DIGEST } from "./steward.ts";

/** Sessions must outlive a play: an expiry takes a zxid at a moment of its own. */
const SESSION_TIMEOUT_MIN_MS = 30_000;
const SESSION_TIMEOUT_MAX_MS = 60_000;
const TICK_TIME_MS = 2000;
/** Containers and TTL znodes stay: when they are reaped is a matter of clocks. */
const REAPER_INTERVAL_MS = 86_400_000;

export interface RunningServer extends Address, AsyncDisposable {}

/** The server that is under test. */
export async function startEmbedded(): Promise<RunningServer> {
  const server = await EmbeddedServer.start({
    memory: true,
    tickTimeMs: TICK_TIME_MS,
    minSessionTimeoutMs: SESSION_TIMEOUT_MIN_MS,
    maxSessionTimeoutMs: SESSION_TIMEOUT_MAX_MS,
    superDigest: SUPER_DIGEST,
    enforceQuota: true,
    reaper: { checkIntervalMs: REAPER_INTERVAL_MS },
  });
  return server;
}

/** Apache ZooKeeper. */
export async function startApache(): Promise<RunningServer> {
  const zooKeeper = await startRealZooKeeper({
    tickTimeMs: TICK_TIME_MS,
    config: {
      minSessionTimeout: String(SESSION_TIMEOUT_MIN_MS),
      maxSessionTimeout: String(SESSION_TIMEOUT_MAX_MS),
    },
    systemProperties: {
      "zookeeper.extendedTypesEnabled": "true",
      "zookeeper.enforceQuota": "true",
      "zookeeper.DigestAuthenticationProvider.superDigest": SUPER_DIGEST,
      "znode.container.checkIntervalMs": String(REAPER_INTERVAL_MS),
      // What reaches the disk is not compared here, and waiting for it is most of the time.
      "zookeeper.forceSync": "no",
    },
  });
  const [member] = zooKeeper.members;
  if (member === undefined) throw new Error("no member was started");
  const stop = (): Promise<void> => zooKeeper.stop();
  return { host: member.host, port: member.port, [Symbol.asyncDispose]: stop };
}

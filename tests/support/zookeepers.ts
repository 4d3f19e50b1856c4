// SPDX-License-Identifier: Apache-2.0
// The same test bodies over both servers: ours and Apache's.
import { randomBytes } from "node:crypto";
import {
  type RealZooKeeper,
  startEmbeddedZooKeeper,
  startRealZooKeeper,
  toolsAvailable,
} from "@meerkat/testkit";
import { afterAll, beforeAll, beforeEach, describe } from "vitest";
import { RawClient } from "./raw-client.ts";

/** Short ticks, so that tests of expiry take a second; long sessions stay possible. */
const TICK_TIME_MS = 250;
const SESSION_TIMEOUT_MIN_MS = 500;
const SESSION_TIMEOUT_MAX_MS = 40_000;

/** The server that a test body runs against. Its getters work inside tests and hooks, not while describing. */
export interface ZooKeeperUnderTest {
  readonly kind: "embedded" | "real";
  readonly host: string;
  readonly port: number;
  /** `host:port`. */
  readonly address: string;
  /** A znode of this test alone; it exists and is empty when the test starts. */
  readonly chroot: string;
  /** `host:port/chroot`, for a client. */
  readonly hosts: string;
  /** Ends the server, the real one with SIGKILL; its data stay (embedded: when described as durable). */
  stop(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
}

interface Server {
  readonly host: string;
  readonly port: number;
  stop(): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

async function startReal(): Promise<Server> {
  const zooKeeper: RealZooKeeper = await startRealZooKeeper({
    tickTimeMs: TICK_TIME_MS,
    config: {
      minSessionTimeout: String(SESSION_TIMEOUT_MIN_MS),
      maxSessionTimeout: String(SESSION_TIMEOUT_MAX_MS),
    },
    systemProperties: { "zookeeper.extendedTypesEnabled": "true" },
  });
  const [member] = zooKeeper.members;
  if (member === undefined) throw new Error("no member was started");
  return {
    host: member.host,
    port: member.port,
    stop: () => member.kill(),
    start: () => member.start(),
    remove: () => zooKeeper.stop(),
  };
}

async function startEmbedded(durable: boolean): Promise<Server> {
  const zooKeeper = await startEmbeddedZooKeeper({
    durable,
    tickTimeMs: TICK_TIME_MS,
    minSessionTimeoutMs: SESSION_TIMEOUT_MIN_MS,
    maxSessionTimeoutMs: SESSION_TIMEOUT_MAX_MS,
  });
  return {
    host: zooKeeper.host,
    port: zooKeeper.port,
    stop: () => zooKeeper.stop(),
    start: () => zooKeeper.start(),
    remove: () => zooKeeper[Symbol.asyncDispose](),
  };
}

/**
 * Describes `body` once for the embedded server and once for the real one, each on a server of its own.
 * Every test gets a fresh chroot. Without Java or ZooKeeper the second is skipped with a line that says so,
 * or fails when `MEERKAT_REQUIRE_ALL` is 1. `durable` gives the embedded server a data directory.
 */
export function describeEachZooKeeper(
  name: string,
  body: (zk: ZooKeeperUnderTest) => void,
  options: { readonly durable?: boolean; readonly only?: "embedded" | "real" } = {},
): void {
  const kinds = (["embedded", "real"] as const).filter(
    (kind) =>
      (options.only ?? kind) === kind &&
      (kind === "embedded" || toolsAvailable(`${name} over Apache ZooKeeper`, "java-zookeeper")),
  );
  for (const kind of kinds) {
    describe(`${name}, over the ${kind} server`, () => {
      let server: Server | undefined;
      let chroot = "";
      const running = (): Server => {
        if (server === undefined) throw new Error("the server is only there inside tests");
        return server;
      };
      const zk: ZooKeeperUnderTest = {
        kind,
        get host() {
          return running().host;
        },
        get port() {
          return running().port;
        },
        get address() {
          return `${running().host}:${running().port}`;
        },
        get chroot() {
          return chroot;
        },
        get hosts() {
          return `${this.address}${chroot}`;
        },
        stop: () => running().stop(),
        start: () => running().start(),
      };
      beforeAll(async () => {
        server = kind === "real" ? await startReal() : await startEmbedded(options.durable === true);
      });
      afterAll(async () => {
        await server?.remove();
      });
      beforeEach(async () => {
        chroot = `/t-${randomBytes(6).toString("hex")}`;
        const client = await RawClient.connect(zk);
        await client.create(chroot);
        await client.close();
      });
      body(zk);
    });
  }
}

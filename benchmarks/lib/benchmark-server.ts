// SPDX-License-Identifier: Apache-2.0
// The two servers under measurement, each a process of its own with a data directory on disk and every
// write synced, started and stopped in the same way.
import { execFileSync } from "node:child_process";
import {
  findProgram,
  missingTools,
  type RealZooKeeper,
  type RealZooKeeperMember,
  type ScratchDir,
  scratchDir,
  startRealZooKeeper,
} from "@meerkat/testkit";
import { DriverProcess } from "./driver-process.ts";
import { driverPath } from "./locations.ts";
import { residentBytes } from "./process-cpu.ts";

/** Ticks as ZooKeeper's sample configuration has them. */
const TICK_TIME_MS = 2000;
/** Long sessions, so that idle connections of the load generator need no pings. */
const SESSION_TIMEOUT_MAX_MS = 600_000;

/** What a server's memory looks like. */
export interface ServerMemory {
  readonly residentBytes: number;
  /** What is in use after a collection; undefined where a JVM runs without its tools. */
  readonly liveBytes: number | undefined;
}

/** A server that can be restarted on its data. */
export interface BenchmarkServer extends AsyncDisposable {
  readonly name: "meerkat" | "apache";
  /** For people. */
  readonly title: string;
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  /** Directory of the snapshots and logs. */
  readonly dataDir: string;
  /** Starts the process; resolves as soon as it is spawned or as it serves, so poll it for readiness. */
  start(): Promise<void>;
  /** Ends the process the gentle way; data stay. */
  stop(): Promise<void>;
  memory(): Promise<ServerMemory>;
}

/** How late an event loop came to its timers. */
export interface EventLoopDelay {
  readonly maxMs: number;
  readonly p99Ms: number;
}

/** The embedded server in a process of its own. */
export class MeerkatServer implements BenchmarkServer {
  readonly name = "meerkat";
  readonly title = "embedded server";
  readonly host = "127.0.0.1";
  readonly dataDir: string;
  readonly #home: ScratchDir;
  readonly #nodeArgs: readonly string[];
  #driver: DriverProcess | undefined;
  #port = 0;

  private constructor(home: ScratchDir, nodeArgs: readonly string[]) {
    this.#home = home;
    this.#nodeArgs = nodeArgs;
    this.dataDir = home.join("data");
  }

  /** Starts it on an empty directory. `nodeArgs` are flags of its Node process. */
  static async launch(nodeArgs: readonly string[] = []): Promise<MeerkatServer> {
    const server = new MeerkatServer(await scratchDir(), nodeArgs);
    await server.start();
    return server;
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number {
    return this.#running.pid;
  }

  async start(): Promise<void> {
    this.#driver = new DriverProcess({
      name: "embedded server",
      program: process.execPath,
      args: ["--expose-gc", ...this.#nodeArgs, driverPath("embedded-server")],
    });
    const { port } = await this.#driver.call<{ readonly port: number }>("start", {
      dataDir: this.dataDir,
      port: this.#port,
      tickTimeMs: TICK_TIME_MS,
      maxSessionTimeoutMs: SESSION_TIMEOUT_MAX_MS,
    });
    this.#port = port;
  }

  async stop(): Promise<void> {
    await this.#driver?.close();
    this.#driver = undefined;
  }

  async memory(): Promise<ServerMemory> {
    const { liveBytes } = await this.#running.call<{ readonly liveBytes: number }>("memory");
    return { residentBytes: residentBytes(this.pid), liveBytes };
  }

  /** Starts measuring the delays of the server's event loop. */
  async watchEventLoop(): Promise<void> {
    await this.#running.call("watchEventLoop");
  }

  /** The delays since `watchEventLoop`; ends the measurement. */
  eventLoopDelay(): Promise<EventLoopDelay> {
    return this.#running.call<EventLoopDelay>("eventLoopDelay");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#home.remove();
  }

  get #running(): DriverProcess {
    if (this.#driver === undefined) throw new Error("the embedded server does not run");
    return this.#driver;
  }
}

/** Heap in use by a JVM after a collection, by the JDK's jcmd. */
function liveHeapBytes(pid: number): number | undefined {
  const jcmd = findProgram("jcmd");
  if (jcmd === undefined) return undefined;
  const run = (command: string): string =>
    execFileSync(jcmd, [String(pid), command], { encoding: "utf8", stdio: "pipe" });
  run("GC.run");
  const used = /heap\s+total \d+K, used (\d+)K/.exec(run("GC.heap_info"));
  return used === null ? undefined : Number(used[1]) * 1024;
}

/** Debian's ZooKeeper with a roomy heap and Java's own choice of compilers and collector. */
export class ApacheServer implements BenchmarkServer {
  readonly name = "apache";
  readonly title = "Apache ZooKeeper";
  readonly #zooKeeper: RealZooKeeper;
  readonly #member: RealZooKeeperMember;

  private constructor(zooKeeper: RealZooKeeper) {
    this.#zooKeeper = zooKeeper;
    this.#member = zooKeeper.members[0] as RealZooKeeperMember;
  }

  /** Starts it on an empty directory; undefined on a machine without Java or the jars. */
  static async launch(): Promise<ApacheServer | undefined> {
    if (missingTools("java-zookeeper").length > 0) return undefined;
    const zooKeeper = await startRealZooKeeper({
      tickTimeMs: TICK_TIME_MS,
      config: { maxSessionTimeout: String(SESSION_TIMEOUT_MAX_MS), preAllocSize: "65536" },
      jvmFlags: ["-Xms1g", "-Xmx4g"],
    });
    return new ApacheServer(zooKeeper);
  }

  get host(): string {
    return this.#member.host;
  }
  get port(): number {
    return this.#member.port;
  }
  get pid(): number {
    return this.#member.pid;
  }
  get dataDir(): string {
    return this.#member.dataDir;
  }

  start(): Promise<void> {
    return this.#member.start({ waitReady: false });
  }

  stop(): Promise<void> {
    return this.#member.stop();
  }

  memory(): Promise<ServerMemory> {
    const resident = residentBytes(this.pid);
    return Promise.resolve({ residentBytes: resident, liveBytes: liveHeapBytes(this.pid) });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#zooKeeper.stop();
  }
}

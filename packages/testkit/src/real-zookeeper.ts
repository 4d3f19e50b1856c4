// SPDX-License-Identifier: Apache-2.0
// Apache ZooKeeper for tests: one server or an ensemble of three, real processes on free ports.
import { mkdir } from "node:fs/promises";
import { freePorts } from "./free-ports.ts";
import { missingTools, ZOOKEEPER_JAR } from "./missing-tools.ts";
import { JVM_FLAGS_DEFAULT, RealZooKeeperMember } from "./real-zookeeper-member.ts";
import { type ScratchDir, scratchDir } from "./scratch-dir.ts";
import { TestkitError } from "./testkit-error.ts";

/** Logs to stderr; without it ZooKeeper says nothing. */
const LOGGER_JAR = "/usr/share/java/slf4j-simple.jar";
const TICK_TIME_DEFAULT_MS = 500;
/** A port may be taken between finding it free and binding it. */
const START_TRIES_MAX = 3;

/** What to start. */
export interface RealZooKeeperOptions {
  /** 1 (a standalone server, the default) or 3 (an ensemble). */
  readonly members?: 1 | 3 | undefined;
  /** Sessions may be 2 to 20 ticks long; 500 when left out, so 1 to 10 seconds. */
  readonly tickTimeMs?: number | undefined;
  /** More keys of zoo.cfg, or other values for the ones set here. */
  readonly config?: Readonly<Record<string, string>> | undefined;
  /** `-D` properties of the JVM. */
  readonly systemProperties?: Readonly<Record<string, string>> | undefined;
  /** Flags of the JVM instead of the default ones, which ask for a small heap and a quick start. */
  readonly jvmFlags?: readonly string[] | undefined;
  /** Existing data directories, one a member; they are not removed afterwards. */
  readonly dataDirs?: readonly string[] | undefined;
  /** Class path of the server; Debian's ZooKeeper when left out. */
  readonly classpath?: string | undefined;
}

/** A running ZooKeeper. */
export class RealZooKeeper implements AsyncDisposable {
  readonly members: readonly RealZooKeeperMember[];
  readonly #home: ScratchDir;

  /** @internal Use `startRealZooKeeper`. */
  constructor(home: ScratchDir, members: readonly RealZooKeeperMember[]) {
    this.#home = home;
    this.members = members;
  }

  /** `host:port,…` of all members. */
  get connectString(): string {
    return this.members.map((member) => member.connectString).join(",");
  }

  /** The member that leads. Rejects when there is none at the moment. */
  async leader(): Promise<RealZooKeeperMember> {
    for (const member of this.members) {
      const mode = await member.mode();
      if (mode === "leader" || mode === "standalone") return member;
    }
    throw new TestkitError("NOT_STARTED", "no member leads at the moment");
  }

  /** Ends all processes at once and removes what they wrote; idempotent. */
  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill("SIGKILL")));
    await this.#home.remove();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** zoo.cfg of all members, and the key that tells an ensemble's members of each other. */
function sharedConfig(options: RealZooKeeperOptions, quorumPorts: readonly number[]): Record<string, string> {
  const config: Record<string, string> = {
    tickTime: String(options.tickTimeMs ?? TICK_TIME_DEFAULT_MS),
    clientPortAddress: "127.0.0.1",
    "admin.enableServer": "false",
    "4lw.commands.whitelist": "*",
    maxClientCnxns: "0",
    // Preallocating the default 64 MiB a log costs more than the tests write.
    preAllocSize: "1024",
  };
  if (options.members === 3) {
    Object.assign(config, { initLimit: "20", syncLimit: "10" });
    for (let index = 0; index < 3; index++) {
      config[`server.${index + 1}`] = `127.0.0.1:${quorumPorts[index * 2]}:${quorumPorts[index * 2 + 1]}`;
    }
  }
  return config;
}

async function build(home: ScratchDir, options: RealZooKeeperOptions): Promise<RealZooKeeperMember[]> {
  const count = options.members ?? 1;
  const ports = await freePorts(count * 3);
  const shared = sharedConfig(options, ports.slice(count));
  const members: RealZooKeeperMember[] = [];
  for (let index = 0; index < count; index++) {
    const id = index + 1;
    const homeDir = home.join(`member-${id}`);
    await mkdir(homeDir, { recursive: true });
    const dataDir = options.dataDirs?.[index] ?? home.join(`data-${id}`);
    const port = ports[index] as number;
    members.push(
      new RealZooKeeperMember({
        id,
        port,
        homeDir,
        dataDir,
        config: { ...shared, dataDir, clientPort: String(port), ...options.config },
        systemProperties: {
          "org.slf4j.simpleLogger.defaultLogLevel": "warn",
          "org.slf4j.simpleLogger.showDateTime": "true",
          ...options.systemProperties,
        },
        jvmFlags: options.jvmFlags ?? JVM_FLAGS_DEFAULT,
        classpath: options.classpath ?? `${ZOOKEEPER_JAR}:${LOGGER_JAR}`,
      }),
    );
  }
  return members;
}

/**
 * Starts ZooKeeper and resolves when every member serves clients. Processes and directories go away with
 * `stop`, and also when the test process dies. Rejects with `TOOL_MISSING` without Java or the jars, with
 * `NOT_STARTED` and the server's log when it does not come up.
 */
export async function startRealZooKeeper(options: RealZooKeeperOptions = {}): Promise<RealZooKeeper> {
  if (options.classpath === undefined && missingTools("java-zookeeper").length > 0) {
    throw new TestkitError("TOOL_MISSING", `needs java in PATH and ${ZOOKEEPER_JAR} (Debian: zookeeper)`);
  }
  for (let tries = 1; ; tries++) {
    const home = await scratchDir();
    const zooKeeper = new RealZooKeeper(home, await build(home, options));
    try {
      await Promise.all(zooKeeper.members.map((member) => member.start()));
      return zooKeeper;
    } catch (error) {
      await zooKeeper.stop();
      if (tries === START_TRIES_MAX || !/Address already in use/.test(String(error))) throw error;
    }
  }
}

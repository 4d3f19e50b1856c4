// SPDX-License-Identifier: Apache-2.0
// One server process of Apache ZooKeeper.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import { awaitCondition } from "./await-condition.ts";
import { findProgram } from "./missing-tools.ts";
import { reapProcess } from "./reaper.ts";
import { TestkitError } from "./testkit-error.ts";

/** Runs a standalone server or a member of an ensemble, as its configuration says. */
const MAIN_CLASS = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
const START_TIMEOUT_MS = 60_000;
const WORD_TIMEOUT_MS = 2000;
const LOG_CHARS_MAX = 6000;

/** A small, quickly starting JVM: these servers hold little and live for seconds. */
export const JVM_FLAGS_DEFAULT: readonly string[] = [
  "-Xms32m",
  "-Xmx192m",
  "-Xss512k",
  "-XX:TieredStopAtLevel=1",
  "-XX:+UseSerialGC",
  "-Xshare:auto",
  "-XX:-UsePerfData",
];

/** Everything one server is started from. */
export interface MemberSettings {
  readonly id: number;
  readonly port: number;
  /** Holds the configuration and the log. */
  readonly homeDir: string;
  readonly dataDir: string;
  /** zoo.cfg, key by key. */
  readonly config: Readonly<Record<string, string>>;
  readonly systemProperties: Readonly<Record<string, string>>;
  readonly jvmFlags: readonly string[];
  readonly classpath: string;
}

/** One server. Signals are real ones; its data directory stays across `kill` and `start`. */
export class RealZooKeeperMember {
  /** `myid`, counted from 1. */
  readonly id: number;
  readonly host: string = "127.0.0.1";
  /** The clients' port. */
  readonly port: number;
  readonly dataDir: string;
  readonly #settings: MemberSettings;
  #process: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();

  /** @internal Use `startRealZooKeeper`. */
  constructor(settings: MemberSettings) {
    this.id = settings.id;
    this.port = settings.port;
    this.dataDir = settings.dataDir;
    this.#settings = settings;
  }

  /** `host:port` of this member alone. */
  get connectString(): string {
    return `${this.host}:${this.port}`;
  }

  /** Id of the running process. Throws when it does not run. */
  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new TestkitError("EXITED", `ZooKeeper ${this.id} does not run`);
    return pid;
  }

  /** Whether the process runs (a paused one does). */
  get running(): boolean {
    return this.#process !== undefined;
  }

  /**
   * Starts the process and, unless `waitReady` is false, waits until it serves clients: in an ensemble that
   * needs a majority. Does nothing when it runs.
   */
  async start(options: { readonly waitReady?: boolean } = {}): Promise<void> {
    if (this.#process === undefined) await this.#spawn();
    if (options.waitReady !== false) await this.ready();
  }

  /** Waits until the server serves clients. Rejects with `NOT_STARTED` and its log when the process ends. */
  async ready(): Promise<void> {
    const running = this.#process;
    await awaitCondition(async () => this.#process !== running || (await this.mode()) !== undefined, {
      timeoutMs: START_TIMEOUT_MS,
      describe: `ZooKeeper ${this.id} to serve`,
    });
    if (running === undefined || this.#process !== running) {
      throw new TestkitError("NOT_STARTED", `ZooKeeper ${this.id} ended while it was starting`, {
        output: await this.log(),
      });
    }
  }

  /** `standalone`, `leader`, `follower`, `observer` or `read-only`; undefined when it does not serve. */
  async mode(): Promise<string | undefined> {
    const answer = await this.fourLetterWord("srvr").catch(() => "");
    return /^Mode: (\S+)/m.exec(answer)?.[1];
  }

  /** Sends a four-letter word on a connection of its own and gives all that comes back. */
  fourLetterWord(word: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ host: this.host, port: this.port });
      const chunks: Buffer[] = [];
      socket.setTimeout(WORD_TIMEOUT_MS, () => {
        socket.destroy(new TestkitError("TIMEOUT", `no answer to ${word} in ${WORD_TIMEOUT_MS} ms`));
      });
      socket.on("connect", () => socket.write(word));
      socket.on("data", (chunk) => chunks.push(chunk));
      socket.on("error", reject);
      socket.on("close", () => resolve(Buffer.concat(chunks).toString("utf8")));
    });
  }

  /** Sends a signal (SIGKILL when left out) and waits for the process to end. */
  async kill(signal: "SIGKILL" | "SIGTERM" | "SIGINT" = "SIGKILL"): Promise<void> {
    this.#process?.kill(signal);
    await this.#exited;
  }

  /** Freezes the process (SIGSTOP): its port accepts, nothing answers. */
  pause(): void {
    process.kill(this.pid, "SIGSTOP");
  }

  /** Lets a paused process go on (SIGCONT). */
  resume(): void {
    process.kill(this.pid, "SIGCONT");
  }

  /** Ends the process the gentle way (SIGTERM, after SIGCONT in case it is paused). Data stay. */
  async stop(): Promise<void> {
    if (this.#process === undefined) return;
    this.resume();
    await this.kill("SIGTERM");
  }

  /** The tail of what the server logged. */
  async log(): Promise<string> {
    const text = await readFile(this.#logPath, "utf8").catch(() => "");
    return text.slice(-LOG_CHARS_MAX);
  }

  get #logPath(): string {
    return join(this.#settings.homeDir, "zookeeper.log");
  }

  async #spawn(): Promise<void> {
    const { homeDir, dataDir, config, systemProperties, jvmFlags, classpath } = this.#settings;
    await mkdir(dataDir, { recursive: true });
    await writeFile(join(dataDir, "myid"), `${this.id}\n`);
    const configPath = join(homeDir, "zoo.cfg");
    const lines = Object.entries(config).map(([key, value]) => `${key}=${value}\n`);
    await writeFile(configPath, lines.join(""));
    const defines = Object.entries(systemProperties).map(([name, value]) => `-D${name}=${value}`);
    const java = findProgram("java") ?? "java";
    const log = openSync(this.#logPath, "a");
    const child = spawn(java, [...jvmFlags, ...defines, "-cp", classpath, MAIN_CLASS, configPath], {
      stdio: ["ignore", log, log],
      cwd: homeDir,
    });
    closeSync(log);
    this.#process = child;
    const unlist = child.pid === undefined ? (): void => {} : reapProcess(child.pid);
    this.#exited = new Promise((resolve) => {
      const onGone = (): void => {
        unlist();
        if (this.#process === child) this.#process = undefined;
        resolve();
      };
      child.on("error", onGone);
      child.on("exit", onGone);
    });
  }
}

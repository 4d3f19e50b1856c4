// SPDX-License-Identifier: Apache-2.0
// Everything the demo brings into the world and takes away again: processes, a temporary folder, znodes.
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ZooKeeperClient } from "@meerkat/client";
import { deferred, type Runtime, randomUuid, untilAborted } from "@meerkat/runtime";
import { Janitor } from "./janitor-client.ts";
import { ManagedProcess } from "./managed-process.ts";
import { DEMO_HOST } from "./ports.ts";

/** Session timeout of the divide servers: how long a killed one stays in the list at most. */
export const SERVER_SESSION_TIMEOUT_MS = 4_000;
/** Longest wait for a process to end by itself. */
const STOP_GRACE_MS = 3_000;
/** Longest wait for a session with the user's ZooKeeper. */
const CONNECT_TIMEOUT_MS = 6_000;
/** Longest wait for each request to it. */
const REQUEST_TIMEOUT_MS = 10_000;

const MEERKAT = fileURLToPath(new URL("../../bin/meerkat.js", import.meta.url));
const DIVIDE_SERVER = fileURLToPath(new URL("../../../../examples/dist/divide/server.js", import.meta.url));

/** What the embedded server is told: ticks short enough that sessions of a few seconds are allowed. */
const ZOO_CFG = "tickTime=500\nmaxSessionTimeout=10000\nadmin.enableServer=false\n";

/** Owner of the demo's processes, folder and znodes. Dispose it whatever happens. */
export class Stage implements AsyncDisposable {
  readonly #runtime: Runtime;
  readonly #signal: AbortSignal;
  readonly #janitor = new Janitor();
  readonly #processes: ManagedProcess[] = [];
  readonly #expectedEnds = new Set<ManagedProcess>();
  #folder: string | undefined;
  #zooKeeper: ManagedProcess | undefined;
  #guest: { readonly client: ZooKeeperClient; readonly chroot: string } | undefined;
  #hosts = "";

  constructor(runtime: Runtime, signal: AbortSignal) {
    this.#runtime = runtime;
    this.#signal = signal;
  }

  /** Connect string that servers and clients of the demo share. */
  get hosts(): string {
    return this.#hosts;
  }

  /** Path of the live list, seen from the root of the ZooKeeper in use. */
  get listPath(): string {
    return `${this.#guest?.chroot ?? ""}/rpc`;
  }

  /** Starts the embedded server as a process of its own; returns its address. */
  async startZooKeeper(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "meerkat-demo-"));
    this.#folder = folder;
    this.#janitor.addFolder(folder);
    const config = join(folder, "zoo.cfg");
    await writeFile(config, ZOO_CFG);
    const ready = deferred<string>();
    const process = await this.#start(
      "the embedded ZooKeeper",
      MEERKAT,
      [
        "server",
        config,
        "--host",
        DEMO_HOST,
        "--client-port",
        "0",
        "--data-dir",
        join(folder, "data"),
        "--json",
      ],
      ready.resolve,
    );
    this.#zooKeeper = process;
    const line = await this.#whileAlive(process, ready.promise);
    this.#hosts = (JSON.parse(line) as { connectString: string }).connectString;
    return this.#hosts;
  }

  /**
   * Uses a ZooKeeper that is there. Other services may live under its `/rpc`, and their clients must not
   * be sent to the demo's servers: so the demo makes a root of its own, hands it to all its processes as
   * their chroot, and removes it at the end.
   */
  async useZooKeeper(hosts: string): Promise<void> {
    const slash = hosts.indexOf("/");
    const servers = slash < 0 ? hosts : hosts.slice(0, slash);
    const base = slash < 0 ? "" : hosts.slice(slash).replace(/\/$/, "");
    const chroot = `${base}/meerkat-demo-${randomUuid(this.#runtime.random).slice(0, 8)}`;
    const client = await ZooKeeperClient.connect(
      { hosts: servers, sessionTimeoutMs: 10_000 },
      { timeoutMs: CONNECT_TIMEOUT_MS, signal: this.#signal },
    );
    this.#guest = { client, chroot };
    await client.ensurePath(chroot, { timeoutMs: REQUEST_TIMEOUT_MS, signal: this.#signal });
    this.#hosts = servers + chroot;
  }

  /** Starts a divide server; resolves once its process runs. `onLine` gets what it prints. */
  async startDivideServer(port: number, onLine: (line: string) => void): Promise<ManagedProcess> {
    if (!existsSync(DIVIDE_SERVER)) {
      throw new Error(
        `${DIVIDE_SERVER} is missing: the demo runs the repository's example; build it with \`npm run build\``,
      );
    }
    const args = [DEMO_HOST, String(port), "--zookeeper", this.#hosts];
    const timeout = ["--session-timeout", String(SERVER_SESSION_TIMEOUT_MS)];
    return this.#start(`the divide server on port ${port}`, DIVIDE_SERVER, [...args, ...timeout], onLine);
  }

  /** Kills a process the hard way: it can neither say goodbye nor deregister. */
  async kill(process: ManagedProcess): Promise<void> {
    this.#expectedEnds.add(process);
    process.signal("SIGKILL");
    await process.ended;
  }

  /** Throws when a process ended that should not have. */
  assertAlive(): void {
    for (const process of this.#processes) {
      if (process.end !== undefined && !this.#expectedEnds.has(process))
        throw new Error(process.describeEnd());
    }
  }

  /** Ends everything: divide servers first, so that they can deregister, ZooKeeper last. */
  async [Symbol.asyncDispose](): Promise<void> {
    const others = this.#processes.filter((process) => process !== this.#zooKeeper);
    await Promise.all(others.map((process) => process.stop(STOP_GRACE_MS)));
    await this.#leaveGuest();
    await this.#zooKeeper?.stop(STOP_GRACE_MS);
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
    this.#janitor.dismiss();
  }

  async #leaveGuest(): Promise<void> {
    if (this.#guest === undefined) return;
    const { client, chroot } = this.#guest;
    try {
      await client.deleteRecursive(chroot, { timeoutMs: STOP_GRACE_MS });
      await client.close({ timeoutMs: STOP_GRACE_MS });
    } catch {
      // The ensemble may be gone; what is left there is one empty znode without ephemerals.
      client.destroy();
    }
  }

  async #start(
    name: string,
    script: string,
    args: readonly string[],
    onLine: (line: string) => void,
  ): Promise<ManagedProcess> {
    this.#signal.throwIfAborted();
    const process = await ManagedProcess.start(name, script, args, { clock: this.#runtime.clock, onLine });
    this.#processes.push(process);
    this.#janitor.addProcess(process.pid);
    void process.ended.then(() => this.#janitor.dropProcess(process.pid));
    return process;
  }

  /** Waits for `promise`, but no longer than the process lives. */
  #whileAlive<T>(process: ManagedProcess, promise: Promise<T>): Promise<T> {
    const died = process.ended.then((): never => {
      throw new Error(process.describeEnd());
    });
    return untilAborted(Promise.race([promise, died]), this.#signal);
  }
}

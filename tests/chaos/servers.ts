// SPDX-License-Identifier: Apache-2.0
// The servers of a chaos run, and what can be done to them.
import { fileURLToPath } from "node:url";
import { type Random, randomInt } from "@meerkat/runtime";
import {
  awaitCondition,
  type Program,
  type RealZooKeeper,
  runProgram,
  type ScratchDir,
  scratchDir,
  startRealZooKeeper,
} from "@meerkat/testkit";

/** Unit of session timeouts. */
const TICK_TIME_MS = 500;
const SERVER = fileURLToPath(new URL("./server-process.mjs", import.meta.url));

/** A fault of servers: does it, waits for some time, and ends it. */
export interface ServerFault {
  readonly name: string;
  run(pause: (ms: number) => Promise<void>): Promise<void>;
}

/** Servers under faults. */
export interface ChaosServers extends AsyncDisposable {
  readonly title: string;
  readonly members: readonly { readonly host: string; readonly port: number }[];
  /** `host:port,…` past all proxies. */
  readonly connectString: string;
  /** The next fault, drawn by chance. */
  fault(random: Random): ServerFault;
  /** Undoes every fault; resolves when all members serve. */
  heal(): Promise<void>;
}

/** Apache's ensemble of three. */
export class Ensemble implements ChaosServers {
  readonly title = "an ensemble of three Apache ZooKeeper servers";
  readonly #zooKeeper: RealZooKeeper;

  private constructor(zooKeeper: RealZooKeeper) {
    this.#zooKeeper = zooKeeper;
  }

  static async start(): Promise<Ensemble> {
    return new Ensemble(await startRealZooKeeper({ members: 3, tickTimeMs: TICK_TIME_MS }));
  }

  get members(): ChaosServers["members"] {
    return this.#zooKeeper.members;
  }

  get connectString(): string {
    return this.#zooKeeper.connectString;
  }

  fault(random: Random): ServerFault {
    const lastsMs = 300 + randomInt(random, 2_000);
    const follower = randomInt(random, 3);
    const leader = (): Promise<RealZooKeeper["members"][number]> => this.#zooKeeper.leader();
    const faults: readonly ServerFault[] = [
      {
        name: "kill the leader",
        run: async (pause) => {
          const member = await leader();
          await member.kill();
          await pause(lastsMs);
          await member.start();
        },
      },
      {
        name: "freeze the leader",
        run: async (pause) => {
          const member = await leader();
          member.pause();
          await pause(lastsMs);
          member.resume();
        },
      },
      {
        name: "kill a server",
        run: async (pause) => {
          const member = this.#zooKeeper.members[follower];
          await member?.kill();
          await pause(lastsMs);
          await member?.start();
        },
      },
    ];
    // The leader dies in half of the cases.
    return faults[Math.max(0, randomInt(random, faults.length + 1) - 1)] as ServerFault;
  }

  async heal(): Promise<void> {
    for (const member of this.#zooKeeper.members) if (member.running) member.resume();
    await Promise.all(this.#zooKeeper.members.map((member) => member.start()));
    await awaitCondition(() => this.#zooKeeper.leader().then(() => true), {
      timeoutMs: 30_000,
      describe: "a leader",
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#zooKeeper.stop();
  }
}

/** Our embedded server, on disk and in a process of its own. */
export class EmbeddedProcess implements ChaosServers {
  readonly title = "the embedded server";
  readonly #home: ScratchDir;
  #program: Program | undefined;
  #port = 0;

  private constructor(home: ScratchDir) {
    this.#home = home;
  }

  static async start(): Promise<EmbeddedProcess> {
    const server = new EmbeddedProcess(await scratchDir());
    await server.#start();
    return server;
  }

  get members(): ChaosServers["members"] {
    return [{ host: "127.0.0.1", port: this.#port }];
  }

  get connectString(): string {
    return `127.0.0.1:${this.#port}`;
  }

  fault(random: Random): ServerFault {
    const lastsMs = 50 + randomInt(random, 1_000);
    const faults: readonly ServerFault[] = [
      {
        name: "kill the server",
        run: async (pause) => {
          await this.#program?.kill("SIGKILL");
          await pause(lastsMs);
          await this.#start();
        },
      },
      {
        name: "freeze the server",
        run: async (pause) => {
          await this.#program?.kill("SIGSTOP");
          await pause(lastsMs);
          await this.#program?.kill("SIGCONT");
        },
      },
    ];
    return faults[randomInt(random, faults.length)] as ServerFault;
  }

  async heal(): Promise<void> {
    await this.#program?.kill("SIGCONT");
    if (this.#program === undefined || this.#program.exit !== undefined) await this.#start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program?.kill("SIGKILL");
    await this.#home.remove();
  }

  async #start(): Promise<void> {
    const args = [SERVER, this.#home.path, String(this.#port), String(TICK_TIME_MS)];
    this.#program = runProgram(process.execPath, { args });
    this.#port = Number(await this.#program.line());
  }
}

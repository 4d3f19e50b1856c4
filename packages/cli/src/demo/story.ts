// SPDX-License-Identifier: Apache-2.0
// The seed's story: two servers register and are called, a third joins, the first is killed.
import { nodeName } from "@meerkat/client";
import { type Directory, endpointKey, Registry } from "@meerkat/governance";
import { type Runtime, sleep } from "@meerkat/runtime";
import { callUntilAborted } from "./caller.ts";
import type { ManagedProcess } from "./managed-process.ts";
import type { DemoModel, DemoServer } from "./model.ts";
import { SERVER_SESSION_TIMEOUT_MS, type Stage } from "./stage.ts";
import { duration } from "./summary-text.ts";

/** How long each state is shown. */
const QUIET_MS = 2_500;
/** How long the end is shown. */
const EPILOGUE_MS = 1_000;
/** Longest wait for anything that should happen; the whole demo must end within a minute. */
const STEP_TIMEOUT_MS = 12_000;
/** Added to what is left of a killed server's session: servers look for expired ones in rounds. */
const EXPIRY_MARGIN_MS = 4_000;
/** An ensemble may insist on long sessions; the demo does not wait them out. */
const EXPIRY_WAIT_MAX_MS = 20_000;
/** Time between two looks at a condition. */
const POLL_MS = 15;

/** Titles and usual durations of the chapters; `tellStory` runs them in this order. */
export function storyChapters(
  ports: readonly number[],
): { readonly title: string; readonly expectedMs: number }[] {
  const [first, second, third] = ports;
  return [
    { title: "ZooKeeper answers", expectedMs: 700 },
    { title: `${first} and ${second} register themselves`, expectedMs: 900 },
    { title: "A client finds and calls both", expectedMs: QUIET_MS },
    { title: `${third} joins`, expectedMs: 700 },
    { title: "Calls go to all three", expectedMs: QUIET_MS },
    { title: `${first} is killed (SIGKILL)`, expectedMs: 300 },
    {
      title: "ZooKeeper drops it from the list",
      expectedMs: SERVER_SESSION_TIMEOUT_MS + EPILOGUE_MS,
    },
  ];
}

/** Tells the whole story. Rejects when something does not happen, or when `signal` aborts. */
export async function tellStory(
  stage: Stage,
  model: DemoModel,
  options: {
    readonly zookeeper: string | undefined;
    readonly runtime: Runtime;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  await new Story(stage, model, options.runtime, options.signal).tell(options.zookeeper);
}

class Story {
  readonly #stage: Stage;
  readonly #model: DemoModel;
  readonly #runtime: Runtime;
  readonly #signal: AbortSignal;
  readonly #onListed = new Map<string, () => void>();
  #sessionTimeoutMs = SERVER_SESSION_TIMEOUT_MS;

  constructor(stage: Stage, model: DemoModel, runtime: Runtime, signal: AbortSignal) {
    this.#stage = stage;
    this.#model = model;
    this.#runtime = runtime;
    this.#signal = signal;
  }

  async tell(zookeeper: string | undefined): Promise<void> {
    const model = this.#model;
    const [first, second, third] = model.servers;
    if (first === undefined || second === undefined || third === undefined) {
      throw new RangeError("the story needs three servers");
    }
    await model.chapter(0, () => this.#openZooKeeper(zookeeper));
    await using registry = await Registry.connect(
      { hosts: this.#stage.hosts, sessionTimeoutMs: SERVER_SESSION_TIMEOUT_MS, runtime: this.#runtime },
      { timeoutMs: STEP_TIMEOUT_MS, signal: this.#signal },
    );
    await using directory = await registry.directory({ signal: this.#signal, timeoutMs: STEP_TIMEOUT_MS });
    directory.onChange(() => this.#readList(directory));
    // The divide servers ask for the same, so this is what the killed one has left.
    this.#sessionTimeoutMs = registry.client.sessionTimeoutMs;
    const processes = new Map<DemoServer, ManagedProcess>();
    await model.chapter(1, async () => {
      for (const server of [first, second]) processes.set(server, await this.#start(server));
      await this.#until("both servers are in the list", () => isListed(first) && isListed(second));
      return `${first.znode} and ${second.znode}`;
    });
    const callers = new AbortController();
    const calls = callUntilAborted(directory, model.tally, this.#runtime, callers.signal);
    try {
      await this.#withCalls(first, second, third, processes);
    } finally {
      callers.abort();
      await calls;
    }
  }

  async #openZooKeeper(zookeeper: string | undefined): Promise<string> {
    const model = this.#model;
    if (zookeeper === undefined) {
      model.zookeeper = `the embedded server at ${await this.#stage.startZooKeeper()}`;
    } else {
      await this.#stage.useZooKeeper(zookeeper);
      model.zookeeper = zookeeper;
    }
    model.listPath = this.#stage.listPath;
    return model.zookeeper;
  }

  /** What happens while the client calls. */
  async #withCalls(
    first: DemoServer,
    second: DemoServer,
    third: DemoServer,
    processes: Map<DemoServer, ManagedProcess>,
  ): Promise<void> {
    const model = this.#model;
    const { tally, clock } = model;
    const answered = (server: DemoServer): number => tally.answeredBy(server.key);
    await model.chapter(2, async () => {
      await this.#quiet(QUIET_MS);
      await this.#until("both servers answered", () => answered(first) > 0 && answered(second) > 0);
      return `${tally.calls} calls, ${tally.failures} failed`;
    });
    await model.chapter(3, async () => {
      processes.set(third, await this.#start(third, () => tally.serverJoined(third.key, clock.nowMs())));
      await this.#until(`${third.port} is in the list`, () => isListed(third));
      await this.#until(`${third.port} answered`, () => answered(third) > 0);
      return `first call ${duration(tally.joinMs ?? 0)} after it was listed`;
    });
    await model.chapter(4, async () => {
      await this.#quiet(QUIET_MS);
      return `${tally.calls} calls, ${tally.failures} failed`;
    });
    const killed = processes.get(first);
    if (killed === undefined) throw new Error(`${first.key} was never started`);
    let callsAtKill = 0;
    let killedMs = 0;
    await model.chapter(5, async () => {
      killedMs = clock.nowMs();
      callsAtKill = tally.calls;
      tally.serverKilled(first.key, killedMs);
      first.status = "killed";
      await this.#stage.kill(killed);
      await this.#until("calls went on", () => tally.calls >= callsAtKill + 10);
      const { ejectMs } = tally;
      return ejectMs ? `last attempt after ${duration(ejectMs)}` : "no further attempt on it";
    });
    await model.chapter(6, async () => {
      const timeoutMs = Math.min(1.5 * this.#sessionTimeoutMs + EXPIRY_MARGIN_MS, EXPIRY_WAIT_MAX_MS);
      const isGone = await this.#comesTrue(() => !isListed(first), timeoutMs);
      const goneMs = clock.nowMs() - killedMs;
      await this.#quiet(EPILOGUE_MS);
      return isGone
        ? `after ${duration(goneMs)}; ${tally.calls - callsAtKill} calls since the kill`
        : `not yet: sessions last ${duration(this.#sessionTimeoutMs)} there`;
    });
  }

  /** Starts a server's process; `onListed` is called when it, or the live list, says that it has joined. */
  async #start(server: DemoServer, onListed: () => void = () => {}): Promise<ManagedProcess> {
    server.status = "starting";
    this.#onListed.set(server.key, onListed);
    return this.#stage.startDivideServer(server.port, (line) => {
      if (/\bregistered\b/i.test(line)) onListed();
    });
  }

  /** Takes the directory's list over into the model and tells of changes. */
  #readList(directory: Directory): void {
    const set = directory.snapshot();
    this.#model.isListStale = set.stale;
    const listed = new Map(set.endpoints.map((entry) => [endpointKey(entry), nodeName(entry.path ?? "")]));
    for (const server of this.#model.servers) {
      const znode = listed.get(server.key);
      if (znode !== undefined && server.znode === undefined) {
        if (server.status === "starting") server.status = "up";
        this.#onListed.get(server.key)?.();
      }
      server.znode = znode;
    }
    const names = set.endpoints.map((entry) => `${nodeName(entry.path ?? "")} (${entry.port})`);
    this.#model.news(`live list: ${names.length === 0 ? "empty" : names.join(", ")}`);
  }

  /** Lets the calls go on for a while. */
  async #quiet(durationMs: number): Promise<void> {
    const endMs = this.#runtime.clock.nowMs() + durationMs;
    await this.#until("time passed", () => this.#runtime.clock.nowMs() >= endMs);
  }

  /** Waits for a condition; fails when a process ends meanwhile or it takes too long. */
  async #until(what: string, check: () => boolean): Promise<void> {
    if (await this.#comesTrue(check, STEP_TIMEOUT_MS)) return;
    throw new Error(`waited ${STEP_TIMEOUT_MS / 1000} s in vain until ${what}`);
  }

  /** Whether a condition comes true in time; fails when a process ends meanwhile. */
  async #comesTrue(check: () => boolean, timeoutMs: number): Promise<boolean> {
    const { clock } = this.#runtime;
    const deadlineMs = clock.nowMs() + timeoutMs;
    while (!check()) {
      this.#stage.assertAlive();
      if (clock.nowMs() > deadlineMs) return false;
      await sleep(clock, POLL_MS, this.#signal);
    }
    return true;
  }
}

function isListed(server: DemoServer): boolean {
  return server.znode !== undefined;
}

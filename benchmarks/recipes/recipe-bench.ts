// SPDX-License-Identifier: Apache-2.0
// The subjects of the recipe suite, each in a process of its own for each server.
import { performance } from "node:perf_hooks";
import { ZooKeeperClient } from "@meerkat/client";
import { awaitCondition } from "@meerkat/testkit";
import type { CacheResult } from "../drivers/recipe-verbs.ts";
import type { BenchmarkServer } from "../lib/benchmark-server.ts";
import { type DriverCommand, DriverProcess } from "../lib/driver-process.ts";
import { driverPath } from "../lib/locations.ts";
import type { Report } from "../lib/report.ts";
import { alternate, rowOf, type Sample } from "../lib/rounds.ts";
import { medianOf } from "../lib/statistics.ts";
import type { TimeBudget } from "../lib/time-budget.ts";

/** As short as the servers' ticks allow: it is most of a fail-over. */
const SESSION_TIMEOUT_MS = 4_000;
const LONG_SESSION_TIMEOUT_MS = 60_000;
const ROOT = "/bench-recipes";
/** Znodes of the tree to be cached under one parent. */
const FAN_OUT = 100;

/** How much a run of the suite does. */
export interface RecipePlan {
  readonly rounds: number;
  readonly runMs: number;
  readonly failoverRounds: number;
  readonly cacheRounds: number;
  readonly cacheTimeoutMs: number;
}

interface Failover {
  readonly failoverMs: number;
}

/** Runs the cases and reports them. */
export class RecipeBench {
  readonly #report: Report;
  readonly #plan: RecipePlan;
  readonly #commands: ReadonlyMap<string, DriverCommand>;
  readonly #budget: TimeBudget;
  readonly #loader: DriverProcess;
  readonly #drivers = new Map<string, DriverProcess>();
  readonly #broken = new Set<string>();
  #paths = 0;

  constructor(options: {
    readonly report: Report;
    readonly plan: RecipePlan;
    readonly commands: ReadonlyMap<string, DriverCommand>;
    readonly budget: TimeBudget;
  }) {
    this.#report = options.report;
    this.#plan = options.plan;
    this.#commands = options.commands;
    this.#budget = options.budget;
    this.#loader = new DriverProcess({ name: "load", program: process.execPath, args: [driverPath("load")] });
  }

  /** One contender: acquire and release. */
  async locks(caseName: string, server: BenchmarkServer): Promise<void> {
    await this.#rates(caseName, server, (driver, durationMs) =>
      driver.call<Sample>("lock", { path: this.#path(), durationMs }),
    );
  }

  /** Many contenders: from release to grant. */
  async handOvers(caseName: string, server: BenchmarkServer, contenders: number): Promise<void> {
    await this.#rates(caseName, server, (driver, durationMs) =>
      driver.call<Sample>("contend", { path: this.#path(), durationMs, contenders }),
    );
  }

  /**
   * The leader is killed, the next one leads. The subjects wait at the same time: all they do is wait for the
   * server to end a session.
   */
  async failovers(caseName: string, server: BenchmarkServer): Promise<void> {
    if (this.#leftOut(caseName)) return;
    this.#report.progress(caseName);
    const rounds = Array.from({ length: this.#plan.failoverRounds });
    await Promise.all(
      [...this.#commands.keys()].map(async (subject) => {
        const results: Failover[] = [];
        for (const _ of rounds) {
          const result = await this.#orLeaveOut(subject, server, () => this.#failover(subject, server));
          if (result !== undefined) results.push(result);
        }
        if (results.length === 0) return;
        this.#report.add({
          case: caseName,
          subject,
          failoverMs: medianOf(results, ({ failoverMs }) => failoverMs),
          sessionTimeoutMs: SESSION_TIMEOUT_MS,
          rounds: results.length,
        });
      }),
    );
  }

  /** A tree of so many znodes: until a cache of it is whole, and until it tells one change. */
  async caches(
    caseNames: { start: string; change: string },
    server: BenchmarkServer,
    count: number,
  ): Promise<void> {
    if (this.#leftOut(caseNames.start)) return;
    this.#report.progress(caseNames.start);
    const root = `${ROOT}/tree-${count}`;
    const parents = Array.from(
      { length: Math.ceil((count - 1) / (FAN_OUT + 1)) },
      (_, at) => `${root}/${at}`,
    );
    const leaves = parents.flatMap((parent) => Array.from({ length: FAN_OUT }, (_, at) => `${parent}/${at}`));
    const paths = [root, ...parents, ...leaves].slice(0, count);
    await this.#ensure(server, paths);
    const changed = paths.at(-1) as string;
    const subjects = [...this.#commands.keys()];
    const changes = new Map<string, Sample[]>();
    const starts = await alternate(subjects, this.#plan.cacheRounds, (subject) =>
      this.#orLeaveOut(`${subject} with ${count} znodes`, server, async () => {
        await using driver = await this.#connect(subject, server, LONG_SESSION_TIMEOUT_MS);
        const { cacheTimeoutMs: timeoutMs, runMs: durationMs } = this.#plan;
        const result = await driver.call<CacheResult>("cache", { path: root, count, timeoutMs });
        const change = await driver.call<Sample>("change", { path: changed, durationMs });
        changes.set(subject, [...(changes.get(subject) ?? []), change]);
        return result;
      }),
    );
    for (const [subject, of] of starts) {
      if (of.length === 0) continue;
      this.#report.add({
        case: caseNames.start,
        subject,
        startMs: medianOf(of, ({ startMs }) => startMs),
        startCpuMs: medianOf(of, ({ startCpuMs }) => startCpuMs),
        rounds: of.length,
      });
    }
    for (const [subject, of] of changes) this.#report.add(rowOf(caseNames.change, subject, of));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#drivers.values(), this.#loader].map((driver) => driver.close()));
  }

  async #rates(
    caseName: string,
    server: BenchmarkServer,
    run: (driver: DriverProcess, durationMs: number) => Promise<Sample>,
  ): Promise<void> {
    if (this.#leftOut(caseName)) return;
    this.#report.progress(caseName);
    const { rounds, runMs } = this.#plan;
    const subjects = [...this.#commands.keys()];
    const measured = (durationMs: number) => (subject: string) =>
      this.#orLeaveOut(subject, server, async () => run(await this.#driver(subject, server), durationMs));
    await alternate(subjects, 1, measured(runMs / 2));
    const samples = await alternate(subjects, rounds, measured(runMs));
    for (const [subject, of] of samples) {
      if (of.length > 0) this.#report.add(rowOf(caseName, subject, of));
    }
  }

  async #failover(subject: string, server: BenchmarkServer): Promise<Failover> {
    const path = this.#path();
    const leader = await this.#connect(subject, server, SESSION_TIMEOUT_MS);
    try {
      await leader.call("lead", { path });
      await using next = await this.#connect(subject, server, SESSION_TIMEOUT_MS);
      const leading = next.call("lead", { path });
      leading.catch(() => {});
      await this.#awaitSecond(server, path);
      process.kill(leader.pid, "SIGKILL");
      const killedMs = performance.now();
      await leading;
      return { failoverMs: performance.now() - killedMs };
    } finally {
      await leader.close();
    }
  }

  /** Waits until the second one stands. */
  async #awaitSecond(server: BenchmarkServer, path: string): Promise<void> {
    await using observer = await ZooKeeperClient.connect(`${server.host}:${server.port}`);
    const sessions = async (): Promise<number> => {
      const { children } = await observer.children(path);
      const stats = await Promise.all(children.map((name) => observer.exists(`${path}/${name}`)));
      return new Set(stats.map((stat) => stat?.ephemeralOwner)).size;
    };
    await awaitCondition(async () => (await sessions()) >= 2, { describe: `a second contender at ${path}` });
  }

  async #ensure(server: BenchmarkServer, paths: readonly string[]): Promise<void> {
    const target = { host: server.host, port: server.port };
    await this.#loader.call("ensure", { target, paths: [ROOT], dataBytes: 0 });
    await this.#loader.call("ensure", { target, paths, dataBytes: 100 });
  }

  async #driver(subject: string, server: BenchmarkServer): Promise<DriverProcess> {
    const key = `${subject} over ${server.title}`;
    const known = this.#drivers.get(key);
    if (known !== undefined) return known;
    const driver = await this.#connect(subject, server, LONG_SESSION_TIMEOUT_MS);
    this.#drivers.set(key, driver);
    return driver;
  }

  async #connect(subject: string, server: BenchmarkServer, sessionTimeoutMs: number): Promise<DriverProcess> {
    const command = this.#commands.get(subject.split(" ")[0] as string);
    if (command === undefined) throw new Error(`no driver for ${subject}`);
    const driver = new DriverProcess(command);
    try {
      await driver.call("connect", { hosts: `${server.host}:${server.port}`, sessionTimeoutMs });
      return driver;
    } catch (error) {
      await driver.close();
      throw error;
    }
  }

  #path(): string {
    return `/bench-recipe-${++this.#paths}`;
  }

  #leftOut(caseName: string): boolean {
    if (!this.#budget.usedUp) return false;
    this.#report.note(`left out, since the time of this run is used up: ${caseName}`);
    return true;
  }

  /** A rival that fails is reported and left out from then on; our own failure ends the suite. */
  async #orLeaveOut<T>(
    subject: string,
    server: BenchmarkServer,
    task: () => Promise<T>,
  ): Promise<T | undefined> {
    const key = `${subject} over ${server.title}`;
    if (this.#broken.has(key)) return undefined;
    try {
      return await task();
    } catch (error) {
      if (subject.startsWith("meerkat")) throw error;
      this.#broken.add(key);
      this.#report.note(`${key} is left out: ${String(error).split("\n")[0]}`);
      return undefined;
    }
  }
}

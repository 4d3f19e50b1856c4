// SPDX-License-Identifier: Apache-2.0
// Locks, read-write locks, semaphores and elections: never over-granted, everyone served.
import type { ZooKeeperClient } from "@meerkat/client";
import {
  type Hold,
  isRecipeError,
  LeaderElection,
  LeaderLatch,
  Lock,
  ReadWriteLock,
  Semaphore,
} from "@meerkat/recipes";
import { isCodedError, randomInt } from "@meerkat/runtime";
import { FencedResource } from "../fenced-resource.ts";
import type { History } from "../history.ts";
import { pauseFor } from "../schedule.ts";
import type { Site } from "../site.ts";
import { perClient, repeat, type Workload, type World } from "../workload.ts";

const PERMITS = 2;
const STEPS = 3;
/** Some waiters give up; they must leave nothing that others wait for. */
const IMPATIENT = 0.2;
const PATIENCE_MAX_MS = 400;

interface Taken {
  readonly hold: Hold;
  readonly kind: "exclusive" | "shared";
}

/** How a contender takes what it contends for. */
type Take = (
  client: ZooKeeperClient,
  site: Site,
  limits: { readonly timeoutMs?: number | undefined },
) => Promise<Taken>;

interface ExclusionOptions {
  readonly take: Take;
  /** Default 1. */
  readonly permits?: number | undefined;
  /** Where holders count, under the protection of `fence()` alone. */
  readonly counterPath?: string | undefined;
  /** What a contender does when it has been served for the last time. */
  readonly finish?: ((client: ZooKeeperClient) => Promise<void>) | undefined;
}

/** A workload of acquiring, using a fenced resource and releasing. */
class Exclusion implements Workload {
  readonly history: History;
  readonly #world: World;
  readonly #resource: FencedResource;
  readonly #options: ExclusionOptions;
  readonly #count: FencedCounter | undefined;

  constructor(world: World, history: History, options: ExclusionOptions) {
    this.history = history;
    this.#world = world;
    this.#options = options;
    this.#resource = new FencedResource(history, options.permits ?? 1);
    if (options.counterPath !== undefined) this.#count = new FencedCounter(history, options.counterPath);
  }

  async contend(site: Site): Promise<void> {
    const { random } = this.#world;
    await repeat(this.#world, site, this.history, async (client, final) => {
      const isImpatient = !final && random.float() < IMPATIENT;
      const limits = isImpatient ? { timeoutMs: 20 + randomInt(random, PATIENCE_MAX_MS) } : {};
      const { hold, kind } = await this.#options.take(client, site, limits).catch((error: unknown) => {
        // Waiters outlive lost connections and sessions: only their own limit or end makes them give up.
        const isExplained = client !== site.client || (isImpatient && isRecipeError(error, "TIMEOUT"));
        if (!isExplained) {
          this.history.violation(`${site.name} was not served: ${error instanceof Error ? error.stack : ""}`);
        }
        throw error;
      });
      try {
        const isForced = (): boolean => site.forced.has(hold.sessionId);
        await this.#resource.visit({ who: site.name, hold, kind, isForced }, STEPS, async () => {
          if (kind === "exclusive") await this.#count?.increment(client, hold);
          await pauseFor(randomInt(random, 5), hold.signal);
        });
      } finally {
        await hold.release();
      }
    });
    await this.#options.finish?.(site.client);
  }

  async settle(client: ZooKeeperClient): Promise<void> {
    await this.#count?.verify(client);
    if (this.history.total("grants") === 0) this.history.violation("nobody was ever granted anything");
  }
}

/**
 * A resource in ZooKeeper itself: a number that holders read and write without a version, guarded by nothing
 * but `hold.fence()`. Two holders at a time in the server's eyes would lose a count.
 */
class FencedCounter {
  readonly #history: History;
  readonly #path: string;
  #acknowledged = 0;
  #unknown = 0;

  constructor(history: History, path: string) {
    this.#history = history;
    this.#path = path;
  }

  async increment(client: ZooKeeperClient, hold: Hold): Promise<void> {
    const call = { signal: hold.signal, timeoutMs: 0 };
    let sent = false;
    try {
      await client.ensurePath(this.#path, call);
      const value = Number((await client.get(this.#path, call)).data.toString() || "0");
      sent = true;
      await client.multi([hold.fence(), { op: "set", path: this.#path, data: String(value + 1) }], call);
      this.#acknowledged++;
    } catch (error) {
      if (sent && !(isCodedError(error) && error.effect === "none")) this.#unknown++;
      // The hold is over, or the connection: the visit finds out by itself.
      this.#history.count("fenced writes that failed");
    }
  }

  async verify(client: ZooKeeperClient): Promise<void> {
    await client.sync(this.#path);
    const value = Number((await client.get(this.#path)).data.toString());
    this.#history.count("fenced writes", this.#acknowledged);
    const most = this.#acknowledged + this.#unknown;
    if (value < this.#acknowledged || value > most) {
      this.#history.violation(`the fenced counter is ${value}, not from ${this.#acknowledged} to ${most}`);
    }
  }
}

/** A lock of every layout that excludes the others, on one path. */
export function lockWorkload(world: World, history: History): Workload {
  const path = "/chaos/lock";
  const lock = perClient((client) => new Lock(client, path));
  return new Exclusion(world, history, {
    counterPath: "/chaos/lock-counter",
    take: async (client, _site, limits) => ({ hold: await lock(client).acquire(limits), kind: "exclusive" }),
  });
}

export function readWriteWorkload(world: World, history: History): Workload {
  const lock = perClient((client) => new ReadWriteLock(client, "/chaos/read-write"));
  return new Exclusion(world, history, {
    counterPath: "/chaos/read-write-counter",
    take: async (client, _site, limits) =>
      world.random.float() < 0.6
        ? { hold: await lock(client).read.acquire(limits), kind: "shared" }
        : { hold: await lock(client).write.acquire(limits), kind: "exclusive" },
  });
}

export function semaphoreWorkload(world: World, history: History, layout: "curator" | "kazoo"): Workload {
  const semaphore = perClient(
    (client) => new Semaphore(client, `/chaos/semaphore-${layout}`, { permits: PERMITS, layout }),
  );
  return new Exclusion(world, history, {
    permits: PERMITS,
    take: async (client, _site, limits) => ({
      hold: await semaphore(client).acquire(limits),
      kind: "exclusive",
    }),
  });
}

export function electionWorkload(world: World, history: History): Workload {
  const election = perClient((client) => new LeaderElection(client, "/chaos/election"));
  return new Exclusion(world, history, {
    counterPath: "/chaos/election-counter",
    take: async (client, _site, limits) => ({
      hold: await election(client).campaign(limits),
      kind: "exclusive",
    }),
  });
}

/** Latches that live as long as their client and stand again whenever they lose. */
export function latchWorkload(world: World, history: History): Workload {
  const latch = perClient((client) => new LeaderLatch(client, "/chaos/latch"));
  return new Exclusion(world, history, {
    // It would stand, and lead, on and on.
    finish: (client) => latch(client).close(),
    take: async (client, site, limits) => {
      const own = latch(client);
      // One whose process "died" stands no more.
      const gone = new AbortController();
      const stop = site.disturbances.on(() => {
        if (site.client !== client) gone.abort();
      });
      try {
        return { hold: await own.whenLeader({ ...limits, signal: gone.signal }), kind: "exclusive" };
      } finally {
        stop();
      }
    },
  });
}

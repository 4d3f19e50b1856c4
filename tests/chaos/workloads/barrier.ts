// SPDX-License-Identifier: Apache-2.0
// Double barriers: nobody passes before all have come, nobody leaves before all are about to.
import { DoubleBarrier } from "@meerkat/recipes";
import type { History } from "../history.ts";
import type { Site } from "../site.ts";
import type { Workload, World } from "../workload.ts";

/** One use of the barrier, on a path of its own. */
class Round {
  readonly started: Set<Site> = new Set();
  readonly leaving: Set<Site> = new Set();
  readonly left: Set<Site> = new Set();
  /** Lost their session on the way: others may go on without them, and they may come too late. */
  readonly disturbed: Set<Site> = new Set();
  /** Aborts when all who were not disturbed have left: nobody is there to meet any more. */
  readonly over: AbortController = new AbortController();
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  check(): void {
    const done = new Set([...this.left, ...this.disturbed]);
    if (done.size === this.#size && this.started.size === this.#size) this.over.abort();
  }
}

export class BarrierWorkload implements Workload {
  readonly history: History;
  readonly #world: World;
  readonly #rounds: Round[] = [];
  /** The first round that certainly begins after the faults; there is none after it. */
  #last: number | undefined;

  constructor(world: World, history: History) {
    this.#world = world;
    this.history = history;
  }

  async contend(site: Site): Promise<void> {
    // A round that anyone began is gone through by all; one whole round comes after the faults.
    for (let at = 0; ; at++) {
      const begunAfter = this.#world.ending.aborted;
      if (begunAfter && this.#last !== undefined && at > this.#last) return;
      if (begunAfter) this.#last ??= Math.max(at, this.#rounds.length);
      await this.#goThrough(site, at);
    }
  }

  async settle(): Promise<void> {
    if (this.history.total("passed") === 0) {
      this.history.violation("nobody ever passed");
    }
  }

  async #goThrough(site: Site, at: number): Promise<void> {
    const size = this.#world.sites.length;
    this.#rounds[at] ??= new Round(size);
    const round = this.#rounds[at] as Round;
    const stop = site.disturbances.on(() => {
      round.disturbed.add(site);
      round.check();
    });
    round.started.add(site);
    round.check();
    try {
      const barrier = await this.#enter(site, at, round);
      if (barrier === undefined) return;
      if (round.started.size < size && round.disturbed.size === 0) {
        this.history.violation(
          `${site.name} passed barrier ${at} when ${round.started.size} of ${size} had come`,
        );
      }
      this.history.count("passed");
      round.leaving.add(site);
      await barrier.leave({ signal: round.over.signal });
      if (round.leaving.size < size && round.disturbed.size === 0) {
        this.history.violation(
          `${site.name} left barrier ${at} with ${round.leaving.size} of ${size} leaving`,
        );
      }
      round.left.add(site);
      if (round.left.size === size) this.history.count("rounds that all went through");
    } catch (error) {
      this.history.failure(site.name, error, round.disturbed.has(site));
      round.disturbed.add(site);
    } finally {
      stop();
      round.check();
    }
  }

  /** Enters, again with a new client when the old one "died". Undefined when the round is over. */
  async #enter(site: Site, at: number, round: Round): Promise<DoubleBarrier | undefined> {
    const { signal } = round.over;
    while (!signal.aborted) {
      const { client } = site;
      const barrier = new DoubleBarrier(client, `/chaos/barrier/${at}`, { size: this.#world.sites.length });
      try {
        await barrier.enter({ signal });
        return barrier;
      } catch (error) {
        if (signal.aborted) return undefined;
        this.history.failure(site.name, error, client !== site.client);
      }
    }
    return undefined;
  }
}

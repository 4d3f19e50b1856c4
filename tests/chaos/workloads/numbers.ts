// SPDX-License-Identifier: Apache-2.0
// Shared numbers: every acknowledged change counts once.
import type { ZooKeeperClient } from "@meerkat/client";
import { AtomicLong, Counter, Lock } from "@meerkat/recipes";
import { isCodedError } from "@meerkat/runtime";
import type { History } from "../history.ts";
import type { Site } from "../site.ts";
import { perClient, repeat, type Workload, type World } from "../workload.ts";

/** What the two kinds of numbers have in common here. */
interface SharedNumber {
  increment(): Promise<{ readonly previous: bigint | number }>;
  get(): Promise<bigint | number>;
}

class Numbers implements Workload {
  readonly history: History;
  readonly #world: World;
  readonly #number: (client: ZooKeeperClient) => SharedNumber;
  readonly #previous = new Set<string>();
  #unknown = 0;

  constructor(world: World, history: History, number: (client: ZooKeeperClient) => SharedNumber) {
    this.#world = world;
    this.history = history;
    this.#number = perClient(number);
  }

  async contend(site: Site): Promise<void> {
    await repeat(this.#world, site, this.history, async (client) => {
      try {
        const { previous } = await this.#number(client).increment();
        this.history.count("increments");
        const before = String(previous);
        if (this.#previous.has(before)) this.history.violation(`${before} was incremented twice`);
        this.#previous.add(before);
      } catch (error) {
        if (!isCodedError(error) || error.effect !== "none") {
          this.history.count("increments of unknown outcome");
          this.#unknown++;
        }
        throw error;
      }
    });
  }

  async settle(client: ZooKeeperClient): Promise<void> {
    await client.sync("/");
    const value = Number(await this.#number(client).get());
    const least = this.#previous.size;
    if (value < least || value > least + this.#unknown) {
      this.history.violation(`the number is ${value}, not from ${least} to ${least + this.#unknown}`);
    }
  }
}

/** Curator's long, with a lock after lost races. */
export function longWorkload(world: World, history: History): Workload {
  return new Numbers(
    world,
    history,
    (client) =>
      new AtomicLong(client, "/chaos/long", {
        lock: new Lock(client, "/chaos/long-lock"),
        optimisticAttemptsMax: 2,
      }),
  );
}

/** Kazoo's counter, optimistic only. */
export function counterWorkload(world: World, history: History): Workload {
  return new Numbers(world, history, (client) => new Counter(client, "/chaos/counter"));
}

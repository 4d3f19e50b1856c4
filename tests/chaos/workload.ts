// SPDX-License-Identifier: Apache-2.0
// What every workload is made of.
import type { ZooKeeperClient } from "@meerkat/client";
import { type Random, randomInt } from "@meerkat/runtime";
import type { History } from "./history.ts";
import { pauseFor } from "./schedule.ts";
import type { Site } from "./site.ts";

/** Where a workload runs. */
export interface World {
  readonly sites: readonly Site[];
  /** Aborts when the faults are over: every contender then succeeds once more and ends. */
  readonly ending: AbortSignal;
  readonly random: Random;
}

/** One recipe under faults, with what must be true of it. */
export interface Workload {
  readonly history: History;
  /** One contender, from the start until it has been served after the faults. */
  contend(site: Site): Promise<void>;
  /** Checks the end state, by a client that no fault touches. */
  settle(client: ZooKeeperClient): Promise<void>;
}

/** One step of a contender; `final` when the faults are over and it has to succeed. */
export type Step = (client: ZooKeeperClient, final: boolean) => Promise<void>;

const PAUSE_MAX_MS = 40;

/**
 * Repeats a step until it has succeeded after the faults. Failures that the faults explain are counted,
 * all others are violations.
 */
export async function repeat(world: World, site: Site, history: History, step: Step): Promise<void> {
  for (;;) {
    const final = world.ending.aborted;
    const { client } = site;
    try {
      await step(client, final);
      if (final) return;
    } catch (error) {
      history.failure(site.name, error, client !== site.client);
    }
    await pauseFor(1 + randomInt(world.random, PAUSE_MAX_MS));
  }
}

/** Makes something once for each client: recipes with state are not made anew for every step. */
export function perClient<T extends object>(
  make: (client: ZooKeeperClient) => T,
): (client: ZooKeeperClient) => T {
  const made = new WeakMap<ZooKeeperClient, T>();
  return (client) => {
    const known = made.get(client);
    if (known !== undefined) return known;
    const fresh = make(client);
    made.set(client, fresh);
    return fresh;
  };
}

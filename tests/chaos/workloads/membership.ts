// SPDX-License-Identifier: Apache-2.0
// Parties and persistent nodes: whoever lives is there, exactly once, whatever happened.
import { isZooKeeperError, type ZooKeeperClient } from "@meerkat/client";
import { Party, PersistentNode } from "@meerkat/recipes";
import { awaitCondition } from "@meerkat/testkit";
import type { History } from "../history.ts";
import type { Site } from "../site.ts";
import { perClient, repeat, type Workload, type World } from "../workload.ts";

const ROOT = "/chaos/party";
const NODES = "/chaos/nodes";
const TIMEOUT_MS = 30_000;

/** Everything a site's present client keeps. */
interface Kept {
  readonly party: Party;
  readonly node: PersistentNode;
}

export class MembershipWorkload implements Workload {
  readonly history: History;
  readonly #world: World;
  readonly #kept = new Map<Site, (client: ZooKeeperClient) => Kept>();
  readonly #said = new Map<Site, string>();

  constructor(world: World, history: History) {
    this.#world = world;
    this.history = history;
    for (const site of world.sites) {
      this.#kept.set(
        site,
        perClient((client) => ({
          party: new Party(client, ROOT, { identifier: site.name }),
          node: new PersistentNode(client, `${NODES}/${site.name}`),
        })),
      );
    }
  }

  async contend(site: Site): Promise<void> {
    let turns = 0;
    await repeat(this.#world, site, this.history, async (client) => {
      const { party, node } = this.#keptBy(site, client);
      // The node of a predecessor that "died" stands until its session ends; a crash ends the wait.
      const gone = new AbortController();
      const stop = site.disturbances.on(() => {
        if (site.client !== client) gone.abort();
      });
      try {
        await party.join({ signal: gone.signal });
        const data = `${site.name}-${turns++}`;
        await node.setData(data, { signal: gone.signal });
        this.#said.set(site, data);
        this.history.count("data kept");
        if (turns % 7 === 0) await party.leave();
      } finally {
        stop();
      }
    });
    await this.#keptBy(site, site.client).party.join();
  }

  async settle(client: ZooKeeperClient): Promise<void> {
    await using observer = new Party(client, ROOT);
    const expected = this.#world.sites.map(({ name }) => name).sort();
    let found: string[] = [];
    const isThere = async (): Promise<boolean> => {
      found = (await observer.members()).map(({ identifier }) => identifier).sort();
      return found.join() === expected.join();
    };
    await awaitCondition(isThere, { timeoutMs: TIMEOUT_MS }).catch(() => {
      this.history.violation(`the party is ${found.join()}, not ${expected.join()}`);
    });
    for (const site of this.#world.sites) await this.#verifyNode(client, site);
  }

  async #verifyNode(client: ZooKeeperClient, site: Site): Promise<void> {
    const data = this.#said.get(site);
    let seen = "nothing";
    const isKept = async (): Promise<boolean> => {
      try {
        const found = await client.get(`${NODES}/${site.name}`);
        seen = `${found.data.toString()} of session ${found.stat.ephemeralOwner.toString(16)}`;
        return seen === `${data} of session ${site.client.sessionId.toString(16)}`;
      } catch (error) {
        if (!isZooKeeperError(error, "NO_NODE")) throw error;
        return false;
      }
    };
    await awaitCondition(isKept, { timeoutMs: TIMEOUT_MS }).catch(() => {
      this.history.violation(`the node of ${site.name} is ${seen}, not ${data} of its own session`);
    });
  }

  #keptBy(site: Site, client: ZooKeeperClient): Kept {
    const kept = this.#kept.get(site);
    if (kept === undefined) throw new TypeError(`${site.name} is no site of this run`);
    return kept(client);
  }
}

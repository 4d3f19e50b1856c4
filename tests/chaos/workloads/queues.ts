// SPDX-License-Identifier: Apache-2.0
// Queues: nothing that was put is lost, nothing that was acknowledged comes again.
import type { ZooKeeperClient } from "@meerkat/client";
import { Queue } from "@meerkat/recipes";
import { isCodedError } from "@meerkat/runtime";
import { awaitCondition } from "@meerkat/testkit";
import type { History } from "../history.ts";
import type { Site } from "../site.ts";
import { perClient, repeat, type Workload, type World } from "../workload.ts";

const PATH = "/chaos/queue";
const DRAIN_TIMEOUT_MS = 30_000;
/** Items are given back instead of acknowledged now and then. */
const GIVEN_BACK = 0.2;
/** More waiting items than this make producers rest, so that the run can be drained. */
const WAITING_MAX = 100;

interface Fate {
  put: "acknowledged" | "unknown" | "refused";
  acknowledged: number;
  /** Acknowledgements of unknown outcome. */
  unknown: number;
}

export class QueueWorkload implements Workload {
  readonly history: History;
  readonly #world: World;
  readonly #queue: (client: ZooKeeperClient) => Queue<Buffer> = perClient(
    (client) => new Queue(client, PATH),
  );
  readonly #fates = new Map<string, Fate>();
  #waiting = 0;

  constructor(world: World, history: History) {
    this.#world = world;
    this.history = history;
  }

  async contend(site: Site): Promise<void> {
    let index = 0;
    const produce = repeat(this.#world, site, this.history, async (client) => {
      if (this.#waiting > WAITING_MAX) return;
      await this.#put(client, `${site.name}-${index++}`);
    });
    const consume = repeat(this.#world, site, this.history, (client, final) =>
      this.#take(site, client, final),
    );
    await Promise.all([produce, consume]);
  }

  async settle(client: ZooKeeperClient): Promise<void> {
    await using queue = new Queue(client, PATH);
    const deadline = AbortSignal.timeout(DRAIN_TIMEOUT_MS);
    // Claims of the dead run out with their sessions.
    await awaitCondition(
      async () => {
        for (let item = await queue.tryTake(); item !== undefined; item = await queue.tryTake()) {
          await item.ack();
          this.#acknowledged(item.data.toString());
        }
        return (await queue.size()) === 0;
      },
      { timeoutMs: DRAIN_TIMEOUT_MS, signal: deadline, describe: "the queue to be drained" },
    );
    for (const [id, fate] of this.#fates) this.#verify(id, fate);
  }

  async #put(client: ZooKeeperClient, id: string): Promise<void> {
    const fate: Fate = { put: "unknown", acknowledged: 0, unknown: 0 };
    this.#fates.set(id, fate);
    this.#waiting++;
    try {
      await this.#queue(client).put(Buffer.from(id));
      fate.put = "acknowledged";
      this.history.count("put");
    } catch (error) {
      if (isCodedError(error) && error.effect === "none") {
        fate.put = "refused";
        this.#waiting--;
      } else {
        this.history.count("puts of unknown outcome");
      }
      throw error;
    }
  }

  async #take(site: Site, client: ZooKeeperClient, final: boolean): Promise<void> {
    const item = await this.#queue(client).tryTake();
    if (item === undefined) return;
    const id = item.data.toString();
    const fate = this.#fates.get(id);
    this.history.note(`${site.name} takes ${id}`);
    // One whose session was ended behind its back may see what is no longer its own; `ack` then refuses.
    const sure = !item.signal.aborted && !site.forced.has(client.sessionId);
    if (fate !== undefined && fate.acknowledged > 0 && sure) {
      this.history.violation(`${id} was taken by ${site.name} after it had been acknowledged`);
    }
    if (!final && this.#world.random.float() < GIVEN_BACK) {
      this.history.count("given back");
      await item.release();
      return;
    }
    try {
      await item.ack();
      this.history.note(`${site.name} acknowledged ${id}`);
      this.#acknowledged(id);
    } catch (error) {
      if (fate !== undefined && !(isCodedError(error) && error.effect === "none")) fate.unknown++;
      this.history.count("acknowledgements that failed");
      await item.release();
      throw error;
    }
  }

  #acknowledged(id: string): void {
    const fate = this.#fates.get(id);
    this.history.count("acknowledged");
    this.#waiting--;
    if (fate === undefined) this.history.violation(`${id} was never put`);
    else fate.acknowledged++;
  }

  #verify(id: string, { put, acknowledged, unknown }: Fate): void {
    if (acknowledged > 1) this.history.violation(`${id} was acknowledged ${acknowledged} times`);
    if (put === "acknowledged" && acknowledged + unknown === 0) this.history.violation(`${id} was lost`);
    if (put === "refused" && acknowledged + unknown > 0) {
      this.history.violation(`${id} was put although its put said that it was not`);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
// Caches: each step is one state of the server, the steps add up, and in the end everything is there.
import { isZooKeeperError, joinPath, type ZooKeeperClient } from "@meerkat/client";
import {
  type CacheChange,
  ChildrenCache,
  isRecipeError,
  NodeCache,
  TreeCache,
  type ZnodeCache,
} from "@meerkat/recipes";
import { randomInt } from "@meerkat/runtime";
import { awaitCondition } from "@meerkat/testkit";
import type { History } from "../history.ts";
import type { Site } from "../site.ts";
import { repeat, type Workload, type World } from "../workload.ts";

const ROOT = "/chaos/tree";
const NAMES = ["a", "b", "c"];
/** Two znodes that are only ever changed together: a state that shows them different never was. */
const PAIR = [`${ROOT}/left`, `${ROOT}/right`] as const;
const CONVERGE_TIMEOUT_MS = 30_000;

/** Path to data and the zxids that tell one znode from its successor. */
type State = ReadonlyMap<string, string>;

function described(data: Buffer, stat: { readonly czxid: bigint; readonly mzxid: bigint }): string {
  return `${data.toString()} czxid ${stat.czxid} mzxid ${stat.mzxid}`;
}

/** A cache and what its reader has made of its changes. */
class Watched {
  readonly what: string;
  readonly cache: ZnodeCache;
  readonly depthMax: number;
  readonly #history: History;
  readonly #seen = new Map<string, string>();
  readonly #reading: Promise<void>;

  constructor(what: string, cache: ZnodeCache, depthMax: number, history: History) {
    this.what = what;
    this.cache = cache;
    this.depthMax = depthMax;
    this.#history = history;
    this.#reading = this.#read().catch((error: unknown) => {
      // The end of the client is the end of its caches; nothing else is.
      if (!isRecipeError(error, "CLOSED")) history.violation(`${what} failed: ${String(error)}`);
    });
  }

  /** As the cache has it. */
  get held(): State {
    const { nodes } = this.cache.snapshot();
    return new Map([...nodes].map(([path, { data, stat }]) => [path, described(data, stat)]));
  }

  /** As the changes add up to. */
  get seen(): State {
    return this.#seen;
  }

  async close(): Promise<void> {
    await this.cache.close();
    await this.#reading;
  }

  async #read(): Promise<void> {
    for await (const change of this.cache.changes()) this.#apply(change);
  }

  #apply({ changes, synced, version }: CacheChange): void {
    this.#history.count("changes told", changes.length);
    for (const change of changes) {
      const { path } = change;
      const before = this.#seen.get(path);
      const expected =
        change.type === "added" ? undefined : described(change.previous.data, change.previous.stat);
      if (before !== expected) {
        this.#history.violation(
          `${this.what}: ${path} ${change.type} from ${expected}, but it was ${before}`,
        );
      }
      if (change.type === "removed") this.#seen.delete(path);
      else this.#seen.set(path, described(change.node.data, change.node.stat));
    }
    if (!synced || this.depthMax === 0) return;
    const [left, right] = PAIR.map((path) => this.#seen.get(path)?.split(" ")[0]);
    if (left !== right) {
      this.#history.violation(`${this.what}: step ${version} has ${left} beside ${right}, which never was`);
    }
  }
}

async function read(client: ZooKeeperClient, path: string, depthMax: number): Promise<Map<string, string>> {
  const state = new Map<string, string>();
  const visit = async (at: string, depthLeft: number): Promise<void> => {
    const { data, stat } = await client.get(at);
    state.set(at, described(data, stat));
    if (depthLeft === 0) return;
    for (const name of (await client.children(at)).children) await visit(joinPath(at, name), depthLeft - 1);
  };
  await visit(path, depthMax).catch((error: unknown) => {
    if (!isZooKeeperError(error, "NO_NODE")) throw error;
  });
  return state;
}

function difference(server: State, own: State): string {
  const lines = [...new Set([...server.keys(), ...own.keys()])]
    .filter((path) => server.get(path) !== own.get(path))
    .map((path) => `${path}: server ${server.get(path)}, here ${own.get(path)}`);
  return lines.slice(0, 5).join("; ");
}

function isSame(server: State, own: State): boolean {
  return difference(server, own) === "";
}

export class CacheWorkload implements Workload {
  readonly history: History;
  readonly #world: World;
  readonly #watched = new Map<Site, Watched[]>();
  #pairs = 0;

  constructor(world: World, history: History) {
    this.#world = world;
    this.history = history;
  }

  async contend(site: Site): Promise<void> {
    let opened: ZooKeeperClient | undefined;
    await repeat(this.#world, site, this.history, async (client, final) => {
      if (opened !== client) {
        await Promise.all((this.#watched.get(site) ?? []).map((watched) => watched.close()));
        this.#watched.set(site, []);
        this.#watched.set(site, await this.#open(site, client));
        opened = client;
      }
      if (!final) await this.#change(client);
    });
  }

  async settle(client: ZooKeeperClient): Promise<void> {
    await client.sync(ROOT);
    for (const watched of [...this.#watched.values()].flat()) {
      const { what, cache, depthMax } = watched;
      const server = await read(client, cache.root, depthMax);
      this.history.count("caches compared");
      const isWhole = (): boolean =>
        cache.synced && isSame(server, watched.held) && isSame(server, watched.seen);
      await awaitCondition(isWhole, { timeoutMs: CONVERGE_TIMEOUT_MS }).catch(() => {
        this.history.violation(
          `${what} did not converge (synced ${cache.synced}): ${difference(server, watched.held)}; ` +
            `its changes: ${difference(server, watched.seen)}`,
        );
      });
      await watched.close();
    }
  }

  /** One of each kind; every other site without persistent watches. */
  async #open(site: Site, client: ZooKeeperClient): Promise<Watched[]> {
    const recursiveWatch = this.#world.sites.indexOf(site) % 2 === 0;
    const options = { recursiveWatch, resyncJitterMs: 50 };
    const how = `${site.name}, ${recursiveWatch ? "recursive" : "one-shot"} watches`;
    const kinds = [
      ["tree cache", TreeCache, ROOT, Number.POSITIVE_INFINITY],
      ["children cache", ChildrenCache, ROOT, 1],
      ["node cache", NodeCache, `${ROOT}/a`, 0],
    ] as const;
    return Promise.all(
      kinds.map(async ([kind, type, path, depthMax]) => {
        const cache = await type.open(client, path, options);
        return new Watched(`${kind} (${how})`, cache, depthMax, this.history);
      }),
    );
  }

  async #change(client: ZooKeeperClient): Promise<void> {
    const { random } = this.#world;
    if (random.float() < 0.25) {
      await this.#changePair(client);
      return;
    }
    const depth = 1 + randomInt(random, 3);
    const names = Array.from({ length: depth }, () => NAMES[randomInt(random, NAMES.length)]);
    const path = [ROOT, ...names].join("/");
    const data = String(randomInt(random, 1_000_000));
    try {
      if (random.float() < 0.3) await client.deleteRecursive(path);
      else if (random.float() < 0.5) await client.create(path, data, { createParents: true });
      else await client.set(path, data);
      this.history.count("writes");
    } catch (error) {
      // Others write and delete as well.
      if (!isZooKeeperError(error, "NO_NODE") && !isZooKeeperError(error, "NODE_EXISTS")) throw error;
    }
  }

  async #changePair(client: ZooKeeperClient): Promise<void> {
    const data = `pair-${this.#pairs++}`;
    try {
      await client.multi(PAIR.map((path) => ({ op: "set", path, data }) as const));
    } catch (error) {
      if (!isZooKeeperError(error, "NO_NODE")) throw error;
      await client.ensurePath(ROOT);
      await client
        .multi(PAIR.map((path) => ({ op: "create", path, data }) as const))
        .catch((failure: unknown) => {
          if (!isZooKeeperError(failure, "NODE_EXISTS")) throw failure;
        });
    }
    this.history.count("writes");
  }
}

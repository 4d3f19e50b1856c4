// SPDX-License-Identifier: Apache-2.0
// Keeps a member table in step with the children of a root. With a persistent recursive watch (ZooKeeper
// 3.6 and later) an event names the child that changed, so one change costs one read, or none for a
// deletion; older servers get a child watch, a data watch for each child, and a listing per change.
// It only marks what is out of date and reads it when told: pacing and retries are the directory's.
import {
  isZooKeeperError,
  joinPath,
  parentPath,
  type WatchEvent,
  type ZooKeeperClient,
} from "@meerkat/client";
import type { InstanceDecoder } from "../registry/instance-codec.ts";
import type { MemberTable } from "./member-table.ts";

/** Reads in flight at once while a whole list is read. */
const READS_MAX = 64;

/** What a reader works with. @internal */
export interface MemberReaderOptions {
  readonly client: ZooKeeperClient;
  readonly root: string;
  readonly codec: InstanceDecoder;
  readonly table: MemberTable;
  /** Called when something got out of date. */
  readonly onDirty: () => void;
  /** Called when a child is found that cannot be understood. */
  readonly onBad: (path: string, reason: string) => void;
  /** False uses child watches even where the server has recursive ones; default true. */
  readonly recursive?: boolean | undefined;
}

/** See the head of the file. @internal */
export class MemberReader {
  readonly #options: MemberReaderOptions;
  /** The persistent watch, "none" where the server has no such thing, undefined before the first try. */
  #watch: { close(): Promise<void> | void } | "none" | undefined;
  /** Changes may have been missed: list and read everything. */
  #everything = true;
  /** The list changed in a way that named no child. */
  #list = false;
  readonly #paths = new Set<string>();
  /** Reads in flight. One is void when its child changes again before the reply is used. */
  readonly #reads = new Map<string, { void: boolean }>();
  readonly #onEvent = (event: WatchEvent): void => this.#take(event);

  constructor(options: MemberReaderOptions) {
    this.#options = options;
  }

  /** Whether something is known to be out of date. */
  get dirty(): boolean {
    return this.#everything || this.#list || this.#paths.size > 0;
  }

  /** Marks everything as out of date: changes may have been missed. */
  invalidate(): void {
    this.#everything = true;
  }

  /**
   * Reads what was marked before the call. What gets marked meanwhile stays marked. Rejects with the
   * client's error, and then keeps the marks. Not to be called again before it settled.
   */
  async refresh(signal: AbortSignal): Promise<void> {
    await this.#arm(signal);
    const everything = this.#everything;
    const list = this.#list;
    const paths = [...this.#paths];
    this.#everything = false;
    this.#list = false;
    this.#paths.clear();
    try {
      if (everything || list) await this.#readList(everything, paths, signal);
      else await this.#readAll(paths, signal);
    } catch (error) {
      this.#everything ||= everything;
      this.#list ||= list;
      for (const path of paths) this.#paths.add(path);
      throw error;
    }
  }

  /** Gives the watch back. */
  async close(): Promise<void> {
    const watch = this.#watch;
    this.#watch = "none";
    if (watch !== undefined && watch !== "none") await watch.close();
  }

  async #arm(signal: AbortSignal): Promise<void> {
    if (this.#watch !== undefined) return;
    if (this.#options.recursive === false) {
      this.#watch = "none";
      return;
    }
    try {
      const watch = await this.#options.client.addWatch(this.#options.root, { recursive: true, signal });
      watch.onEvent(this.#onEvent);
      this.#watch = watch;
    } catch (error) {
      if (!isZooKeeperError(error, "UNIMPLEMENTED")) throw error;
      this.#watch = "none";
    }
  }

  #take(event: WatchEvent): void {
    const { root, table, onDirty } = this.#options;
    if (event.type === "resync") {
      this.#everything = true;
    } else if (event.path === root) {
      if (event.type === "dataChanged") return;
      this.#list = true;
    } else {
      if (parentPath(event.path) !== root) return;
      const read = this.#reads.get(event.path);
      if (read !== undefined) read.void = true;
      if (event.type === "deleted") {
        table.remove(event.path);
        this.#paths.delete(event.path);
      } else if (event.type !== "childrenChanged") {
        this.#paths.add(event.path);
      }
    }
    onDirty();
  }

  async #readList(everything: boolean, marked: readonly string[], signal: AbortSignal): Promise<void> {
    const { root, codec, table } = this.#options;
    const names = await this.#children(signal);
    const listed = new Set<string>();
    for (const name of names) if (codec.isMember(name)) listed.add(joinPath(root, name));
    for (const path of [...table.paths()]) if (!listed.has(path)) table.remove(path);
    const again = new Set(marked);
    const paths = everything
      ? [...listed]
      : [...listed].filter((path) => again.has(path) || !table.has(path));
    await this.#readAll(paths, signal);
  }

  /** Names of the children; none when the root does not exist (yet). */
  async #children(signal: AbortSignal): Promise<readonly string[]> {
    const { client, root } = this.#options;
    const watch = this.#watch === "none" ? { watch: this.#onEvent } : {};
    try {
      return (await client.children(root, { ...watch, signal })).children;
    } catch (error) {
      if (!isZooKeeperError(error, "NO_NODE")) throw error;
    }
    // The watch of `exists` fires when the root appears. If it just has, its event comes or the mark stays.
    if (this.#watch === "none" && (await client.exists(root, { ...watch, signal })) !== null)
      this.#list = true;
    return [];
  }

  async #readAll(paths: readonly string[], signal: AbortSignal): Promise<void> {
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < paths.length) await this.#read(paths[next++]!, signal);
    };
    // All of them are waited for, so that nothing of this pass writes to the table after a failure.
    const workers = Array.from({ length: Math.min(READS_MAX, paths.length) }, worker);
    const results = await Promise.allSettled(workers);
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  async #read(path: string, signal: AbortSignal): Promise<void> {
    const { client, codec, table, onBad } = this.#options;
    const read = { void: false };
    this.#reads.set(path, read);
    try {
      const watch = this.#watch === "none" ? { watch: this.#onEvent } : {};
      const { data, stat } = await client.get(path, { ...watch, signal });
      if (read.void || table.isCurrent(path, stat)) return;
      const problem = table.put(path, stat, codec.decode(path, data));
      if (problem !== undefined) onBad(path, problem);
    } catch (error) {
      // It vanished between the listing and the read: that is a deletion, not a failure.
      if (isZooKeeperError(error, "NO_NODE")) {
        if (!read.void) table.remove(path);
      } else if (isZooKeeperError(error, "NO_AUTH")) {
        const reason = "may not be read by this client";
        table.put(path, { czxid: -1n, mzxid: -1n }, { kind: "bad", reason });
        onBad(path, reason);
      } else {
        throw error;
      }
    } finally {
      if (this.#reads.get(path) === read) this.#reads.delete(path);
    }
  }
}

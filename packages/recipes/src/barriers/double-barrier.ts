// SPDX-License-Identifier: Apache-2.0
import {
  type CallOptions,
  isZooKeeperError,
  joinPath,
  type WatchEvent,
  type WatchListener,
  type ZooKeeperClient,
} from "@meerkat/client";
import { InvalidArgumentError, type Runtime, randomUuid, resolveRuntime } from "@meerkat/runtime";
import { RecipeError } from "../recipe-error.ts";
import { deleteSurely } from "../removal.ts";
import { orAbsent, rereadUntil } from "../reread.ts";
import { type WaitOptions, WaitScope } from "../wait-scope.ts";

const READY = "ready";

/** Options of a double barrier. */
export interface DoubleBarrierOptions {
  /** How many must enter before anyone goes on; 1 or more. */
  readonly size: number;
  /** Data of the member's znode, for people to read. Default none. */
  readonly identifier?: string | undefined;
  readonly runtime?: Partial<Runtime> | undefined;
}

/**
 * Begins and ends a common piece of work: `enter` resolves when `size` members are in, `leave` when all
 * that were in have left or died. The layout is shared by Kazoo's DoubleBarrier and Curator's
 * DistributedDoubleBarrier: each member is an ephemeral child with a unique name, and the child `ready`
 * says that enough have come.
 *
 * Who loses the session while entering enters anew; a member that dies does not keep the others from
 * leaving. `ready` stays until the last one leaves (as with Curator; Kazoo deletes it at the first
 * departure), so a member that was cut off in the decisive moment still sees it. The barrier may be used
 * again at once: those who leave wait for the members of their own round only.
 */
export class DoubleBarrier {
  readonly path: string;
  readonly size: number;
  readonly #client: ZooKeeperClient;
  readonly #runtime: Runtime;
  readonly #identifier: string;
  #member: { readonly name: string; readonly owner: bigint } | undefined;

  /** Throws `InvalidArgumentError`. */
  constructor(client: ZooKeeperClient, path: string, options: DoubleBarrierOptions) {
    if (!Number.isSafeInteger(options.size) || options.size < 1) {
      throw new InvalidArgumentError("size", `size must be a whole number of 1 or more, got ${options.size}`);
    }
    this.#client = client;
    this.path = path;
    this.size = options.size;
    this.#runtime = resolveRuntime(options.runtime);
    this.#identifier = options.identifier ?? "";
  }

  /** Whether this object has entered and not left. */
  get entered(): boolean {
    return this.#member !== undefined;
  }

  /**
   * Resolves when enough members are in. Rejects with `TIMEOUT` or `ABORTED` (this member is out again),
   * `CONFLICT` when it is in already.
   */
  async enter(options: WaitOptions = {}): Promise<void> {
    if (this.#member !== undefined) {
      throw new RecipeError("CONFLICT", `entered ${this.path} already; leave it first`, {
        context: { path: this.path },
      });
    }
    this.#member = { name: randomUuid(this.#runtime.random).replaceAll("-", ""), owner: 0n };
    const scope = new WaitScope(this.#runtime.clock, options, `entering the barrier ${this.path}`, this.path);
    const readyPath = joinPath(this.path, READY);
    let readySeen = false;
    let inform: WatchListener = () => {};
    // Those who are quick may have left before this one looks again: the event alone says it too.
    const onReady = (event: WatchEvent): void => {
      readySeen ||= event.type === "created";
      inform(event);
    };
    try {
      let relicGone = false;
      await rereadUntil({
        client: this.#client,
        runtime: this.#runtime,
        scope,
        look: async (watch, call) => {
          inform = watch;
          if (!relicGone) await this.#removeRelic(call);
          relicGone = true;
          await this.#join(call);
          if (readySeen || (await this.#client.exists(readyPath, { ...call, watch: onReady })) !== null) {
            return { found: true };
          }
          const members = await this.#members(call);
          if (!members.includes(this.#member?.name ?? "")) {
            this.#member = { name: this.#member?.name ?? "", owner: 0n };
            return 0;
          }
          if (members.length < this.size) return undefined;
          await this.#client.create(readyPath, null, call).catch((error: unknown) => {
            if (!isZooKeeperError(error, "NODE_EXISTS")) throw error;
          });
          return { found: true };
        },
        release: (_watch, call) => this.#client.removeWatches(readyPath, "data", onReady, call),
      });
    } catch (error) {
      const path = joinPath(this.path, this.#member?.name ?? "");
      this.#member = undefined;
      void deleteSurely(this.#client, this.#runtime, () => [path]);
      throw scope.explain(error);
    } finally {
      scope.end();
    }
  }

  /**
   * Resolves when all who were in have left or died. Rejects with `TIMEOUT` or `ABORTED`: this member
   * counts as having left all the same.
   */
  async leave(options: WaitOptions = {}): Promise<void> {
    const member = this.#member;
    if (member === undefined) {
      throw new RecipeError("CONFLICT", `${this.path} was not entered`, { context: { path: this.path } });
    }
    const scope = new WaitScope(this.#runtime.clock, options, `leaving the barrier ${this.path}`, this.path);
    /** The members of this round: later ones must not keep us. */
    let round: ReadonlySet<string> | undefined;
    let watched: string | undefined;
    const release = async (watch: WatchListener, call: CallOptions): Promise<void> => {
      if (watched !== undefined) await this.#client.removeWatches(watched, "data", watch, call);
      watched = undefined;
    };
    try {
      await rereadUntil({
        client: this.#client,
        runtime: this.#runtime,
        scope,
        release,
        look: async (watch, call) => {
          const members = await this.#members(call);
          round ??= new Set(members);
          const left = members.filter((name) => round?.has(name));
          const lowest = left[0];
          if (lowest === undefined) {
            if (members.length === 0) await this.#deleteQuietly(READY, call);
            return { found: true };
          }
          let awaited = lowest;
          if (lowest === member.name) {
            const highest = left.at(-1) as string;
            if (highest === lowest) {
              await this.#leaveLast(member.name, call);
              return { found: true };
            }
            awaited = highest;
          } else if (left.includes(member.name)) {
            await this.#deleteQuietly(member.name, call);
          }
          const path = joinPath(this.path, awaited);
          if (watched !== path) await release(watch, call);
          watched = path;
          return (await orAbsent(this.#client.get(path, { ...call, watch }))) === undefined ? 0 : undefined;
        },
      });
    } catch (error) {
      void deleteSurely(this.#client, this.#runtime, () => [joinPath(this.path, member.name)]);
      throw scope.explain(error);
    } finally {
      this.#member = undefined;
      scope.end();
    }
  }

  /** A `ready` that stands while nobody is in is left from a round whose members died. */
  async #removeRelic(call: CallOptions): Promise<void> {
    const listed = await orAbsent(this.#client.children(this.path, call));
    if (listed?.children.length === 1 && listed.children[0] === READY) await this.#deleteQuietly(READY, call);
  }

  /** Makes this member's znode when the present session has none. */
  async #join(call: CallOptions): Promise<void> {
    const member = this.#member;
    if (member === undefined || member.owner === this.#client.sessionId) return;
    const path = joinPath(this.path, member.name);
    if (member.owner !== 0n) {
      // That of the former session may be listed still; it must not count for this one.
      await this.#deleteQuietly(member.name, call);
    }
    try {
      const { stat } = await this.#client.create(path, this.#identifier, {
        ...call,
        mode: "ephemeral",
        createParents: true,
        idempotent: true,
      });
      this.#member = { name: member.name, owner: stat.ephemeralOwner };
    } catch (error) {
      if (!isZooKeeperError(error, "NODE_EXISTS")) throw error;
      // Made by an earlier try in a session that has ended since.
      await this.#deleteQuietly(member.name, call);
      await this.#join(call);
    }
  }

  /** Names of all members, in order. */
  async #members(call: CallOptions): Promise<string[]> {
    const listed = await orAbsent(this.#client.children(this.path, call));
    return (listed?.children ?? []).filter((name) => name !== READY).sort();
  }

  /** The last one takes `ready` along in one step, so that the next round cannot find it. */
  async #leaveLast(name: string, call: CallOptions): Promise<void> {
    try {
      await this.#client.multi(
        [
          { op: "delete", path: joinPath(this.path, name) },
          { op: "delete", path: joinPath(this.path, READY) },
        ],
        call,
      );
    } catch (error) {
      if (!isZooKeeperError(error, "NO_NODE")) throw error;
      await this.#deleteQuietly(name, call);
    }
  }

  async #deleteQuietly(name: string, call: CallOptions): Promise<void> {
    await orAbsent(this.#client.delete(joinPath(this.path, name), call));
  }
}

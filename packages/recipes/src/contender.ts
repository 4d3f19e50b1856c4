// SPDX-License-Identifier: Apache-2.0
// One contender in a queue of sequential ephemeral znodes: the ground that locks, semaphores and elections
// stand on. It watches its own znodes, so it knows at once when they are gone, and it belongs to one
// session: when that is lost it is over, and whoever still wants his turn enters anew.
import {
  type GetResult,
  isZooKeeperError,
  joinPath,
  nodeName,
  type SessionHandle,
  type WatchEvent,
  type ZooKeeperError,
} from "@meerkat/client";
import { Emitter, errorFrom } from "@meerkat/runtime";
import { type ContenderName, contenderId, parseContender } from "./contender-name.ts";
import { onAbort } from "./on-abort.ts";
import { type ContenderQueue, createEntry, findById } from "./protected-entry.ts";
import { RecipeError } from "./recipe-error.ts";
import { deleteSurely } from "./removal.ts";
import { formatSequence } from "./sequence.ts";
import type { WaitScope } from "./wait-scope.ts";

/** See the head of this file. */
export class Contender {
  readonly queue: ContenderQueue;
  /** 32 hex digits that are in the names of its znodes. */
  readonly id: string;
  /** The session that owns the znodes. */
  readonly session: SessionHandle;
  /** The znodes' creation zxid: grows with every contender that comes after, whoever made it. */
  readonly token: bigint;
  /** Aborts with a `RecipeError` `LOST` when the place in the queue is gone. */
  readonly lost: AbortSignal;
  /** Data of an own znode that someone changed. */
  readonly dataChanges: Emitter<Buffer>;

  readonly #controller = new AbortController();
  #paths: readonly string[];
  #data: Buffer | undefined;
  #name: ContenderName;
  #unlinkSession: () => void = () => {};
  #leaving: Promise<void> | undefined;
  /** While znodes are being exchanged: settles when it is known which are there. */
  #stepping: Promise<void> | undefined;
  /** An exchange was given up, so the znodes are known by their id alone. */
  #inDoubt = false;

  private constructor(queue: ContenderQueue, id: string, paths: readonly string[], states: OwnStates) {
    const [path = queue.root] = paths;
    const name = nodeName(path);
    this.queue = queue;
    this.id = id.replaceAll("-", "");
    this.session = states.session;
    this.token = states.token;
    this.lost = this.#controller.signal;
    this.dataChanges = new Emitter((error) => {
      queue.runtime.logger.error({ error, path }, "a listener to a contender's data threw");
    });
    this.#paths = paths;
    // A lease has a name without rank.
    this.#name = parseContender(name) ?? {
      name,
      id: this.id,
      kind: "exclusive",
      sequence: 0,
      subSequence: undefined,
    };
  }

  /**
   * Joins the queue, over lost connections and sessions until the scope ends. Rejects with the scope's
   * reason or what the server refuses for good; nothing is left behind then. `onCreated` is called when the
   * znodes are there, to send requests in the same round trip as the look at them.
   */
  static async enter(queue: ContenderQueue, scope: WaitScope, onCreated?: () => void): Promise<Contender> {
    for (;;) {
      scope.check();
      const id = contenderId(queue.runtime.random);
      const paths = await createEntry(queue, id, scope);
      onCreated?.();
      const contender = await Contender.#adopt(queue, id, paths, scope);
      if (contender !== undefined) return contender;
    }
  }

  /** Looks at the znodes made, with watches. Undefined (and deleted) when they are not the session's. */
  static async #adopt(
    queue: ContenderQueue,
    id: string,
    paths: readonly string[],
    scope: WaitScope,
  ): Promise<Contender | undefined> {
    const { client, runtime } = queue;
    const events = new OwnEvents();
    try {
      const results = await Promise.all(
        paths.map((path) => client.get(path, { watch: events.listener, ...scope.call })),
      );
      const { session } = client;
      const owned = results.every(({ stat }) => stat.ephemeralOwner === session.id);
      const [first] = results;
      if (first !== undefined && owned && !session.lost.aborted && paths.length === queue.names(id).length) {
        const contender = new Contender(queue, id, paths, { session, token: first.stat.czxid });
        contender.#unlinkSession = onAbort(session.lost, () =>
          contender.#lose("session", session.lost.reason),
        );
        events.handTo((event) => contender.#onEvent(event));
        return contender;
      }
    } catch (error) {
      if (!isZooKeeperError(error, "NO_NODE")) {
        void deleteSurely(client, runtime, () => paths);
        throw scope.explain(error);
      }
    }
    void deleteSurely(client, runtime, () => paths);
    return undefined;
  }

  /** The znodes; the first is the one to show. */
  get paths(): readonly string[] {
    return this.#paths;
  }

  /** Path of the first znode. */
  get path(): string {
    return this.#paths[0] ?? this.queue.root;
  }

  /** Data that someone last put into an own znode; undefined while they are as we made them. */
  get data(): Buffer | undefined {
    return this.#data;
  }

  /** Its place in the queue, and whether it bears company. */
  get name(): ContenderName {
    return this.#name;
  }

  /**
   * True while the place in the queue is surely ours: nothing said otherwise, and by the clock the server
   * keeps the session (right also when a stalled event loop has not fired `lost` yet).
   */
  get alive(): boolean {
    return !this.lost.aborted && this.session.vouchedMs > 0;
  }

  /** Leaves the queue; idempotent. Settles when the znodes are gone, over lost connections; never rejects. */
  leave(): Promise<void> {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  /**
   * Becomes shared without losing its place: in one step an exclusive znode of Curator's form is replaced
   * by a shared one of the same rank. Rejects when it is lost meanwhile.
   */
  async stepBack(sharedName: string, scope: WaitScope): Promise<void> {
    const stepping = this.#exchange(sharedName, scope);
    const settled = stepping.then(
      () => {},
      () => {},
    );
    this.#stepping = settled;
    try {
      await stepping;
    } finally {
      if (this.#stepping === settled) this.#stepping = undefined;
    }
  }

  async #leave(): Promise<void> {
    this.#unlinkSession();
    const { client, runtime } = this.queue;
    await this.#stepping;
    await deleteSurely(client, runtime, () =>
      this.#inDoubt ? findById(this.queue, this.id, { timeoutMs: 0 }) : this.#paths,
    );
  }

  async #exchange(sharedName: string, scope: WaitScope): Promise<void> {
    const { client, root, data, acl } = this.queue;
    const [old = root, ...others] = this.#paths;
    const prefix = `${sharedName}${formatSequence(this.#name.sequence)}`;
    const path = joinPath(root, prefix);
    let made: string | undefined;
    for (let again = false; made === undefined; again = true) {
      try {
        if (again) {
          await client.sync(root, scope.call);
          const { children } = await client.children(root, scope.call);
          const found = children.find((child) => child.startsWith(prefix));
          made = found === undefined ? undefined : joinPath(root, found);
        }
        if (made !== undefined) break;
        const [created] = await client.multi(
          [
            { op: "create", path, data, acl, mode: "ephemeralSequential" },
            { op: "delete", path: old },
            // Wakes readers that wait for this half: they now find the shared one beside it.
            ...others.map((each) => ({ op: "set", path: each, data }) as const),
          ],
          scope.call,
        );
        made = created.path;
      } catch (error) {
        if (scope.over || this.lost.aborted || !isZooKeeperError(error, "CONNECTION_LOSS")) {
          this.#inDoubt = true;
          throw this.lost.aborted ? this.lost.reason : scope.explain(error);
        }
      }
    }
    this.#name = parseContender(nodeName(made)) ?? this.#name;
    this.#paths = [made, ...others];
    await this.#watchAgain(made);
  }

  #onEvent(event: WatchEvent): void {
    if (this.#leaving !== undefined || this.lost.aborted) return;
    void this.#look(event.path);
  }

  /** Something happened to an own znode: is it still there? */
  async #look(path: string): Promise<void> {
    await this.#stepping;
    if (this.#leaving === undefined && this.#paths.includes(path)) await this.#watchAgain(path);
  }

  async #watchAgain(path: string): Promise<void> {
    const { client, runtime } = this.queue;
    try {
      const { data } = await client.retry<GetResult>(
        () => client.get(path, { watch: (event) => this.#onEvent(event), timeoutMs: 0 }),
        { idempotent: true },
      );
      this.#data = data;
      this.dataChanges.emit(data);
    } catch (error) {
      if (this.lost.aborted || this.#leaving !== undefined) return;
      runtime.logger.warn({ error, path }, "a contender's own znode cannot be seen any more");
      this.#lose("deleted", errorFrom(error));
    }
  }

  #lose(reason: "session" | "deleted", cause: Error | ZooKeeperError): void {
    const { path } = this;
    const why = reason === "session" ? "its session can no longer be vouched for" : "its znode is gone";
    this.#unlinkSession();
    this.#controller.abort(
      new RecipeError("LOST", `${path} was lost: ${why}`, { cause, context: { path, reason } }),
    );
  }
}

interface OwnStates {
  readonly session: SessionHandle;
  readonly token: bigint;
}

/** Keeps events that come before there is a contender to give them to. */
class OwnEvents {
  readonly listener = (event: WatchEvent): void => {
    if (this.#target === undefined) this.#kept.push(event);
    else this.#target(event);
  };
  readonly #kept: WatchEvent[] = [];
  #target: ((event: WatchEvent) => void) | undefined;

  handTo(target: (event: WatchEvent) => void): void {
    this.#target = target;
    for (const event of this.#kept.splice(0)) target(event);
  }
}

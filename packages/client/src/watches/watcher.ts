// SPDX-License-Identifier: Apache-2.0
// Arms and gives up watches on the server, in step with what the registry says is wanted.
import type { Logger } from "@meerkat/runtime";
import { WatcherType } from "@meerkat/wire";
import { addWatchRequest, removeWatchesRequest } from "../operations/watches.ts";
import type { CallOptions, WatchListener } from "../session/request.ts";
import type { Session } from "../session/session.ts";
import { isConnected } from "../session/state.ts";
import { PersistentWatch } from "./persistent-watch.ts";
import { kindOf, type OneShotKind, type PersistentEntry, type WatchRegistry } from "./watch-registry.ts";

/** Kinds of one-shot watches: of `get` and `exists`, of `children`, or both. */
export type WatchedKind = OneShotKind | "any";

/** What a watcher needs. */
export interface WatcherOptions {
  readonly session: Session;
  readonly registry: WatchRegistry;
  readonly logger: Logger;
  /** Events that a persistent watch keeps for a slow reader. */
  readonly eventsMax: number;
}

/** See the head of this file. Requests leave in the order of the calls, so the last word wins. */
export class Watcher {
  readonly #options: WatcherOptions;

  constructor(options: WatcherOptions) {
    this.#options = options;
    options.registry.onOrphan = (path, kind) => {
      // Fails with the connection, and then there is nothing left to forget.
      void this.#forget(path, kind, undefined).catch(() => {});
    };
  }

  /** Arms a persistent watch on the server's path. */
  async add(
    userPath: string,
    path: string,
    options: { readonly recursive?: boolean | undefined } & CallOptions,
  ): Promise<PersistentWatch> {
    const { session, registry, logger, eventsMax } = this.#options;
    const { recursive = false, signal, timeoutMs } = options;
    const entry = registry.want(path, recursive);
    const onAbort = (): void => void watch.close();
    const watch: PersistentWatch = new PersistentWatch({
      path: userPath,
      recursive,
      eventsMax,
      logger,
      release: () => {
        signal?.removeEventListener("abort", onAbort);
        entry.watches.delete(watch);
        return this.#release(entry, recursive);
      },
    });
    try {
      await session.pipeline.submit(
        addWatchRequest(path, {
          recursive: () => {
            entry.sent = true;
            return entry.recursiveWanted > 0;
          },
          onArmed: () => entry.watches.add(watch),
        }),
        { signal, timeoutMs },
      );
    } catch (error) {
      watch.end();
      await this.#release(entry, recursive);
      throw error;
    }
    signal?.addEventListener("abort", onAbort, { once: true });
    return watch;
  }

  /** Gives up one-shot listeners on the server's path: one, or all of the kind. */
  async remove(
    path: string,
    kind: WatchedKind,
    listener: WatchListener | undefined,
    call: CallOptions | undefined,
  ): Promise<void> {
    const { registry } = this.#options;
    const removals: Promise<unknown>[] = [];
    for (const each of kind === "any" ? (["data", "children"] as const) : [kind]) {
      if (registry.removeOneShot(path, each, listener)) removals.push(this.#forget(path, each, call));
    }
    await Promise.all(removals);
  }

  /** The server holds one-shot watches of a kind on a path that nobody here needs: makes it forget them. */
  async #forget(path: string, kind: OneShotKind, call: CallOptions | undefined): Promise<void> {
    const { session } = this.#options;
    // Without a connection there is nothing to remove: what is not wanted is not armed again.
    if (!isConnected(session.state)) return;
    // A read on its way will leave a watch of the same kind, and the removal would take it.
    if (session.pipeline.hasPendingWatch(path, (request) => kindOf(request) === kind)) return;
    await session.pipeline.submit(removeWatchesRequest(path, WatcherType[kind]), call);
  }

  /** A persistent watch is not wanted any more: tells the server if that changes anything for it. */
  async #release(entry: PersistentEntry, recursive: boolean): Promise<void> {
    const { session, registry, logger } = this.#options;
    const action = registry.unwant(entry, recursive);
    if (action === "keep" || !entry.sent || !isConnected(session.state)) return;
    const { path } = entry;
    try {
      if (action === "narrow") {
        const detail = { recursive: () => entry.recursiveWanted > 0, onArmed: () => {} };
        await session.pipeline.submit(addWatchRequest(path, detail), undefined);
        return;
      }
      // The server drops every watch on the path with it, so the one-shots that are left are armed again,
      // in the step that processes the reply: nothing between falls through.
      await session.pipeline.submit(
        removeWatchesRequest(path, WatcherType.any, () => {
          const chunk = registry.oneShotChunk(path);
          if (chunk !== undefined) session.arm(chunk);
        }),
        undefined,
      );
    } catch (error) {
      // Whether the connection or the client ended: the server has forgotten the watch with it.
      logger.debug({ error, path }, "a watch was not removed on the server");
    }
  }
}

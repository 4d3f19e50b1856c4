// SPDX-License-Identifier: Apache-2.0
// Waiting for one's turn in a queue of contenders.
import { isRetryable, isZooKeeperError, joinPath } from "@meerkat/client";
import { Backoff, deferred, errorFrom, sleep } from "@meerkat/runtime";
import { Contender } from "./contender.ts";
import { blockerOf, type ContenderKind, type ContenderName } from "./contender-name.ts";
import { onAbort } from "./on-abort.ts";
import type { ContenderQueue } from "./protected-entry.ts";
import { readContenders } from "./read-contenders.ts";
import type { WaitScope } from "./wait-scope.ts";

const INITIAL_MS = 20;
const MAX_MS = 1_000;

/**
 * Waits until a znode changes or is gone, the contender is lost, or the scope is over: whatever it was,
 * the caller looks again.
 */
export async function untilChanged(path: string, contender: Contender, scope: WaitScope): Promise<void> {
  const { client } = contender.queue;
  const woken = deferred<void>();
  let fired = false;
  const watch = (): void => {
    fired = true;
    woken.resolve();
  };
  const unlink = [onAbort(contender.lost, woken.resolve), onAbort(scope.signal, woken.resolve)];
  try {
    // A read, not `exists`: it leaves no watch where there is nothing left to wait for.
    await client.get(path, { watch, ...scope.call });
    await woken.promise;
  } catch (error) {
    if (isZooKeeperError(error, "NO_NODE")) fired = true;
    else throw error;
  } finally {
    for (const each of unlink) each();
    if (!fired) void client.removeWatches(path, "data", watch).catch(() => {});
  }
}

/** What `takeTurn` does about those before it: waits for them, or gives up at once. */
export type Patience = "wait" | "once";

/** `list` was asked for when the contender looked at its own znodes: one round trip less. */
async function waitTurn(
  contender: Contender,
  kind: ContenderKind,
  scope: WaitScope,
  options: { readonly patience: Patience; readonly list: Promise<ContenderName[]> | undefined },
): Promise<boolean> {
  const { client, root } = contender.queue;
  const { patience } = options;
  for (let { list } = options; ; list = undefined) {
    scope.check();
    if (contender.lost.aborted) return false;
    const contenders = await (list ?? readContenders(client, root, scope.call));
    const blocker = blockerOf(contenders, { id: contender.id, kind });
    if (blocker === undefined) {
      // A list without ourselves proves nothing: the znodes are gone, and their watch will say so.
      if (contenders.some((each) => each.id === contender.id)) return true;
      await untilChanged(contender.path, contender, scope);
      continue;
    }
    if (patience === "once") return false;
    await untilChanged(joinPath(root, blocker.name), contender, scope);
  }
}

/**
 * Enters the queue and waits until nobody before is in the way. A contender that loses its session enters
 * anew, at the end. Undefined only with patience `once`, when someone is in the way. Rejects with the
 * scope's reason or what the server refuses; nothing is left behind then.
 */
export async function takeTurn(
  queue: ContenderQueue,
  kind: ContenderKind,
  scope: WaitScope,
  patience: Patience = "wait",
): Promise<Contender | undefined> {
  const { client, runtime } = queue;
  const backoff = new Backoff({ initialMs: INITIAL_MS, maxMs: MAX_MS }, runtime.random);
  for (;;) {
    let list: Promise<ContenderName[]> | undefined;
    const contender = await Contender.enter(queue, scope, () => {
      list = readContenders(client, queue.root, scope.call);
      // Whether it fails is of interest only to who waits for it.
      list.catch(() => {});
    });
    let failure: Error | undefined;
    try {
      const granted = await waitTurn(contender, kind, scope, { patience, list });
      if (granted && contender.alive && !scope.over) return contender;
    } catch (error) {
      failure = errorFrom(error);
    }
    const wasLost = !contender.alive;
    void contender.leave();
    scope.check();
    if (failure === undefined) {
      if (!wasLost) return undefined;
      continue;
    }
    if (!wasLost && !isRetryable(failure, { idempotent: true })) throw failure;
    if (client.state === "closed" || client.state === "authFailed") throw failure;
    await sleep(runtime.clock, backoff.nextMs(), scope.signal);
  }
}

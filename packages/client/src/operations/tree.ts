// SPDX-License-Identifier: Apache-2.0
// Operations on more than one znode, made of the simple ones: they are not atomic.
import { type Acl, joinPath } from "@meerkat/wire";
import { isZooKeeperError, type ZooKeeperError } from "../errors.ts";
import type { CallOptions } from "../session/request.ts";

/** The simple operations that these are made of. */
export interface TreeClient {
  exists(path: string, call: CallOptions): Promise<unknown>;
  create(path: string, data: null, options: { readonly acl: readonly Acl[] } & CallOptions): Promise<unknown>;
  children(path: string, call: CallOptions): Promise<{ readonly children: readonly string[] }>;
  delete(path: string, call: CallOptions): Promise<void>;
}

/** Requests of one step kept in flight. */
const STEP_REQUESTS = 256;
/** So often a subtree to which others keep adding is deleted anew. */
const DELETE_ROUNDS_MAX = 10;

/**
 * Creates the path and all its missing ancestors as persistent znodes. All creates leave together: the
 * server takes them in order, so the parents come first.
 */
export async function ensurePath(
  client: TreeClient,
  path: string,
  acl: readonly Acl[],
  call: CallOptions,
): Promise<void> {
  if ((await client.exists(path, call)) !== null) return;
  const creates: Promise<Error | undefined>[] = [];
  for (let end = path.indexOf("/", 1); ; end = path.indexOf("/", end + 1)) {
    const ancestor = end < 0 ? path : path.slice(0, end);
    creates.push(
      client.create(ancestor, null, { ...call, acl }).then(
        () => undefined,
        (error: Error) => error,
      ),
    );
    if (end < 0) break;
  }
  const outcomes = await Promise.all(creates);
  const last = outcomes.at(-1);
  if (last === undefined || isZooKeeperError(last, "NODE_EXISTS")) return;
  // The first failure is the cause; an ancestor that exists, or that is not ours to create, is none.
  const cause = outcomes.find(
    (outcome) =>
      outcome !== undefined &&
      !isZooKeeperError(outcome, "NODE_EXISTS") &&
      !isZooKeeperError(outcome, "NO_AUTH"),
  );
  throw cause ?? last;
}

/** The path and all below it, parents before children. */
async function listSubtree(client: TreeClient, path: string, call: CallOptions): Promise<string[]> {
  const found = [path];
  for (let start = 0; start < found.length; ) {
    const step = found.slice(start, start + STEP_REQUESTS);
    start += step.length;
    const lists = await Promise.all(
      step.map((parent) =>
        client.children(parent, call).catch((error: unknown) => {
          // Deleted by somebody else meanwhile.
          if (isZooKeeperError(error, "NO_NODE")) return { children: [] };
          throw error;
        }),
      ),
    );
    step.forEach((parent, index) => {
      for (const name of lists[index]?.children ?? []) found.push(joinPath(parent, name));
    });
  }
  return found;
}

/**
 * Deletes the path and all below it; done when it is gone, also when it never was. Children that others
 * add meanwhile are deleted too, up to a bound; then it rejects with `NOT_EMPTY`. The root itself stays:
 * for `/` only what is below goes, except ZooKeeper's own `/zookeeper`.
 */
export async function deleteRecursive(client: TreeClient, path: string, call: CallOptions): Promise<void> {
  for (let round = 1; ; round++) {
    const all = await listSubtree(client, path, call);
    const doomed = path === "/" ? all.slice(1).filter((each) => !/^\/zookeeper(\/|$)/.test(each)) : all;
    doomed.reverse();
    let notEmpty: ZooKeeperError | undefined;
    for (let start = 0; start < doomed.length; start += STEP_REQUESTS) {
      const step = doomed.slice(start, start + STEP_REQUESTS);
      await Promise.all(
        step.map((each) =>
          client.delete(each, call).catch((error: unknown) => {
            if (isZooKeeperError(error, "NOT_EMPTY")) notEmpty = error;
            else if (!isZooKeeperError(error, "NO_NODE")) throw error;
          }),
        ),
      );
    }
    if (notEmpty === undefined) return;
    if (round === DELETE_ROUNDS_MAX) throw notEmpty;
  }
}

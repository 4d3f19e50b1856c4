// SPDX-License-Identifier: Apache-2.0
// The verbs that every client driver knows, so that all subjects of a case are asked for the same work.
// `kazoo_driver.py` answers the same ones.
import { setImmediate as turn } from "node:timers/promises";
import type { RunResult, RunShape } from "./meter.ts";
import { serveDriver } from "./serve.ts";

/** Operations of the client suite. */
export type ClientOperation = "get" | "exists" | "set" | "create";

/** `run`: one closed-loop run. */
export interface ClientRun extends RunShape {
  readonly operation: ClientOperation;
  /** The znode that is read or set; for creates the parent of the new znodes. */
  readonly path: string;
  readonly dataBytes: number;
}

/** `watches`: leaves one-shot watches on `${parent}/${i}` and measures what they hold. */
export interface WatchesRun {
  readonly parent: string;
  readonly count: number;
}

/** A client library under measurement. */
export interface ClientSubject {
  connect(hosts: string): Promise<void>;
  run(run: ClientRun, data: Buffer): Promise<RunResult>;
  /** Leaves a watch on each path; every watch uses the one `listener`. */
  watchAll(paths: readonly string[]): Promise<void>;
  close(): Promise<void> | void;
}

/** Watches are set with this many requests in flight. */
export const WATCH_REQUESTS_IN_FLIGHT = 128;

/** Bytes that the process holds after a collection: the heap and what it keeps outside of it. */
async function heldBytes(): Promise<number> {
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.();
    await turn();
  }
  const usage = process.memoryUsage();
  return usage.heapUsed + usage.external;
}

async function measureWatches(subject: ClientSubject, run: WatchesRun): Promise<object> {
  // The paths belong to the application; a flat copy, since V8 would keep the parts of a joined string.
  const paths = Array.from({ length: run.count }, (_, index) =>
    Buffer.from(`${run.parent}/${index}`).toString("latin1"),
  );
  // Tables and buffers that exist once, however many watches there are, are not counted: half of the
  // watches come first.
  const half = paths.splice(0, run.count / 2);
  await subject.watchAll(half);
  const before = await heldBytes();
  const residentBefore = process.memoryUsage().rss;
  await subject.watchAll(paths);
  const after = await heldBytes();
  const residentAfter = process.memoryUsage().rss;
  // Read again after the measurement, so that the paths of the first half stay alive as those of an
  // application would.
  if (half.length !== paths.length) throw new Error("the count of watches must be even");
  return {
    heapBytesPerWatch: (after - before) / paths.length,
    residentBytesPerWatch: (residentAfter - residentBefore) / paths.length,
  };
}

/** Runs a client driver until the suite closes its stdin. */
export function serveClient(subject: ClientSubject): Promise<never> {
  return serveDriver(
    {
      async connect(args: { readonly hosts: string }) {
        await subject.connect(args.hosts);
        return {};
      },
      run: (run: ClientRun) => subject.run(run, Buffer.alloc(run.dataBytes, "d")),
      watches: (run: WatchesRun) => measureWatches(subject, run),
    },
    () => subject.close(),
  );
}

// SPDX-License-Identifier: Apache-2.0
// The load generator: one process, the same for every server. It also makes the znodes that suites need.
import { createHistogram, performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { deferred } from "@meerkat/runtime";
import { CreateFlag, CreateRequest, ErrorCode, OPEN_ACL, OpCode } from "@meerkat/wire";
import { LoadConnection, type LoadTarget, openConnections, replyError } from "./load-connection.ts";
import { frameWriter, type LoadOperation, SPREAD_PARENTS, spreadParent } from "./load-frames.ts";
import { type LoopShape, runClosedLoop, runPaced } from "./load-run.ts";
import { serveDriver } from "./serve.ts";

/** What to ask for, and where. */
interface Work {
  readonly operation: LoadOperation;
  readonly path: string;
  readonly dataBytes: number;
}

/** Connections are opened this many at a time. */
const OPEN_CONCURRENCY = 64;
const FIRST_REPLY_PAUSE_MS = 5;
const FIRST_REPLY_TRY_MS = 250;

let pool: LoadConnection[] = [];

async function closeAll(): Promise<void> {
  const closing = pool;
  pool = [];
  await Promise.all(closing.map((connection) => connection.close()));
}

/** Creates the paths in order on one connection; those that exist are left as they are. */
async function ensure(target: LoadTarget, paths: readonly string[], dataBytes: number): Promise<void> {
  const connection = await LoadConnection.open(target);
  const done = deferred<void>();
  connection.onLost = done.reject;
  connection.listener = {
    onReply(_connection, xid, errorCode) {
      if (errorCode !== 0 && errorCode !== ErrorCode.NODE_EXISTS) done.reject(replyError(errorCode, xid));
    },
    onChunkEnd() {
      if (connection.inFlight === 0) done.resolve();
    },
  };
  const data = Buffer.alloc(dataBytes, "d");
  const { writer } = connection;
  for (const path of paths) {
    const frame = writer.beginFrame();
    writer.int(connection.nextXid());
    writer.int(OpCode.create);
    CreateRequest.write(writer, { path, data, acl: OPEN_ACL, flags: CreateFlag.persistent });
    writer.endFrame(frame);
  }
  connection.flush();
  await done.promise;
  await connection.close();
}

/**
 * Every connection but the first leaves a watch on the znode, then the first sets it. Times from the set to
 * its own reply and to the last of the notifications.
 */
async function fanOut(path: string, dataBytes: number): Promise<object> {
  const [setter, ...watchers] = pool;
  if (setter === undefined) throw new Error("open the connections first");
  const read = frameWriter("getWatched", path, dataBytes);
  await runClosedLoop(watchers, read, { inFlight: 1, durationMs: 120_000, opsMax: watchers.length });
  const last = deferred<number>();
  let missing = watchers.length;
  for (const watcher of watchers) {
    watcher.onNotification = () => {
      missing--;
      if (missing === 0) last.resolve(performance.now());
    };
  }
  const startMs = performance.now();
  const set = await runClosedLoop([setter], frameWriter("set", path, dataBytes), {
    inFlight: 1,
    durationMs: 120_000,
    opsMax: 1,
  });
  return { lastEventMs: (await last.promise) - startMs, setReplyMs: set.maxUs / 1000 };
}

/** Opens sessions as fast as the server lets `concurrency` openers; closes them afterwards, untimed. */
async function connectRate(target: LoadTarget, count: number, concurrency: number): Promise<object> {
  const histogram = createHistogram();
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  pool = await openConnections(target, count, concurrency, (elapsedMs) => {
    histogram.record(Math.max(1, Math.round(elapsedMs * 1e6)));
  });
  const elapsedMs = performance.now() - startMs;
  const used = process.cpuUsage(cpu);
  await closeAll();
  return {
    ops: count,
    elapsedMs,
    cpuUs: used.user + used.system,
    p50Us: histogram.percentile(50) / 1000,
    p99Us: histogram.percentile(99) / 1000,
    maxUs: histogram.max / 1000,
  };
}

/** Opens a session and reads the root; false when that did not work within `timeoutMs`. */
async function answers(target: LoadTarget, timeoutMs: number): Promise<boolean> {
  try {
    const connection = await LoadConnection.open(target, timeoutMs);
    // A server that is starting may take a session and then stay silent.
    const timer = setTimeout(() => connection.destroy(new Error("no answer")), timeoutMs);
    const shape = { inFlight: 1, durationMs: timeoutMs, opsMax: 1 };
    await runClosedLoop([connection], frameWriter("exists", "/", 0), shape);
    clearTimeout(timer);
    await connection.close();
    return true;
  } catch {
    return false;
  }
}

/** Tries until the server answers. */
async function firstReply(target: LoadTarget, timeoutMs: number): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!(await answers(target, FIRST_REPLY_TRY_MS))) {
    if (performance.now() > endMs) throw new Error(`no answer within ${timeoutMs} ms`);
    await pause(FIRST_REPLY_PAUSE_MS);
  }
}

await serveDriver(
  {
    async ensure(args: { target: LoadTarget; paths: string[]; dataBytes: number }) {
      await ensure(args.target, args.paths, args.dataBytes);
      return {};
    },
    /** The parents of `createSpread`. */
    async ensureSpread(args: { target: LoadTarget; path: string }) {
      const parents = Array.from({ length: SPREAD_PARENTS }, (_, index) => spreadParent(args.path, index));
      await ensure(args.target, [args.path, ...parents], 0);
      return {};
    },
    async open(args: { target: LoadTarget; connections: number }) {
      pool = await openConnections(args.target, args.connections, OPEN_CONCURRENCY);
      return {};
    },
    async close() {
      await closeAll();
      return {};
    },
    run: (args: Work & LoopShape) =>
      runClosedLoop(pool, frameWriter(args.operation, args.path, args.dataBytes), args),
    paced(args: Work & { intervalMs: number; durationMs: number }) {
      const [connection] = pool;
      if (connection === undefined) throw new Error("open a connection first");
      return runPaced(connection, frameWriter(args.operation, args.path, args.dataBytes), args);
    },
    fanOut: (args: { path: string; dataBytes: number }) => fanOut(args.path, args.dataBytes),
    connectRate: (args: { target: LoadTarget; count: number; concurrency: number }) =>
      connectRate(args.target, args.count, args.concurrency),
    async firstReply(args: { target: LoadTarget; timeoutMs: number }) {
      await firstReply(args.target, args.timeoutMs);
      return {};
    },
  },
  closeAll,
);

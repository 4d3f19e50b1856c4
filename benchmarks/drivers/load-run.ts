// SPDX-License-Identifier: Apache-2.0
// Runs of the load generator: a closed loop over some connections, or requests at a steady pace.
import { createHistogram, performance } from "node:perf_hooks";
import { deferred } from "@meerkat/runtime";
import { type LoadConnection, type LoadListener, replyError } from "./load-connection.ts";
import type { FrameWriter } from "./load-frames.ts";
import type { RunResult } from "./meter.ts";

/** How a closed-loop run loads the server. */
export interface LoopShape {
  /** Requests that each connection keeps in flight. */
  readonly inFlight: number;
  readonly durationMs: number;
  readonly opsMax: number;
}

/**
 * Each connection sends as many requests as replies came in a chunk, in one write. One request of each
 * connection at a time is timed; with one in flight that is every request.
 */
class ClosedLoop implements LoadListener {
  readonly #write: FrameWriter;
  readonly #shape: LoopShape;
  readonly #histogram = createHistogram();
  readonly #finished = deferred<void>();
  #endMs = 0;
  #started = 0;
  #done = 0;

  constructor(write: FrameWriter, shape: LoopShape) {
    this.#write = write;
    this.#shape = shape;
  }

  async run(connections: readonly LoadConnection[]): Promise<RunResult> {
    const cpu = process.cpuUsage();
    const startMs = performance.now();
    this.#endMs = startMs + this.#shape.durationMs;
    for (const connection of connections) {
      connection.probeXid = 0;
      connection.listener = this;
      connection.onLost = (error) => this.#finished.reject(error);
      this.#fill(connection);
    }
    await this.#finished.promise;
    const elapsedMs = performance.now() - startMs;
    const used = process.cpuUsage(cpu);
    return {
      ops: this.#done,
      elapsedMs,
      cpuUs: used.user + used.system,
      p50Us: this.#histogram.percentile(50) / 1000,
      p99Us: this.#histogram.percentile(99) / 1000,
      maxUs: this.#histogram.max / 1000,
    };
  }

  onReply(connection: LoadConnection, xid: number, errorCode: number): void {
    if (errorCode !== 0) this.#finished.reject(replyError(errorCode, xid));
    this.#done++;
    if (connection.probeXid === xid) {
      this.#histogram.record(Math.max(1, Math.round((performance.now() - connection.probeSentMs) * 1e6)));
      connection.probeXid = 0;
    }
  }

  onChunkEnd(connection: LoadConnection): void {
    this.#fill(connection);
  }

  #fill(connection: LoadConnection): void {
    const nowMs = performance.now();
    const { inFlight, opsMax } = this.#shape;
    if (nowMs < this.#endMs) {
      const write = this.#write;
      while (connection.inFlight < inFlight && this.#started < opsMax) {
        const xid = connection.nextXid();
        if (connection.probeXid === 0) {
          connection.probeXid = xid;
          connection.probeSentMs = nowMs;
        }
        write(connection.writer, xid, this.#started++);
      }
      connection.flush();
    }
    const open = nowMs < this.#endMs && this.#started < opsMax;
    if (!open && this.#done === this.#started) this.#finished.resolve();
  }
}

/** Loads the server through `connections` until the time or the operations are used up. */
export function runClosedLoop(
  connections: readonly LoadConnection[],
  write: FrameWriter,
  shape: LoopShape,
): Promise<RunResult> {
  return new ClosedLoop(write, shape).run(connections);
}

/**
 * Sends a request every `intervalMs`, whether or not the ones before were answered, so that a server that
 * stops is seen by every request that falls into the stop.
 */
export async function runPaced(
  connection: LoadConnection,
  write: FrameWriter,
  pace: { readonly intervalMs: number; readonly durationMs: number },
): Promise<RunResult> {
  const histogram = createHistogram();
  const sentMs: number[] = [];
  const drained = deferred<void>();
  let sending = true;
  let done = 0;
  connection.onLost = (error) => drained.reject(error);
  connection.listener = {
    onReply(_connection, xid, errorCode) {
      if (errorCode !== 0) drained.reject(replyError(errorCode, xid));
      histogram.record(Math.max(1, Math.round((performance.now() - (sentMs[done] as number)) * 1e6)));
      done++;
    },
    onChunkEnd() {
      if (!sending && connection.inFlight === 0) drained.resolve();
    },
  };
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    if (nowMs - startMs >= pace.durationMs) {
      clearInterval(timer);
      sending = false;
      if (connection.inFlight === 0) drained.resolve();
      return;
    }
    sentMs.push(nowMs);
    write(connection.writer, connection.nextXid(), sentMs.length - 1);
    connection.flush();
  }, pace.intervalMs);
  try {
    await drained.promise;
  } finally {
    clearInterval(timer);
  }
  const used = process.cpuUsage(cpu);
  return {
    ops: done,
    elapsedMs: performance.now() - startMs,
    cpuUs: used.user + used.system,
    p50Us: histogram.percentile(50) / 1000,
    p99Us: histogram.percentile(99) / 1000,
    maxUs: histogram.max / 1000,
  };
}

// SPDX-License-Identifier: Apache-2.0
import type { LoadOperation } from "../drivers/load-frames.ts";
import type { RunResult } from "../drivers/meter.ts";
import type { BenchmarkServer } from "../lib/benchmark-server.ts";
import { DriverProcess } from "../lib/driver-process.ts";
import { driverPath } from "../lib/locations.ts";
import { processCpuUs } from "../lib/process-cpu.ts";

/** What a run asks for. */
export interface Load {
  readonly operation: LoadOperation;
  readonly path: string;
  readonly dataBytes: number;
}

/** A run's figures: the server's CPU beside the generator's own. */
export interface LoadResult extends RunResult {
  /** CPU time of the server's process, µs. */
  readonly serverCpuUs: number;
}

/** Stays below every limit of a run by operations. */
export const OPS_UNLIMITED: number = Number.MAX_SAFE_INTEGER;

/** The process that loads a server (`drivers/load.ts`). */
export class LoadGenerator implements AsyncDisposable {
  readonly #driver = new DriverProcess({
    name: "load",
    program: process.execPath,
    args: [driverPath("load")],
  });

  /** Creates paths in order; those that exist are left as they are. */
  async ensure(server: BenchmarkServer, paths: readonly string[], dataBytes: number): Promise<void> {
    await this.#driver.call("ensure", { target: target(server), paths, dataBytes });
  }

  /** Creates the parents of the operation `createSpread`. */
  async ensureSpread(server: BenchmarkServer, path: string): Promise<void> {
    await this.#driver.call("ensureSpread", { target: target(server), path });
  }

  /** Opens the connections that the following runs use. */
  async open(server: BenchmarkServer, connections: number): Promise<void> {
    await this.#driver.call("open", { target: target(server), connections });
  }

  /** Ends their sessions; resolves when the server has ended them. */
  async close(): Promise<void> {
    await this.#driver.call("close");
  }

  /** A closed loop over the open connections. */
  async run(
    server: BenchmarkServer,
    load: Load,
    shape: { readonly inFlight: number; readonly durationMs: number; readonly opsMax: number },
  ): Promise<LoadResult> {
    const before = processCpuUs(server.pid);
    const result = await this.#driver.call<RunResult>("run", { ...load, ...shape });
    return { ...result, serverCpuUs: processCpuUs(server.pid) - before };
  }

  /** A request every `intervalMs` on the first open connection. */
  paced(load: Load, pace: { readonly intervalMs: number; readonly durationMs: number }): Promise<RunResult> {
    return this.#driver.call("paced", { ...load, ...pace });
  }

  /** All open connections but the first watch `path`, which the first then sets. */
  fanOut(path: string, dataBytes: number): Promise<{ lastEventMs: number; setReplyMs: number }> {
    return this.#driver.call("fanOut", { path, dataBytes });
  }

  /** Opens sessions `concurrency` at a time and closes them again, untimed. */
  async connectRate(server: BenchmarkServer, count: number, concurrency: number): Promise<RunResult> {
    return this.#driver.call("connectRate", { target: target(server), count, concurrency });
  }

  /** Resolves when the server answers a read in a new session. */
  async firstReply(server: BenchmarkServer, timeoutMs: number): Promise<void> {
    await this.#driver.call("firstReply", { target: target(server), timeoutMs });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#driver.close();
  }
}

function target(server: BenchmarkServer): { readonly host: string; readonly port: number } {
  return { host: server.host, port: server.port };
}

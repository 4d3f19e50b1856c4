// SPDX-License-Identifier: Apache-2.0
// The clients of the client suite, each in a process of its own for each server.
import type { ClientOperation, ClientRun } from "../drivers/client-verbs.ts";
import type { BenchmarkServer } from "../lib/benchmark-server.ts";
import { type DriverCommand, DriverProcess } from "../lib/driver-process.ts";
import { driverPath, pythonDriverPath } from "../lib/locations.ts";
import type { SuiteOptions } from "../lib/options.ts";
import type { Peer } from "../lib/peers.ts";
import { Report } from "../lib/report.ts";
import type { Sample } from "../lib/rounds.ts";

/** A client library. */
export type Subject = "meerkat" | Peer;

/** One row of the suite: an operation with so many in flight over one of the servers. */
export interface ClientCase {
  readonly name: string;
  readonly server: BenchmarkServer;
  readonly operation: ClientOperation;
  readonly inFlight: number;
}

/** Parent of all znodes of the suite. */
export const ROOT = "/bench";
/** The znode that is read. */
export const READ_PATH: string = `${ROOT}/read`;
export const DATA_BYTES = 100;

function driverCommand(subject: Subject, options: SuiteOptions): DriverCommand {
  if (subject === "kazoo") {
    return { name: subject, program: "/usr/bin/python3", args: ["-u", pythonDriverPath("kazoo_driver")] };
  }
  const profile =
    options.profileDir === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${options.profileDir}`];
  return {
    name: subject,
    program: process.execPath,
    args: ["--expose-gc", ...profile, driverPath(subject)],
  };
}

function pair(subject: Subject, server: BenchmarkServer): string {
  return `${subject} over ${server.title}`;
}

/** The suite's processes beside the servers: the load generator, which makes znodes, and a driver for each pair. */
export class ClientBench {
  readonly report: Report;
  readonly #options: SuiteOptions;
  readonly #loader: DriverProcess;
  readonly #drivers = new Map<string, DriverProcess>();
  readonly #broken = new Set<string>();
  #folders = 0;

  constructor(options: SuiteOptions) {
    this.report = new Report("client", options);
    this.#options = options;
    this.#loader = new DriverProcess({
      name: "load",
      program: process.execPath,
      args: [driverPath("load")],
    });
  }

  async ensure(server: BenchmarkServer, paths: readonly string[], dataBytes: number): Promise<void> {
    const target = { host: server.host, port: server.port };
    await this.#loader.call("ensure", { target, paths, dataBytes });
  }

  /** A new driver, connected. */
  async connect(subject: Subject, server: BenchmarkServer): Promise<DriverProcess> {
    const driver = new DriverProcess(driverCommand(subject, this.#options));
    try {
      await driver.call("connect", { hosts: `${server.host}:${server.port}` });
      return driver;
    } catch (error) {
      await driver.close();
      throw error;
    }
  }

  /** Connects the driver that `run` uses for this pair, and lets its code get warm. */
  async prepare(subject: Subject, server: BenchmarkServer, warmUpMs: number): Promise<void> {
    await this.#orLeaveOut(subject, server, async () => {
      this.#drivers.set(pair(subject, server), await this.connect(subject, server));
    });
    for (const operation of ["get", "set"] as const) {
      const shape = { durationMs: warmUpMs, opsMax: Number.MAX_SAFE_INTEGER };
      await this.run(subject, { name: "warm-up", server, operation, inFlight: 256 }, shape);
    }
  }

  /** One run. */
  run(
    subject: Subject,
    wanted: ClientCase,
    shape: { readonly durationMs: number; readonly opsMax: number },
  ): Promise<Sample | undefined> {
    return this.#orLeaveOut(subject, wanted.server, async () => {
      const driver = this.#drivers.get(pair(subject, wanted.server));
      const run: ClientRun = {
        ...shape,
        operation: wanted.operation,
        inFlight: wanted.inFlight,
        path: await this.#path(subject, wanted),
        dataBytes: DATA_BYTES,
      };
      const sample = await driver?.call<Sample>("run", run);
      return sample;
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#drivers.values(), this.#loader].map((driver) => driver.close()));
  }

  /** A peer that fails is reported and left out from then on; our own failure ends the suite. */
  async #orLeaveOut<T>(
    subject: Subject,
    server: BenchmarkServer,
    task: () => Promise<T>,
  ): Promise<T | undefined> {
    const key = pair(subject, server);
    if (this.#broken.has(key)) return undefined;
    try {
      return await task();
    } catch (error) {
      if (subject === "meerkat") throw error;
      this.#broken.add(key);
      this.report.note(`${key} is left out: ${String(error).split("\n")[0]}`);
      return undefined;
    }
  }

  /** Reads share a znode, each subject sets its own, and every run of creates gets an empty parent. */
  async #path(subject: Subject, wanted: ClientCase): Promise<string> {
    if (wanted.operation === "get" || wanted.operation === "exists") return READ_PATH;
    const path = wanted.operation === "set" ? `${ROOT}/set-${subject}` : `${ROOT}/create-${++this.#folders}`;
    await this.ensure(wanted.server, [path], DATA_BYTES);
    return path;
  }
}

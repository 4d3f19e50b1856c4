// SPDX-License-Identifier: Apache-2.0
// What `meerkat services` prints.
import type { Directory, Endpoint } from "@meerkat/governance";
import { systemRuntime } from "@meerkat/runtime";
import type { Command } from "commander";
import { type Io, writeLine } from "../io.ts";
import { printable } from "../output/data.ts";
import { writeJson, writeJsonLine } from "../output/json.ts";
import { isoTime } from "../output/stat-text.ts";
import { type Column, formatTable } from "../output/table.ts";
import { serviceOf, withDirectory } from "./registry.ts";

/** What to print. */
export interface ServicesFlags {
  readonly root: string;
  readonly watch?: boolean;
  readonly json?: boolean;
}

/** Prints the live servers of a root, or of one service, once or as they come and go. */
export function printServices(
  command: Command,
  service: string | undefined,
  flags: ServicesFlags,
  io: Io,
): Promise<void> {
  return withDirectory(command, io, { root: flags.root, service }, async (directory) => {
    if (flags.watch === true) await follow(directory, flags, io);
    else list(directory, flags, service, io);
  });
}

const COLUMNS: readonly Column[] = [
  { title: "SERVICE" },
  { title: "ADDRESS" },
  { title: "WEIGHT", isNumber: true },
  { title: "ZNODE" },
];

function list(directory: Directory, flags: ServicesFlags, service: string | undefined, io: Io): void {
  const endpoints = sorted(directory.snapshot().endpoints, flags.root);
  if (flags.json === true) {
    writeJson(
      io.stdout,
      endpoints.map((endpoint) => toJson(endpoint, flags.root)),
    );
  } else if (endpoints.length === 0) {
    writeLine(
      io.stderr,
      `no live server${service === undefined ? "" : ` of ${service}`} under ${flags.root}`,
    );
  } else {
    const rows = endpoints.map((endpoint) => row(endpoint, flags.root));
    writeLine(io.stdout, formatTable(COLUMNS, rows, io.stdout.colors));
  }
}

async function follow(directory: Directory, flags: ServicesFlags, io: Io): Promise<void> {
  const { colors } = io.stdout;
  const signs = { added: colors.green("+"), removed: colors.red("-"), changed: colors.yellow("~") };
  let isStale = false;
  try {
    for await (const change of directory.changes({ signal: io.signal })) {
      const time = isoTime(systemRuntime.clock.wallMs());
      for (const kind of ["removed", "changed", "added"] as const) {
        for (const endpoint of sorted(change[kind], flags.root)) {
          if (flags.json === true) {
            writeJsonLine(io.stdout, { time, change: kind, ...toJson(endpoint, flags.root) });
          } else {
            writeLine(
              io.stdout,
              `${colors.dim(time)}  ${signs[kind]} ${row(endpoint, flags.root).join("  ")}`,
            );
          }
        }
      }
      if (change.set.stale !== isStale) {
        isStale = change.set.stale;
        const note = isStale
          ? "ZooKeeper is out of reach: the last good list stands"
          : "the list is current again";
        writeLine(io.stderr, io.stderr.colors.yellow(note));
      }
    }
  } catch (error) {
    // The end of a watch by Ctrl-C is its normal end.
    if (!io.signal.aborted) throw error;
  }
}

function sorted(endpoints: readonly Endpoint[], root: string): Endpoint[] {
  const key = (endpoint: Endpoint): string =>
    `${serviceOf(endpoint, root)} ${endpoint.host} ${endpoint.port}`;
  return [...endpoints].sort((left, right) => key(left).localeCompare(key(right), "en", { numeric: true }));
}

function row(endpoint: Endpoint, root: string): string[] {
  const { host, port, weight, path = "" } = endpoint;
  const fields = [serviceOf(endpoint, root), `${host}:${port}`, String(weight), path];
  return fields.map(printable);
}

function toJson(endpoint: Endpoint, root: string): Record<string, unknown> {
  const { host, port, id, weight, path = null, metadata } = endpoint;
  return { service: serviceOf(endpoint, root), host, port, id, weight, path, metadata };
}

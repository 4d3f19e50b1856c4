// SPDX-License-Identifier: Apache-2.0
// What `meerkat services` prints.
import { codecByName, type InstanceDecoder, layoutNames } from "@meerkat/governance";
import type { Command } from "commander";
import { mapConcurrently, REQUESTS_MAX } from "../concurrently.ts";
import { type Io, writeLine } from "../io.ts";
import { writeJson } from "../output/json.ts";
import { type Column, formatTable } from "../output/table.ts";
import { UsageError } from "../usage-error.ts";
import { followServices } from "./follow.ts";
import { type LiveServer, serverJson, serverRow, sorted } from "./live-server.ts";
import { type ConnectedRegistry, withRegistry } from "./registry.ts";

/** The seed's layout. */
const DEFAULT_LAYOUT = "seed";

/** What to print. */
export interface ServicesFlags {
  readonly root: string;
  readonly layout: string;
  readonly watch?: boolean;
  readonly json?: boolean;
}

/** Prints the live servers of all services, or of one, once or as they come and go. */
export function printServices(
  command: Command,
  service: string | undefined,
  flags: ServicesFlags,
  io: Io,
): Promise<void> {
  const isDefaultRoot = command.getOptionValueSource("root") === "default";
  // Other layouts have a default service only where its root is named.
  const root = flags.layout === DEFAULT_LAYOUT || !isDefaultRoot ? flags.root : undefined;
  return withRegistry(command, io, { root, codec: layoutOf(flags) }, async (connected) => {
    if (flags.watch === true) await followServices(connected, service, flags.json === true, io);
    else await list(connected, service, flags, io);
  });
}

function layoutOf({ layout }: ServicesFlags): InstanceDecoder {
  if (layoutNames.includes(layout)) return codecByName(layout);
  throw new UsageError(`there is no layout ${layout}: use one of ${layoutNames.join(", ")}`);
}

const COLUMNS: readonly Column[] = [
  { title: "SERVICE" },
  { title: "ADDRESS" },
  { title: "WEIGHT", isNumber: true },
  { title: "ZNODE" },
];

async function list(
  connected: ConnectedRegistry,
  service: string | undefined,
  flags: ServicesFlags,
  io: Io,
): Promise<void> {
  const servers = sorted(await readServers(connected, service));
  if (flags.json === true) {
    writeJson(io.stdout, servers.map(serverJson));
  } else if (servers.length === 0) {
    writeLine(io.stderr, service === undefined ? "no live servers" : `no live servers of ${service}`);
  } else {
    writeLine(io.stdout, formatTable(COLUMNS, servers.map(serverRow), io.stdout.colors));
  }
}

async function readServers(
  { registry, call }: ConnectedRegistry,
  service: string | undefined,
): Promise<LiveServer[]> {
  const names =
    service === undefined ? (await registry.services(call)).map((listing) => listing.name) : [service];
  const lists = await mapConcurrently(names, REQUESTS_MAX, async (name) => {
    await using directory = await registry.directory({ service: name, ...call });
    return directory.snapshot().endpoints.map((endpoint) => ({ service: name, endpoint }));
  });
  return lists.flat();
}

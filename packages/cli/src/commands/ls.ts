// SPDX-License-Identifier: Apache-2.0
import { joinPath } from "@meerkat/client";
import type { Command } from "commander";
import { mapConcurrently, REQUESTS_MAX } from "../concurrently.ts";
import { addDataOptions, type Connected, type ConnectionFlags, withClient } from "../connection.ts";
import { type Output, writeLine, writeLines } from "../io.ts";
import { printable } from "../output/data.ts";
import { writeJson } from "../output/json.ts";
import { formatStatTable } from "../output/stat-text.ts";
import type { CommandHost } from "../program.ts";
import { descendants, readTree } from "../walk.ts";

interface LsFlags extends ConnectionFlags {
  readonly recursive?: boolean;
  readonly stat?: boolean;
}

/** `meerkat ls [PATH]`: the names below a znode, or the paths of everything below it. */
export function addLsCommand(program: Command, { io }: CommandHost): void {
  addDataOptions(program.command("ls"))
    .description("list the children of a znode")
    .argument("[path]", "the parent", "/")
    .option("-R, --recursive", "everything below, as paths")
    .option("-s, --stat", "with version, size, children, owner and time")
    .action((path: string, flags: LsFlags, command: Command) =>
      withClient(command, io, (connected) => list(connected, path, flags, io.stdout)),
    );
}

async function list(connected: Connected, path: string, flags: LsFlags, output: Output): Promise<void> {
  if (flags.recursive !== true && flags.stat !== true) {
    const { children } = await connected.client.children(path, connected.call);
    children.sort();
    if (flags.json === true) writeJson(output, children);
    else writeLines(output, children.map(printable));
    return;
  }
  const entries = await (flags.recursive === true ? listTree : listStats)(connected, path);
  if (flags.json === true) {
    writeJson(
      output,
      entries.map(({ path: entryPath, stat }) =>
        flags.stat === true ? { path: entryPath, stat } : entryPath,
      ),
    );
  } else if (flags.stat !== true) {
    writeLines(
      output,
      entries.map((entry) => printable(entry.path)),
    );
  } else if (entries.length > 0) {
    writeLine(output, formatStatTable(entries, output.colors));
  }
}

async function listTree({ client, call }: Connected, path: string) {
  const root = await readTree(client, path, Number.POSITIVE_INFINITY, call);
  return [...descendants(root)].map((node) => ({ name: node.path, path: node.path, stat: node.stat }));
}

async function listStats({ client, call }: Connected, path: string) {
  const { children } = await client.children(path, call);
  const entries = await mapConcurrently(children.sort(), REQUESTS_MAX, async (name) => {
    const childPath = joinPath(path, name);
    const stat = await client.exists(childPath, call);
    // A child may vanish between the list and the look at it.
    return stat === null ? undefined : { name, path: childPath, stat };
  });
  return entries.filter((entry) => entry !== undefined);
}

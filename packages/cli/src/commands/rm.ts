// SPDX-License-Identifier: Apache-2.0
import { isZooKeeperError } from "@meerkat/client";
import type { Command } from "commander";
import { addDataOptions, type ConnectionFlags, parseVersion, withClient } from "../connection.ts";
import { writeLine } from "../io.ts";
import { writeJson } from "../output/json.ts";
import type { CommandHost } from "../program.ts";
import { UsageError } from "../usage-error.ts";

interface RmFlags extends ConnectionFlags {
  readonly recursive?: boolean;
  readonly version?: number;
  readonly force?: boolean;
}

/** `meerkat rm PATH`: removes a znode, with `-r` all that is below it as well. */
export function addRmCommand(program: Command, { io }: CommandHost): void {
  addDataOptions(program.command("rm"))
    .description("remove a znode; asks nothing")
    .argument("<path>", "the znode")
    .option("-r, --recursive", "with everything below it")
    .option("-f, --force", "a missing znode is no failure")
    .option("-v, --version <number>", "only if this is its version", parseVersion)
    .action(async (path: string, flags: RmFlags, command: Command) => {
      refuseRoots(path);
      if (flags.recursive === true && flags.version !== undefined) {
        throw new UsageError("--version speaks of one znode: it does not go with --recursive");
      }
      await withClient(command, io, async ({ client, call }) => {
        let isRemoved = true;
        try {
          if (flags.recursive === true) await client.deleteRecursive(path, call);
          else await client.delete(path, { ...call, version: flags.version });
        } catch (error) {
          if (flags.force !== true || !isZooKeeperError(error, "NO_NODE")) throw error;
          isRemoved = false;
        }
        if (flags.json === true) writeJson(io.stdout, { path, removed: isRemoved });
        else writeLine(io.stdout, isRemoved ? `${path} removed` : `${path} was not there`);
      });
    });
}

/** What nobody means to remove: everything, and the server's own configuration. */
function refuseRoots(path: string): void {
  if (path === "/") {
    throw new UsageError("refusing to remove /: it is everything. Name the znodes below it one by one.");
  }
  if (path === "/zookeeper") {
    throw new UsageError(
      "refusing to remove /zookeeper: the server keeps its own configuration and quotas there.",
    );
  }
}

// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { addDataOptions, type ConnectionFlags, withClient } from "../connection.ts";
import { writeLine } from "../io.ts";
import { MissingZnodeError } from "../missing-znode-error.ts";
import { writeJson } from "../output/json.ts";
import { formatStat } from "../output/stat-text.ts";
import type { CommandHost } from "../program.ts";

/** `meerkat stat PATH`: what ZooKeeper knows about a znode besides its data. */
export function addStatCommand(program: Command, { io }: CommandHost): void {
  addDataOptions(program.command("stat"))
    .description("print versions, times, owner and sizes of a znode")
    .argument("<path>", "the znode")
    .action((path: string, flags: ConnectionFlags, command: Command) =>
      withClient(command, io, async ({ client, call }) => {
        const stat = await client.exists(path, call);
        if (stat === null) throw new MissingZnodeError(path);
        if (flags.json === true) writeJson(io.stdout, { path, stat });
        else writeLine(io.stdout, formatStat(path, stat, io.stdout.colors));
      }),
    );
}

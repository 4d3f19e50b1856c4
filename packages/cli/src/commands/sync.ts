// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { addDataOptions, type ConnectionFlags, withClient } from "../connection.ts";
import { writeLine } from "../io.ts";
import { writeJson } from "../output/json.ts";
import type { CommandHost } from "../program.ts";

/** `meerkat sync [PATH]`: waits until the connected server has caught up with its leader. */
export function addSyncCommand(program: Command, { io }: CommandHost): void {
  addDataOptions(program.command("sync"))
    .description("wait until the connected server has caught up with the leader")
    .argument("[path]", "any path", "/")
    .action((path: string, flags: ConnectionFlags, command: Command) =>
      withClient(command, io, async ({ client, call }) => {
        await client.sync(path, call);
        if (flags.json === true) writeJson(io.stdout, { path, synced: true });
        else writeLine(io.stdout, `${path} is up to date`);
      }),
    );
}

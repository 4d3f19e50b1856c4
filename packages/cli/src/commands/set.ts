// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { addDataOptions, type ConnectionFlags, parseVersion, withClient } from "../connection.ts";
import { type DataFlags, readData } from "../data-argument.ts";
import { writeLine } from "../io.ts";
import { writeJson } from "../output/json.ts";
import type { CommandHost } from "../program.ts";
import { UsageError } from "../usage-error.ts";

interface SetFlags extends ConnectionFlags, DataFlags {
  readonly version?: number;
}

/** `meerkat set PATH [DATA]`: replaces the data of a znode. */
export function addSetCommand(program: Command, { io }: CommandHost): void {
  addDataOptions(program.command("set"))
    .description("replace the data of a znode")
    .argument("<path>", "the znode")
    .argument("[data]", "the new data as text; - reads it from stdin")
    .option("-f, --file <file>", "take the data from a file; - is stdin")
    .option("-v, --version <number>", "only if this is its version", parseVersion)
    .action(async (path: string, text: string | undefined, flags: SetFlags, command: Command) => {
      const data = await readData(text, flags, io);
      if (data === undefined) throw new UsageError("set needs DATA, or - for stdin, or --file");
      await withClient(command, io, async ({ client, call }) => {
        const stat = await client.set(path, data, { ...call, version: flags.version });
        if (flags.json === true) writeJson(io.stdout, { path, stat });
        else writeLine(io.stdout, `${path} is now at version ${stat.version}`);
      });
    });
}

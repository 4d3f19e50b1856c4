// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { addDataOptions, type ConnectionFlags, withClient } from "../connection.ts";
import { type Output, writeLine } from "../io.ts";
import { printable, toJsonData } from "../output/data.ts";
import { writeJson } from "../output/json.ts";
import type { CommandHost } from "../program.ts";

/** `meerkat get PATH`: the data of a znode. */
export function addGetCommand(program: Command, { io }: CommandHost): void {
  addDataOptions(program.command("get"))
    .description("print the data of a znode (byte for byte when piped)")
    .argument("<path>", "the znode")
    .action((path: string, flags: ConnectionFlags, command: Command) =>
      withClient(command, io, async ({ client, call }) => {
        const { data, stat } = await client.get(path, call);
        if (flags.json === true) writeJson(io.stdout, { path, ...toJsonData(data), stat });
        else writeData(io.stdout, data);
      }),
    );
}

/** A program gets the bytes; a person gets them readable and with a newline at the end. */
function writeData(output: Output, data: Buffer): void {
  if (output.isTerminal) writeLine(output, printable(data.toString()).replace(/\n$/, ""));
  else output.stream.write(data);
}

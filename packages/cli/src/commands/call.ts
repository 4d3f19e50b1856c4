// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { addDataOptions } from "../connection.ts";
import type { CommandHost } from "../program.ts";
import { addRootOption } from "../root-option.ts";
import type { CallFlags } from "../services/call.ts";

/** `meerkat call SERVICE METHOD [ARGS…]`: one governed call over the seed's wire. */
export function addCallCommand(program: Command, { io }: CommandHost): void {
  addRootOption(addDataOptions(program.command("call")))
    .description("call a method of a live server and print the result")
    .argument("<service>", "the service, as `meerkat services` names it")
    .argument("<method>", "its method")
    .argument("[args...]", "integers in the order of their numbers, or one JSON object")
    .option("--idempotent", "send it again when the reply was lost")
    .action(async (service: string, method: string, words: string[], flags: CallFlags, command: Command) => {
      const { printCall } = await import("../services/call.ts");
      await printCall(command, { service, method, words }, flags, io);
    });
}

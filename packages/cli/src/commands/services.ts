// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { addDataOptions } from "../connection.ts";
import type { CommandHost } from "../program.ts";
import { addRootOption } from "../root-option.ts";
import type { ServicesFlags } from "../services/list.ts";

/** `meerkat services [NAME]`: the live servers, once or as they come and go. */
export function addServicesCommand(program: Command, { io }: CommandHost): void {
  addRootOption(addDataOptions(program.command("services")))
    .description("list the live servers, or follow them")
    .argument("[name]", "only this service")
    .option("-l, --layout <name>", "how servers register: seed, curator, dubbo2, …", "seed")
    .option("-w, --watch", "go on and print what changes until interrupted")
    .action(async (service: string | undefined, flags: ServicesFlags, command: Command) => {
      const { printServices } = await import("../services/list.ts");
      await printServices(command, service, flags, io);
    });
}

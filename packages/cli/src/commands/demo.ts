// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import type { CommandHost } from "../program.ts";

/** `meerkat demo`: the whole system at work, in processes of its own. */
export function addDemoCommand(program: Command, { io }: CommandHost): void {
  program
    .command("demo")
    .description("watch servers join and die while no call fails")
    .option("-z, --zookeeper <hosts>", "use this ZooKeeper; the demo starts one of its own otherwise")
    .option("--json <file>", "write the summary to a file; - is stdout")
    .action(async (flags: { readonly zookeeper?: string; readonly json?: string }, command: Command) => {
      const before = command.parent?.opts<{ readonly zookeeper?: string }>().zookeeper;
      const { runDemo } = await import("../demo/run-demo.ts");
      await runDemo({ zookeeper: flags.zookeeper ?? before, json: flags.json }, io);
    });
}

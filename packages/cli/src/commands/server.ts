// SPDX-License-Identifier: Apache-2.0
import { type Command, InvalidArgumentError, Option } from "commander";
import { parsePort, parsePositive } from "../connection.ts";
import { LOG_LEVELS } from "../log-level.ts";
import type { CommandHost } from "../program.ts";
import type { ServerFlags } from "../serve.ts";

/** Adds `name=value` to what was given before, as java's -D does. */
function collectProperty(
  text: string,
  before: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const at = text.indexOf("=");
  if (at <= 0) throw new InvalidArgumentError("write -Dname=value.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** `meerkat server [ZOO_CFG]`: the embedded server as a process. */
export function addServerCommand(program: Command, { io }: CommandHost): void {
  program
    .command("server")
    .description("run an embedded ZooKeeper server until SIGTERM or Ctrl-C")
    .argument("[zoo_cfg]", "a standard zoo.cfg; flags win over it")
    .option(
      "-p, --client-port <port>",
      "where clients connect; 0 takes a free port (default: 2181)",
      parsePort,
    )
    .option("--data-dir <dir>", "where logs and snapshots are kept")
    .option("--memory", "keep everything in memory and forget it at the end")
    .option(
      "-D, --define <property=value>",
      "a system property of ZooKeeper's, such as -Dzookeeper.snapCount=1000; wins over the file; may be repeated",
      collectProperty,
      {},
    )
    .option("--host <host>", "address to bind (default: 127.0.0.1)")
    .option("--tick-time <ms>", "unit of session timeouts, which are 2 to 20 of it", parsePositive)
    .addOption(
      new Option("--log-level <level>", "least severe level of the log").choices(LOG_LEVELS).default("info"),
    )
    .option("--json", "print the address as JSON")
    .action(async (file: string | undefined, flags: ServerFlags) => {
      const { serve } = await import("../serve.ts");
      await serve(file, flags, io);
    });
}

// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { addDataOptions, type ConnectionFlags, resolveConnection } from "../connection.ts";
import { type Check, examine, isHealthy } from "../doctor/examine.ts";
import { type Colors, writeLine } from "../io.ts";
import { writeJson } from "../output/json.ts";
import type { CommandHost } from "../program.ts";

interface DoctorFlags extends ConnectionFlags {
  readonly write?: boolean;
}

/** `meerkat doctor`: finds out why things do not work. */
export function addDoctorCommand(program: Command, { io, setExitCode }: CommandHost): void {
  addDataOptions(program.command("doctor"))
    .description(
      "examine every server: reach, version, role, session, latency, clock; exit code 1 on a failure",
    )
    .option("--no-write", "leave out the checks that make a short-lived znode")
    .action(async (flags: DoctorFlags, command: Command) => {
      const settings = resolveConnection(command, io);
      const checks = await examine(settings, { write: flags.write !== false, signal: io.signal }, (check) => {
        if (flags.json !== true) writeLine(io.stdout, formatCheck(check, io.stdout.colors));
      });
      if (flags.json === true) writeJson(io.stdout, { healthy: isHealthy(checks), checks });
      if (!isHealthy(checks)) setExitCode(1);
    });
}

function formatCheck(check: Check, colors: Colors): string {
  const sign = { ok: colors.green("✔"), warning: colors.yellow("!"), failure: colors.red("✘") }[check.status];
  const hint = check.hint === undefined ? "" : `\n    ${colors.dim(`hint: ${check.hint}`)}`;
  return `${sign} ${check.subject.padEnd(21)}  ${check.name.padEnd(9)}  ${check.detail}${hint}`;
}

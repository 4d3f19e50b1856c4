// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { writeLine } from "../io.ts";
import { writeJson } from "../output/json.ts";
import type { CommandHost } from "../program.ts";

/** `meerkat repair DATA_DIR`: cuts a damaged transaction log off before its first bad record. */
export function addRepairCommand(program: Command, { io }: CommandHost): void {
  program
    .command("repair")
    .description("cut the damage off a data directory that a server refuses to start on")
    .argument("<data_dir>", "the directory of snapshots, and of logs unless --log-dir says otherwise")
    .option("--log-dir <dir>", "where the logs are (zoo.cfg's dataLogDir)")
    .option("--json", "print what was done as JSON")
    .action(async (dataDir: string, flags: { readonly logDir?: string; readonly json?: boolean }) => {
      const [{ repairDirectory }, { systemRuntime }] = await Promise.all([
        import("@meerkat/server"),
        import("@meerkat/runtime"),
      ]);
      const report = await repairDirectory({
        dataDir,
        dataLogDir: flags.logDir,
        clock: systemRuntime.clock,
      });
      if (flags.json === true) {
        writeJson(io.stdout, report);
        return;
      }
      const { cut, setAside, backupDirectory, lastZxid } = report;
      if (backupDirectory === undefined) {
        writeLine(io.stdout, `${dataDir} is in order; its last transaction is 0x${lastZxid.toString(16)}`);
        return;
      }
      if (cut !== undefined) writeLine(io.stdout, `cut ${cut.path} to ${cut.bytes} bytes: ${cut.reason}`);
      for (const name of setAside) writeLine(io.stdout, `took ${name} away: it follows on what is missing`);
      writeLine(io.stdout, `the last transaction left is 0x${lastZxid.toString(16)}`);
      writeLine(io.stdout, `everything that was changed is kept in ${backupDirectory}`);
    });
}

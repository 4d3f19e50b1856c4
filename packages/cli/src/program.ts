// SPDX-License-Identifier: Apache-2.0
// The command line's grammar: one `add…` per command, in the order that help shows them.
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { addAclCommand } from "./commands/acl.ts";
import { addCallCommand } from "./commands/call.ts";
import { addCompletionCommand } from "./commands/completion.ts";
import { addCreateCommand } from "./commands/create.ts";
import { addDemoCommand } from "./commands/demo.ts";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addGetCommand } from "./commands/get.ts";
import { addLsCommand } from "./commands/ls.ts";
import { addRepairCommand } from "./commands/repair.ts";
import { addRmCommand } from "./commands/rm.ts";
import { addServerCommand } from "./commands/server.ts";
import { addServicesCommand } from "./commands/services.ts";
import { addSetCommand } from "./commands/set.ts";
import { addStatCommand } from "./commands/stat.ts";
import { addSyncCommand } from "./commands/sync.ts";
import { addTreeCommand } from "./commands/tree.ts";
import { addWatchCommand } from "./commands/watch.ts";
import { addConnectionOptions } from "./connection.ts";
import type { Io } from "./io.ts";

/** What every command gets besides its arguments. */
export interface CommandHost {
  readonly io: Io;
  /** For commands whose failure is a result and not an error (`doctor`). */
  setExitCode(code: number): void;
}

/** The version in this package's package.json. */
export function packageVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/**
 * Builds the parser of the whole command line. It never ends the process: bad usage, help and version are
 * thrown as `CommanderError` after they were printed to `io`.
 */
export function createProgram(io: Io, setExitCode: (code: number) => void): Command {
  const host: CommandHost = { io, setExitCode };
  const program = new Command("meerkat")
    .description("Finds live services through ZooKeeper and keeps calls to them succeeding.")
    .version(packageVersion(), "-V, --version", "print the version")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.stream.write(text),
      writeErr: (text) => io.stderr.stream.write(text),
      outputError: (text, write) =>
        write(`${io.stderr.colors.red("meerkat:")} ${text.replace(/^error: /, "")}`),
      getOutHasColors: () => io.stdout.colors.isColorSupported,
      getErrHasColors: () => io.stderr.colors.isColorSupported,
    })
    .configureHelp({
      styleTitle: (title) => io.stdout.colors.bold(title),
      styleCommandText: (text) => io.stdout.colors.cyan(text),
      styleOptionTerm: (text) => io.stdout.colors.cyan(text),
      styleSubcommandTerm: (text) => io.stdout.colors.cyan(text),
    })
    .showHelpAfterError("  (add --help for the command's usage)")
    .enablePositionalOptions();
  addConnectionOptions(program);

  program.commandsGroup("Znodes:");
  addLsCommand(program, host);
  addTreeCommand(program, host);
  addGetCommand(program, host);
  addStatCommand(program, host);
  addSetCommand(program, host);
  addCreateCommand(program, host);
  addRmCommand(program, host);
  addWatchCommand(program, host);
  addAclCommand(program, host);
  addSyncCommand(program, host);
  program.commandsGroup("Services:");
  addServicesCommand(program, host);
  addCallCommand(program, host);
  addDemoCommand(program, host);
  program.commandsGroup("Servers:");
  addServerCommand(program, host);
  addRepairCommand(program, host);
  addDoctorCommand(program, host);
  program.commandsGroup("Other:");
  addCompletionCommand(program, host);
  program.helpCommand("help [command]", "print the usage of a command");
  program.addHelpText(
    "after",
    `
Environment:
  MEERKAT_ZOOKEEPER       default of --zookeeper
  MEERKAT_AUTH            credentials like those of --auth, one a line
  MEERKAT_TLS_PASSPHRASE  of an encrypted --tls-key
  NO_COLOR                any value: no colours

Exit codes: 0 done, 1 the operation failed, 2 bad usage.`,
  );
  return program;
}

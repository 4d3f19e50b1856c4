// SPDX-License-Identifier: Apache-2.0
import { EmbeddedServer, type EmbeddedServerOptions } from "@meerkat/server";
import { type Command, Option } from "commander";
import { parsePort, parsePositive } from "../connection.ts";
import { type Io, writeLine } from "../io.ts";
import { createLogger, LOG_LEVELS, type LogLevel } from "../log.ts";
import { writeJsonLine } from "../output/json.ts";
import type { CommandHost } from "../program.ts";
import { UsageError } from "../usage-error.ts";

/** ZooKeeper's usual client port. */
const DEFAULT_CLIENT_PORT = 2181;

interface ServerFlags {
  readonly clientPort?: number;
  readonly dataDir?: string;
  readonly memory?: boolean;
  readonly host?: string;
  readonly tickTime?: number;
  readonly logLevel: LogLevel;
  readonly json?: boolean;
}

/** `meerkat server [ZOO_CFG]`: the embedded server as a process. */
export function addServerCommand(program: Command, { io }: CommandHost): void {
  program
    .command("server")
    .description("run an embedded ZooKeeper server until SIGTERM or Ctrl-C")
    .argument("[zoo_cfg]", "a standard zoo.cfg; flags win over it")
    .option(
      "-p, --client-port <port>",
      `where clients connect; 0 takes a free port (default: ${DEFAULT_CLIENT_PORT})`,
      parsePort,
    )
    .option("--data-dir <dir>", "where logs and snapshots are kept")
    .option("--memory", "keep everything in memory and forget it at the end")
    .option("--host <host>", "address to bind (default: 127.0.0.1)")
    .option("--tick-time <ms>", "unit of session timeouts, which are 2 to 20 of it", parsePositive)
    .addOption(
      new Option("--log-level <level>", "least severe level of the log").choices(LOG_LEVELS).default("info"),
    )
    .option("--json", "print the address as JSON")
    .action((file: string | undefined, flags: ServerFlags) => serve(file, flags, io));
}

async function serve(file: string | undefined, flags: ServerFlags, io: Io): Promise<void> {
  const logger = createLogger(flags.logLevel);
  const options = serverOptions(file, flags);
  if (options.memory === true && flags.memory !== true) {
    logger.warn({}, "no data directory: everything is kept in memory and lost at the end (see --data-dir)");
  }
  await using server = await EmbeddedServer.start({ ...options, runtime: { logger } });
  const { host, port, connectString } = server;
  if (flags.json === true) writeJsonLine(io.stdout, { host, port, connectString, pid: process.pid });
  else writeLine(io.stdout, `listening on ${connectString}`);
  await new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve();
    else io.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  logger.info({ reason: String(io.signal.reason) }, "stopping");
}

/** The configuration file with the flags over it. */
function serverOptions(_file: string | undefined, flags: ServerFlags): EmbeddedServerOptions {
  if (flags.memory === true && flags.dataDir !== undefined) {
    throw new UsageError("--memory and --data-dir do not go together");
  }
  return {
    host: flags.host,
    port: flags.clientPort ?? DEFAULT_CLIENT_PORT,
    dataDir: flags.dataDir,
    memory: flags.dataDir === undefined,
    tickTimeMs: flags.tickTime,
  };
}

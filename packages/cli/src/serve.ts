// SPDX-License-Identifier: Apache-2.0
// What `meerkat server` does: configuration, log, and a server until the process is told to end.
import { EmbeddedServer, type EmbeddedServerOptions } from "@meerkat/server";
import { type Io, writeLine } from "./io.ts";
import { createLogger } from "./log.ts";
import type { LogLevel } from "./log-level.ts";
import { writeJsonLine } from "./output/json.ts";
import { UsageError } from "./usage-error.ts";

/** ZooKeeper's usual client port. */
const DEFAULT_CLIENT_PORT = 2181;

/** What the user chose. */
export interface ServerFlags {
  readonly clientPort?: number;
  readonly dataDir?: string;
  readonly memory?: boolean;
  readonly host?: string;
  readonly tickTime?: number;
  readonly logLevel: LogLevel;
  readonly json?: boolean;
}

/** Runs the server until the signal; resolves when it is closed. */
export async function serve(file: string | undefined, flags: ServerFlags, io: Io): Promise<void> {
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

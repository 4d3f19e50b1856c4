// SPDX-License-Identifier: Apache-2.0
// What `meerkat server` does: configuration, log, and a server until the process is told to end.
import { readFile } from "node:fs/promises";
import { EmbeddedServer, type EmbeddedServerOptions, parseZooCfg, type ServerConfig } from "@meerkat/server";
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
  if (flags.memory === true && flags.dataDir !== undefined) {
    throw new UsageError("--memory and --data-dir do not go together");
  }
  const { options, warnings } = file === undefined ? withoutFile(flags) : await fromFile(file, flags);
  for (const warning of warnings) logger.warn({ file }, warning);
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

function withoutFile(flags: ServerFlags): ServerConfig {
  const isLossy = flags.dataDir === undefined && flags.memory !== true;
  return {
    options: {
      host: flags.host,
      port: flags.clientPort ?? DEFAULT_CLIENT_PORT,
      tickTimeMs: flags.tickTime,
      ...(flags.dataDir === undefined ? { memory: true } : { dataDir: flags.dataDir }),
    },
    warnings: isLossy
      ? ["no data directory: everything is kept in memory and lost at the end (see --data-dir)"]
      : [],
  };
}

/** The file with the flags over it. */
async function fromFile(file: string, flags: ServerFlags): Promise<ServerConfig> {
  let text = await readFile(file, "utf8");
  // A directory on the command line is as good as one in the file, which must have one; the last key wins.
  const directory = flags.memory === true ? "." : flags.dataDir;
  if (directory !== undefined) text += `\ndataDir=${directory.replaceAll("\\", "\\\\")}\n`;
  const { options, warnings } = await parseZooCfg(text);
  const flagOptions: EmbeddedServerOptions = {
    ...(flags.host === undefined ? {} : { host: flags.host }),
    ...(flags.clientPort === undefined ? {} : { port: flags.clientPort }),
    ...(flags.tickTime === undefined ? {} : { tickTimeMs: flags.tickTime }),
    ...(flags.memory === true ? { memory: true, dataDir: undefined, dataLogDir: undefined } : {}),
  };
  return { options: { ...options, ...flagOptions }, warnings };
}

// SPDX-License-Identifier: Apache-2.0
// What `meerkat server` does: configuration, log, and a server until the process is told to end.
import { readFile } from "node:fs/promises";
import { EmbeddedServer, parseZooCfg, type ServerConfig } from "@meerkat/server";
import { type Io, writeLine } from "./io.ts";
import { createLogger } from "./log.ts";
import type { LogLevel } from "./log-level.ts";
import { writeJsonLine } from "./output/json.ts";
import { UsageError } from "./usage-error.ts";

/** What the user chose. */
export interface ServerFlags {
  readonly clientPort?: number;
  readonly dataDir?: string;
  readonly memory?: boolean;
  readonly host?: string;
  readonly tickTime?: number;
  readonly logLevel: LogLevel;
  readonly json?: boolean;
  /** System properties, as Java takes them: `-Dname=value`. */
  readonly define?: Readonly<Record<string, string>>;
}

/**
 * What holds where there is no zoo.cfg: nothing but the port, on loopback, and what clients of today expect. In the
 * form of one, so that properties and flags lie over it in the same way.
 */
const WITHOUT_FILE = `
clientPortAddress=127.0.0.1
clientPort=2181
extendedTypesEnabled=true
maxClientCnxns=10000
admin.enableServer=false
`;

/** Runs the server until the signal; resolves when it is closed. */
export async function serve(file: string | undefined, flags: ServerFlags, io: Io): Promise<void> {
  const logger = createLogger(flags.logLevel);
  if (flags.memory === true && flags.dataDir !== undefined) {
    throw new UsageError("--memory and --data-dir do not go together");
  }
  const { options, warnings } = await configure(file, flags);
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

/** The configuration from the file, or the defaults; system properties win over it, and flags over both. */
async function configure(file: string | undefined, flags: ServerFlags): Promise<ServerConfig> {
  const text = file === undefined ? WITHOUT_FILE : await readFile(file, "utf8");
  const properties: Record<string, string> = { ...flags.define };
  const named = flags.dataDir ?? flags.define?.["dataDir"] ?? flags.define?.["zookeeper.dataDir"];
  const keepsNothing = flags.memory === true || (file === undefined && named === undefined);
  // A configuration must name a directory, also one that is not going to be used.
  const dataDir = keepsNothing ? "." : named;
  const chosen: Readonly<Record<string, string | number | undefined>> = {
    dataDir,
    clientPortAddress: flags.host,
    clientPort: flags.clientPort,
    tickTime: flags.tickTime,
  };
  for (const [key, value] of Object.entries(chosen)) if (value !== undefined) properties[key] = String(value);
  const { options, warnings } = await parseZooCfg(text, readFile, properties);
  if (!keepsNothing) return { options, warnings };
  const loss = "no data directory: everything is kept in memory and lost at the end (see --data-dir)";
  return {
    options: { ...options, memory: true, dataDir: undefined, dataLogDir: undefined },
    warnings: flags.memory === true ? warnings : [...warnings, loss],
  };
}

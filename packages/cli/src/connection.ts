// SPDX-License-Identifier: Apache-2.0
// From flags and environment to a connected client that is closed again whatever happens.
import { type CallOptions, ZooKeeperClient } from "@meerkat/client";
import type { TlsClientOptions } from "@meerkat/runtime";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Io } from "./io.ts";
import { addTlsOptions, resolveTls, type TlsFlags } from "./tls-options.ts";
import { UsageError } from "./usage-error.ts";

/** Where ZooKeeper is when nobody says. */
export const DEFAULT_ZOOKEEPER = "127.0.0.1:2181";
/** Longest wait for the connection and for each reply, unless `--timeout` says otherwise. */
export const DEFAULT_TIMEOUT_MS = 10_000;
/**
 * Session timeout asked for. Shorter than the library's default: what a killed command leaves behind
 * (an ephemeral znode of `create -e`) should go soon.
 */
export const CLI_SESSION_TIMEOUT_MS = 10_000;

/** One credential, as ZooKeeper's `addauth` takes it. */
export interface Credential {
  readonly scheme: string;
  readonly auth: string;
}

/** Flags of every command that talks to ZooKeeper, as commander hands them over. */
export interface ConnectionFlags extends TlsFlags {
  readonly zookeeper?: string;
  readonly timeout?: number;
  readonly auth?: readonly Credential[];
  readonly json?: boolean;
}

/** The flags with environment and defaults applied. */
export interface ConnectionSettings {
  readonly hosts: string;
  readonly timeoutMs: number;
  readonly auth: readonly Credential[];
  readonly tls: TlsClientOptions | undefined;
}

/** For options that take a count or a duration. */
export function parseCount(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("It must be a whole number, 0 or more.");
  return Number(text);
}

/** For options that take a duration that may not be zero. */
export function parsePositive(text: string): number {
  const value = parseCount(text);
  if (value === 0) throw new InvalidArgumentError("It must be 1 or more.");
  return value;
}

/** For options that take a TCP port; 0 means any free one. */
export function parsePort(text: string): number {
  const port = parseCount(text);
  if (port > 65_535) throw new InvalidArgumentError("A port is at most 65535.");
  return port;
}

/** For `--version`: a znode's version, -1 for any. */
export function parseVersion(text: string): number {
  if (text === "-1") return -1;
  return parseCount(text);
}

/** Reads `scheme:data`. The value is a secret, so no message repeats it. */
export function parseCredential(text: string): Credential {
  const colon = text.indexOf(":");
  if (colon <= 0) throw new InvalidArgumentError("It must look like digest:user:password.");
  return { scheme: text.slice(0, colon), auth: text.slice(colon + 1) };
}

/** Adds the flags of `ConnectionFlags`. */
export function addConnectionOptions(command: Command): Command {
  command
    .option(
      "-z, --zookeeper <hosts>",
      `servers as HOST:PORT[,HOST:PORT…][/CHROOT] (default: $MEERKAT_ZOOKEEPER, then ${DEFAULT_ZOOKEEPER})`,
    )
    .option(
      "--timeout <ms>",
      `longest wait for the connection and for each reply (default: ${DEFAULT_TIMEOUT_MS})`,
      parsePositive,
    )
    .addOption(
      new Option(
        "--auth <scheme:data>",
        "credential, such as digest:user:password; may be repeated",
      ).argParser((text: string, before: readonly Credential[] | undefined) => {
        try {
          return [...(before ?? []), parseCredential(text)];
        } catch {
          // Commander would repeat the argument, which is a secret.
          throw new UsageError("--auth must look like digest:user:password");
        }
      }),
    );
  return addTlsOptions(command);
}

/** Adds `--json` beside them. */
export function addDataOptions(command: Command): Command {
  return addConnectionOptions(command).option("--json", "print JSON");
}

/** Flags given after the command's name win over those before it. */
export function resolveConnection(command: Command, io: Io): ConnectionSettings {
  const flags = {
    ...(command.parent?.opts<ConnectionFlags>() ?? {}),
    ...command.opts<ConnectionFlags>(),
  };
  const fromEnvironment = (io.env.MEERKAT_AUTH ?? "").split("\n").filter((line) => line !== "");
  return {
    hosts: flags.zookeeper ?? (io.env.MEERKAT_ZOOKEEPER || DEFAULT_ZOOKEEPER),
    timeoutMs: flags.timeout ?? DEFAULT_TIMEOUT_MS,
    tls: resolveTls(flags, io.env),
    auth:
      flags.auth ??
      fromEnvironment.map((line) => {
        try {
          return parseCredential(line);
        } catch {
          throw new UsageError("$MEERKAT_AUTH must hold lines like digest:user:password");
        }
      }),
  };
}

/** What a command does its work with. */
export interface Connected {
  readonly client: ZooKeeperClient;
  /** Pass it to every request: it carries the time limit and the signal. */
  readonly call: CallOptions;
  readonly settings: ConnectionSettings;
}

/**
 * Connects, runs `task`, closes the session. A close that fails after the work was done is no failure of
 * the command: the session then ends by its timeout.
 */
export async function withClient<T>(
  command: Command,
  io: Io,
  task: (connected: Connected) => Promise<T>,
): Promise<T> {
  const settings = resolveConnection(command, io);
  const call: CallOptions = { timeoutMs: settings.timeoutMs, signal: io.signal };
  const client = new ZooKeeperClient({
    hosts: settings.hosts,
    sessionTimeoutMs: CLI_SESSION_TIMEOUT_MS,
    auth: settings.auth,
    tls: settings.tls,
  });
  try {
    await client.connect(call);
    return await task({ client, call, settings });
  } finally {
    try {
      await client.close({ timeoutMs: Math.min(settings.timeoutMs, CLOSE_TIMEOUT_MS) });
    } catch {
      client.destroy();
    }
  }
}

/** Closing is a courtesy to the server; it may not hold the command up for long. */
const CLOSE_TIMEOUT_MS = 2_000;

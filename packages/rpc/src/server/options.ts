// SPDX-License-Identifier: Apache-2.0
import { InvalidArgumentError, type Runtime } from "@meerkat/runtime";
import type { DuplicatePolicy } from "../protocol/seed/arguments.ts";
import { type SeedLimits, seedLimitDefaults } from "../protocol/seed/format.ts";
import type { ServiceImplementation } from "./implement.ts";

/**
 * What to do with a call of a method that does not exist: reply an error, which every client understands;
 * consume it without a reply, as the seed's server means to; or close the connection.
 */
export type UnknownMethodPolicy = "error" | "ignore" | "close";

/** Limits and policies of a server. */
export interface RpcServerSettings extends SeedLimits {
  /** Connections at a time; further ones are closed as they come. Default 10,000. */
  readonly connectionsMax: number;
  /** Handlers running at a time over all connections; further calls wait their turn. Default 1,024. */
  readonly inFlightMax: number;
  /** Bytes of pipelined requests that one connection may have waiting before it is no longer read. Default 64 KiB. */
  readonly highWaterBytes: number;
  /** Connections without a request for this many milliseconds are closed. Default 0: never. */
  readonly idleTimeoutMs: number;
  /** Default `error`. */
  readonly onUnknownMethod: UnknownMethodPolicy;
  /** An argument given twice: the `last` counts, as in Python, or an `error` is replied. Default `last`. */
  readonly duplicateArguments: DuplicatePolicy;
}

/** Values of the settings that are left out. */
export const rpcServerDefaults: RpcServerSettings = {
  ...seedLimitDefaults,
  connectionsMax: 10_000,
  inFlightMax: 1_024,
  highWaterBytes: 64 * 1024,
  idleTimeoutMs: 0,
  onUnknownMethod: "error",
  duplicateArguments: "last",
};

/** Options of `RpcServer.listen`. */
export interface RpcServerOptions extends Partial<RpcServerSettings> {
  /** Method names must differ across all services: the seed's wire sends no service name. */
  readonly services: readonly ServiceImplementation[];
  /** Address to bind. Default 127.0.0.1: say `0.0.0.0` or `::` to be reached from other machines. */
  readonly host?: string | undefined;
  /** Default 0: a free port, to be read from `server.port`. */
  readonly port?: number | undefined;
  readonly runtime?: Partial<Runtime> | undefined;
}

const POLICIES: Readonly<Record<string, readonly string[]>> = {
  onUnknownMethod: ["error", "ignore", "close"],
  duplicateArguments: ["last", "error"],
};

/** The settings in `options` over the defaults. Throws one `InvalidArgumentError` that names every fault. */
export function resolveServerSettings(options: RpcServerOptions): RpcServerSettings {
  const settings: Record<string, unknown> = { ...rpcServerDefaults };
  const faults: string[] = [];
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined || ["services", "host", "port", "runtime"].includes(key)) continue;
    const policies = POLICIES[key];
    if (!(key in rpcServerDefaults)) faults.push(`${key} is not an option`);
    else if (policies !== undefined) {
      if (!policies.includes(value)) faults.push(`${key} is none of ${policies.join(", ")}`);
    } else if (!Number.isSafeInteger(value) || (value as number) < (key === "idleTimeoutMs" ? 0 : 1)) {
      faults.push(`${key} is not a positive integer`);
    }
    settings[key] = value;
  }
  if (faults.length > 0) throw new InvalidArgumentError("options", faults.join("; "));
  return settings as unknown as RpcServerSettings;
}

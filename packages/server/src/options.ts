// SPDX-License-Identifier: Apache-2.0
// What an embedded server can be told, and the defaults.
import { InvalidArgumentError, type Runtime, resolveRuntime } from "@meerkat/runtime";
import { defaultLimits, type Limits } from "./net/limits.ts";

/** Options of `EmbeddedServer.start`. */
export interface EmbeddedServerOptions {
  /** Directory of snapshots and logs, in ZooKeeper's format. Either this or `memory`. */
  readonly dataDir?: string | undefined;
  /** Directory of the logs; `dataDir` when left out. */
  readonly dataLogDir?: string | undefined;
  /** Keep everything in memory only: it is gone when the server closes. */
  readonly memory?: boolean | undefined;
  /** Address to bind. Default 127.0.0.1. */
  readonly host?: string | undefined;
  /** Default 0: a free port. */
  readonly port?: number | undefined;
  /** Unit of session timeouts and of expiry, ms. Default 3000, as in ZooKeeper. */
  readonly tickTimeMs?: number | undefined;
  /** Shortest session timeout, ms. Default 2 ticks. */
  readonly minSessionTimeoutMs?: number | undefined;
  /** Longest session timeout, ms. Default 20 ticks. */
  readonly maxSessionTimeoutMs?: number | undefined;
  /** TTL znodes may be made. Default true; ZooKeeper's `extendedTypesEnabled` is false by default. */
  readonly extendedTypes?: boolean | undefined;
  /** Hard quotas are enforced. Default false, as in ZooKeeper. */
  readonly enforceQuota?: boolean | undefined;
  /** No permission is checked. Default false. */
  readonly skipAcl?: boolean | undefined;
  /** `super:<digest>`: whoever proves that digest may do everything. */
  readonly superDigest?: string | undefined;
  /** See `Limits`. */
  readonly limits?: Partial<Limits> | undefined;
  readonly runtime?: Partial<Runtime> | undefined;
}

/** The options with every default filled in. */
export interface ResolvedServerOptions {
  readonly dataDir: string | undefined;
  readonly dataLogDir: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly tickTimeMs: number;
  readonly minSessionTimeoutMs: number;
  readonly maxSessionTimeoutMs: number;
  readonly extendedTypes: boolean;
  readonly enforceQuota: boolean;
  readonly skipAcl: boolean;
  readonly superDigest: string | undefined;
  readonly limits: Limits;
  readonly runtime: Runtime;
}

function assertPositive(argument: string, value: number): void {
  if (!Number.isFinite(value) || value <= 0) {
    throw new InvalidArgumentError(
      argument,
      `${argument} must be a positive number of milliseconds, not ${value}`,
    );
  }
}

/** Fills in defaults; throws `InvalidArgumentError` for what cannot be. */
export function resolveServerOptions(options: EmbeddedServerOptions): ResolvedServerOptions {
  if ((options.dataDir === undefined) !== (options.memory === true)) {
    throw new InvalidArgumentError("dataDir", "give either dataDir: a directory, or memory: true");
  }
  const tickTimeMs = options.tickTimeMs ?? 3000;
  assertPositive("tickTimeMs", tickTimeMs);
  const minSessionTimeoutMs = options.minSessionTimeoutMs ?? 2 * tickTimeMs;
  const maxSessionTimeoutMs = options.maxSessionTimeoutMs ?? 20 * tickTimeMs;
  assertPositive("minSessionTimeoutMs", minSessionTimeoutMs);
  if (maxSessionTimeoutMs < minSessionTimeoutMs) {
    throw new InvalidArgumentError(
      "maxSessionTimeoutMs",
      `maxSessionTimeoutMs (${maxSessionTimeoutMs}) must not be below minSessionTimeoutMs (${minSessionTimeoutMs})`,
    );
  }
  return {
    dataDir: options.dataDir,
    dataLogDir: options.dataLogDir,
    host: options.host ?? "127.0.0.1",
    port: options.port ?? 0,
    tickTimeMs,
    minSessionTimeoutMs,
    maxSessionTimeoutMs,
    extendedTypes: options.extendedTypes ?? true,
    enforceQuota: options.enforceQuota ?? false,
    skipAcl: options.skipAcl ?? false,
    superDigest: options.superDigest,
    limits: { ...defaultLimits, ...options.limits },
    runtime: resolveRuntime(options.runtime),
  };
}

// SPDX-License-Identifier: Apache-2.0
// What an embedded server can be told, and the defaults.
import {
  type FileStore,
  InvalidArgumentError,
  type Runtime,
  resolveRuntime,
  type TlsServerOptions,
} from "@meerkat/runtime";
import type { GuardOptions } from "./admin/guarded-commands.ts";
import type { PurgeOptions } from "./log/index.ts";
import { defaultLimits, type Limits } from "./net/limits.ts";
import { defaultReaperOptions, type ReaperOptions } from "./requests/reaper.ts";

/** A second listener that speaks TLS. */
export interface SecureListenerOptions extends TlsServerOptions {
  /** Default: the plain listener's. */
  readonly host?: string | undefined;
  /** Default 0: a free port. */
  readonly port?: number | undefined;
}

/** An HTTP listener. */
export interface HttpListenerOptions {
  /** Default 127.0.0.1: neither commands nor metrics ask who is there. */
  readonly host?: string | undefined;
  /** Default 0: a free port. */
  readonly port?: number | undefined;
}

/** The listener of HTTP commands. */
export interface AdminOptions extends HttpListenerOptions, GuardOptions {}

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
  /** Length of the kernel's accept queue. Default 511. */
  readonly backlog?: number | undefined;
  /** A TLS listener beside the plain one. */
  readonly tls?: SecureListenerOptions | undefined;
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
  /** A reconfig is answered with "unimplemented" instead of "disabled". Default false. */
  readonly reconfigEnabled?: boolean | undefined;
  /** `super:<digest>`: whoever proves that digest may do everything. */
  readonly superDigest?: string | undefined;
  /** Hash of the digest scheme, such as `sha256`. Default `sha1`. */
  readonly digestAlgorithm?: string | undefined;
  /** Subject (RFC 2253) of the client certificate whose owner may do everything. */
  readonly x509SuperUser?: string | undefined;
  /** Users of SASL DIGEST-MD5 and their passwords. Left out, SASL is refused. */
  readonly saslUsers?: Readonly<Record<string, string>> | undefined;
  /** SASL users who may do everything. */
  readonly saslSuperUsers?: readonly string[] | undefined;
  /** Schemes one of which a connection must have proved before any other request (`enforce.auth.schemes`). */
  readonly requiredAuthSchemes?: readonly string[] | undefined;
  /** Four-letter words that are answered, or `*` for all. `srvr` always is. Default only that. */
  readonly fourLetterWords?: readonly string[] | "*" | undefined;
  /** The AdminServer's HTTP commands. Default off. */
  readonly admin?: AdminOptions | undefined;
  /** Metrics in Prometheus' text format at /metrics. Default off. */
  readonly metrics?: HttpListenerOptions | undefined;
  /** Transactions between snapshots. Default 100,000. */
  readonly snapCount?: number | undefined;
  /** KiB of log between snapshots. Default 4,194,304. */
  readonly snapSizeLimitKb?: number | undefined;
  /** KiB by which log files are extended. Default 65,536. */
  readonly preAllocKb?: number | undefined;
  /** False acknowledges writes before they are on the disk. Default true. */
  readonly forceSync?: boolean | undefined;
  /** Syncs of the transaction log that take longer are named in the log, ms. Default 1000. */
  readonly slowSyncMs?: number | undefined;
  /** Remove old snapshots and logs. Default never. */
  readonly purge?: PurgeOptions | undefined;
  /** The disk; the system's by default. */
  readonly files?: FileStore | undefined;
  /** Start on logs without any snapshot. Default false. */
  readonly trustEmptySnapshot?: boolean | undefined;
  /** Deletion of empty containers and outdated TTL znodes. */
  readonly reaper?: Partial<ReaperOptions> | undefined;
  /** See `Limits`. */
  readonly limits?: Partial<Limits> | undefined;
  readonly runtime?: Partial<Runtime> | undefined;
}

/** The options with defaults filled in where other code would have to know them. */
export interface ResolvedServerOptions extends EmbeddedServerOptions {
  readonly host: string;
  readonly port: number;
  readonly tickTimeMs: number;
  readonly minSessionTimeoutMs: number;
  readonly maxSessionTimeoutMs: number;
  readonly reaper: ReaperOptions;
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
    ...options,
    host: options.host ?? "127.0.0.1",
    port: options.port ?? 0,
    tickTimeMs,
    minSessionTimeoutMs,
    maxSessionTimeoutMs,
    reaper: { ...defaultReaperOptions, ...options.reaper },
    limits: { ...defaultLimits, ...options.limits },
    runtime: resolveRuntime(options.runtime),
  };
}

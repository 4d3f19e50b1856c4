// SPDX-License-Identifier: Apache-2.0
// zoo.cfg: from ZooKeeper's keys to our options. Every key that means something for a standalone server is
// read; keys of ensembles are refused; the rest is named in warnings, so that a typo is seen.
import { readFile } from "node:fs/promises";
import type { ConnectThrottleOptions } from "../net/connect-throttle.ts";
import { defaultLimits } from "../net/limits.ts";
import type { AdminOptions, EmbeddedServerOptions, HttpListenerOptions } from "../options.ts";
import { ConfigError } from "./config-error.ts";
import { parseJaasUsers } from "./jaas.ts";
import { Keys, plainKey } from "./keys.ts";
import { ENSEMBLE_KEYS, HONOURED_KEYS, IGNORED_KEYS, REFUSED_WHEN_TRUE, WARNED_KEYS } from "./known-keys.ts";
import { parseProperties } from "./properties.ts";
import { type ReadConfigFile, readOrExplain } from "./read-file.ts";
import { tlsOptions } from "./tls-config.ts";

/** What a configuration comes to. */
export interface ServerConfig {
  readonly options: EmbeddedServerOptions;
  /** Sentences about keys that are ignored. */
  readonly warnings: readonly string[];
}

/** Refuses what cannot be had here; gives a warning for what is ignored and may be missed, and for unknown keys. */
function warningsAbout(properties: ReadonlyMap<string, string>): string[] {
  const warnings: string[] = [];
  for (const [name, value] of properties) {
    const key = plainKey(name);
    if (ENSEMBLE_KEYS.test(key)) {
      throw new ConfigError(
        "ENSEMBLE",
        key,
        `${key} configures an ensemble; this server runs alone. Remove the key, or run Apache ZooKeeper`,
      );
    }
    const unmet = Object.hasOwn(REFUSED_WHEN_TRUE, key) ? REFUSED_WHEN_TRUE[key] : undefined;
    if (unmet !== undefined && value.toLowerCase() === "true") {
      throw new ConfigError("INVALID_VALUE", key, `${key}=true cannot be had: ${unmet}; remove the key`);
    }
    const warning = Object.hasOwn(WARNED_KEYS, key) ? WARNED_KEYS[key] : undefined;
    if (warning !== undefined) warnings.push(`${name} is ignored: ${warning}`);
    else if (unmet === undefined && !isKnown(key)) {
      warnings.push(`${name} is not known to this server and is ignored`);
    }
  }
  return warnings;
}

function isKnown(key: string): boolean {
  return HONOURED_KEYS.has(key) || IGNORED_KEYS.has(key) || /^(superUser|authProvider)\./.test(key);
}

/** Authentication plug-ins of ZooKeeper's own are built in; others would be Java code. */
function checkAuthProviders(keys: Keys): void {
  for (const name of keys.family("authProvider")) {
    if (/^(org\.apache\.zookeeper\.server\.auth\.)?(SASL|X509|Digest|IP)AuthenticationProvider$/.test(name))
      continue;
    throw new ConfigError("INVALID_VALUE", "authProvider", `authProvider ${name} is not part of this server`);
  }
}

function digestAlgorithm(keys: Keys): string | undefined {
  return keys
    .text("DigestAuthenticationProvider.digestAlg")
    ?.toLowerCase()
    .replace(/^sha-(?=\d)/, "sha");
}

/** Hours, or a number with a unit as newer versions take it. */
function purgeIntervalMs(keys: Keys): number {
  const value = keys.text("autopurge.purgeInterval") ?? "0";
  const match = /^(\d+)\s*([smhd]?)$/.exec(value);
  if (match === null) {
    throw new ConfigError(
      "INVALID_VALUE",
      "autopurge.purgeInterval",
      `autopurge.purgeInterval=${value} must be hours`,
    );
  }
  const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, "": 3_600_000 }[match[2] ?? ""] as number;
  return Number(match[1]) * unitMs;
}

function fourLetterWords(keys: Keys): string[] | "*" {
  const list = (keys.text("4lw.commands.whitelist") ?? "").split(",").map((word) => word.trim());
  return list.includes("*") ? "*" : list.filter((word) => word !== "");
}

function adminOptions(keys: Keys): AdminOptions | undefined {
  const enabled = keys.flag("admin.enableServer") ?? true;
  const host = keys.text("admin.serverAddress");
  const port = keys.integer("admin.serverPort") ?? 8080;
  return enabled
    ? {
        host,
        port,
        snapshotEnabled: keys.flag("admin.snapshot.enabled"),
        restoreEnabled: keys.flag("admin.restore.enabled"),
        commandIntervalMs: keys.integer("admin.rateLimiterIntervalInMS"),
      }
    : undefined;
}

function metricsOptions(keys: Keys): HttpListenerOptions | undefined {
  const port = keys.integer("metricsProvider.httpPort");
  const host = keys.text("metricsProvider.httpHost");
  return port === undefined ? undefined : { host, port };
}

async function saslUsers(keys: Keys, read: ReadConfigFile): Promise<Record<string, string> | undefined> {
  const path = keys.text("java.security.auth.login.config");
  if (path === undefined) return undefined;
  const users = parseJaasUsers(
    (await readOrExplain(read, "java.security.auth.login.config", path)).toString(),
  );
  if (Object.keys(users).length > 0) return users;
  throw new ConfigError(
    "INVALID_VALUE",
    "java.security.auth.login.config",
    `${path} has no user_NAME="password" in a Server section`,
  );
}

function requiredSchemes(keys: Keys): string[] | undefined {
  const schemes = (keys.text("enforce.auth.schemes") ?? "").split(",").map((scheme) => scheme.trim());
  const enabled = keys.flag("enforce.auth.enabled") ?? false;
  const requireSasl = keys.flag("sessionRequireClientSASLAuth") ?? false;
  if (enabled) return schemes.filter((scheme) => scheme !== "");
  return requireSasl ? ["sasl"] : undefined;
}

/** Handshakes per time; undefined without a number of tokens. */
function connectThrottle(keys: Keys): ConnectThrottleOptions | undefined {
  const tokens = keys.positive("connection_throttle_tokens");
  const fillIntervalMs = keys.positive("connection_throttle_fill_time") ?? 1;
  const fillCount = keys.positive("connection_throttle_fill_count") ?? 1;
  const isWeighted = keys.flag("connection_throttle_weight_enabled") ?? false;
  const newWeight = keys.positive("connection_throttle_global_session_weight") ?? 3;
  const renewedWeight = keys.positive("connection_throttle_renew_session_weight") ?? 2;
  if (tokens === undefined) return undefined;
  return {
    tokens,
    fillIntervalMs,
    fillCount,
    newSessionTokens: isWeighted ? newWeight : 1,
    renewedSessionTokens: isWeighted ? renewedWeight : 1,
  };
}

function limitOptions(keys: Keys): EmbeddedServerOptions["limits"] {
  const frameBytesMax = keys.positive("jute.maxbuffer");
  // Both bound the requests in process; ours are in process while they wait for the disk.
  const outstanding = [
    keys.positive("globalOutstandingLimit") ?? defaultLimits.outstandingMax,
    keys.positive("request_throttle_max_requests") ?? Number.POSITIVE_INFINITY,
  ];
  const sessionlessMs = keys.positive("nio.sessionlessCnxnTimeout");
  const largeRequestBytes = keys.positive("largeRequestThreshold");
  const largeRequestsBytesMax = keys.positive("largeRequestMaxBytes");
  return {
    connectionsPerAddressMax: keys.integer("maxClientCnxns") ?? 60,
    connectionsMax: keys.integer("maxCnxns") ?? 0,
    outstandingMax: Math.min(...outstanding),
    connectThrottle: connectThrottle(keys),
    ...(frameBytesMax === undefined ? {} : { frameBytesMax }),
    ...(sessionlessMs === undefined ? {} : { sessionlessMs }),
    ...(largeRequestBytes === undefined ? {} : { largeRequestBytes }),
    ...(largeRequestsBytesMax === undefined ? {} : { largeRequestsBytesMax }),
  };
}

function reaperOptions(keys: Keys): EmbeddedServerOptions["reaper"] {
  const checkIntervalMs = keys.positive("znode.container.checkIntervalMs");
  const perMinuteMax = keys.positive("znode.container.maxPerMinute");
  const neverUsedMs = keys.positive("znode.container.maxNeverUsedIntervalMs");
  return {
    ...(checkIntervalMs === undefined ? {} : { checkIntervalMs }),
    ...(perMinuteMax === undefined ? {} : { perMinuteMax }),
    ...(neverUsedMs === undefined ? {} : { neverUsedMs }),
  };
}

/**
 * Options of a zoo.cfg's text. `systemProperties` are what users of Java write as `-Dzookeeper.KEY=VALUE`, or
 * `-DKEY=VALUE`; they win over the text. Rejects with `ConfigError` for values that cannot be, for a missing
 * dataDir and for keys of ensembles.
 */
export async function parseZooCfg(
  text: string,
  read: ReadConfigFile = readFile,
  systemProperties: Readonly<Record<string, string>> = {},
): Promise<ServerConfig> {
  const properties = parseProperties(text);
  for (const [name, value] of Object.entries(systemProperties)) {
    const key = plainKey(name);
    properties.delete(`zookeeper.${key}`);
    properties.set(key, value);
  }
  const warnings = warningsAbout(properties);
  const keys = new Keys(properties);
  checkAuthProviders(keys);
  const dataDir = keys.text("dataDir");
  if (dataDir === undefined || dataDir === "") {
    throw new ConfigError(
      "MISSING_KEY",
      "dataDir",
      "dataDir is missing: name the directory to keep the state in",
    );
  }
  const intervalMs = purgeIntervalMs(keys);
  const retainCount = Math.max(keys.integer("autopurge.snapRetainCount") ?? 3, 3);
  const skipAcl = keys.flag("skipACL");
  const options: EmbeddedServerOptions = {
    dataDir,
    dataLogDir: keys.text("dataLogDir"),
    host: keys.text("clientPortAddress") ?? "0.0.0.0",
    port: keys.integer("clientPort") ?? 2181,
    backlog: keys.positive("clientPortListenBacklog"),
    tls: await tlsOptions(keys, read),
    tickTimeMs: keys.positive("tickTime"),
    minSessionTimeoutMs: keys.positive("minSessionTimeout"),
    maxSessionTimeoutMs: keys.positive("maxSessionTimeout"),
    extendedTypes: keys.flag("extendedTypesEnabled") ?? false,
    enforceQuota: keys.flag("enforceQuota"),
    skipAcl,
    reconfigEnabled: keys.flag("reconfigEnabled"),
    superDigest: keys.text("DigestAuthenticationProvider.superDigest"),
    digestAlgorithm: digestAlgorithm(keys),
    x509SuperUser: keys.text("X509AuthenticationProvider.superUser"),
    saslUsers: await saslUsers(keys, read),
    saslSuperUsers: keys.family("superUser"),
    requiredAuthSchemes: requiredSchemes(keys),
    fourLetterWords: fourLetterWords(keys),
    admin: adminOptions(keys),
    metrics: metricsOptions(keys),
    snapCount: keys.positive("snapCount"),
    snapSizeLimitKb: keys.integer("snapSizeLimitInKb"),
    preAllocKb: keys.positive("preAllocSize"),
    forceSync: keys.flag("forceSync"),
    slowSyncMs: keys.integer("fsync.warningthresholdms"),
    purge: intervalMs > 0 ? { retainCount, intervalMs } : undefined,
    trustEmptySnapshot: keys.flag("snapshot.trust.empty"),
    reaper: reaperOptions(keys),
    limits: limitOptions(keys),
  };
  return { options, warnings };
}

/** Reads a zoo.cfg from a file. Rejects with `ConfigError`. */
export async function loadServerConfig(path: string): Promise<ServerConfig> {
  return parseZooCfg((await readOrExplain(readFile, "zoo.cfg", path)).toString());
}

// SPDX-License-Identifier: Apache-2.0
// zoo.cfg: from ZooKeeper's keys to our options. Every key that means something for a standalone server is
// read; keys of ensembles are refused; the rest is named in warnings, so that a typo is seen.
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import type { EmbeddedServerOptions, HttpListenerOptions, SecureListenerOptions } from "../options.ts";
import { ConfigError } from "./config-error.ts";
import { parseJaasUsers } from "./jaas.ts";
import { parseProperties } from "./properties.ts";

/** What a configuration comes to. */
export interface ServerConfig {
  readonly options: EmbeddedServerOptions;
  /** Sentences about keys that are ignored. */
  readonly warnings: readonly string[];
}

/** Files that a configuration names are read through this; relative paths are the reader's business. */
export type ReadConfigFile = (path: string) => Promise<Buffer>;

/** Keys that only mean something in an ensemble, or to Java. Known, so not warned about. */
const IGNORED_KEYS: ReadonlySet<string> = new Set([
  "initLimit",
  "syncLimit",
  "connectToLearnerMasterLimit",
  "standaloneEnabled",
  "localSessionsEnabled",
  "localSessionsUpgradingEnabled",
  "dynamicConfigFile",
  "serverCnxnFactory",
  "metricsProvider.className",
  "metricsProvider.exportJvmInfo",
  "fsync.warningthresholdms",
  "flushDelay",
  "maxWriteQueuePollTime",
  "maxBatchSize",
  "digest.enabled",
  "maxResponseCacheSize",
  "maxGetChildrenResponseCacheSize",
  "watchManagerName",
  "audit.enable",
  "admin.commandURL",
  "admin.idleTimeout",
  "readonlymode.enabled",
  "closeSessionTxn.enabled",
  "ssl.hostnameVerification",
  "ssl.clientHostnameVerification",
]);

const ENSEMBLE_KEYS =
  /^(server|group|weight)\.\d+$|^(peerType|electionAlg|electionPort|quorumListenOnAllIPs)$/;

/** Reads keys one after the other, remembering which. */
class Keys {
  readonly #properties: ReadonlyMap<string, string>;
  readonly #read = new Set<string>();

  constructor(properties: ReadonlyMap<string, string>) {
    this.#properties = properties;
  }

  /** A key's text, also under its name as a system property. */
  text(key: string): string | undefined {
    for (const name of [key, `zookeeper.${key}`]) {
      this.#read.add(name);
      const value = this.#properties.get(name);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  integer(key: string): number | undefined {
    const value = this.text(key);
    if (value === undefined) return undefined;
    // Java's `Long.decode` and friends also take hex; zoo.cfg files use it for jute.maxbuffer.
    const number = /^-?(0x[0-9a-fA-F]+|\d+)$/.test(value) ? Number(value.replace(/^-/, "")) : Number.NaN;
    if (!Number.isSafeInteger(number)) {
      throw new ConfigError("INVALID_VALUE", key, `${key}=${value} must be a whole number`);
    }
    return value.startsWith("-") ? -number : number;
  }

  /** A count where zero and less mean "not given". */
  positive(key: string): number | undefined {
    const value = this.integer(key);
    return value !== undefined && value > 0 ? value : undefined;
  }

  flag(key: string): boolean | undefined {
    const value = this.text(key)?.toLowerCase();
    if (value === undefined) return undefined;
    if (value === "true" || value === "yes") return true;
    if (value === "false" || value === "no") return false;
    throw new ConfigError("INVALID_VALUE", key, `${key}=${value} must be true or false`);
  }

  /** Values of `prefix`, `prefix.1`, `prefix.anything`. */
  family(prefix: string): string[] {
    const names = [...this.#properties.keys()].filter(
      (name) =>
        name.replace(/^zookeeper\./, "") === prefix ||
        name.replace(/^zookeeper\./, "").startsWith(`${prefix}.`),
    );
    for (const name of names) this.#read.add(name);
    return names.map((name) => this.#properties.get(name) as string);
  }

  unread(): string[] {
    return [...this.#properties.keys()].filter((name) => !this.#read.has(name));
  }
}

function refuseEnsemble(properties: ReadonlyMap<string, string>): void {
  for (const key of properties.keys()) {
    if (!ENSEMBLE_KEYS.test(key)) continue;
    throw new ConfigError(
      "ENSEMBLE",
      key,
      `${key} configures an ensemble; this server runs alone. Remove the key, or run Apache ZooKeeper`,
    );
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

function adminOptions(keys: Keys): HttpListenerOptions | undefined {
  const enabled = keys.flag("admin.enableServer") ?? true;
  const host = keys.text("admin.serverAddress");
  const port = keys.integer("admin.serverPort") ?? 8080;
  return enabled ? { host, port } : undefined;
}

function metricsOptions(keys: Keys): HttpListenerOptions | undefined {
  const port = keys.integer("metricsProvider.httpPort");
  const host = keys.text("metricsProvider.httpHost");
  return port === undefined ? undefined : { host, port };
}

async function passphrase(keys: Keys, name: string, read: ReadConfigFile): Promise<string | undefined> {
  const path = keys.text(`${name}.passwordPath`);
  const inline = keys.text(`${name}.password`);
  return path === undefined
    ? inline
    : (await readOrExplain(read, `${name}.passwordPath`, path)).toString().trim();
}

async function readOrExplain(read: ReadConfigFile, key: string, path: string): Promise<Buffer> {
  try {
    return await read(path);
  } catch (error) {
    throw new ConfigError("UNREADABLE_FILE", key, `${key}=${path} cannot be read`, error);
  }
}

function storeType(keys: Keys, name: string, path: string): "pem" | "pkcs12" {
  const type = (keys.text(`${name}.type`) ?? extname(path).slice(1)).toLowerCase();
  if (type === "pem") return "pem";
  if (["pkcs12", "p12", "pfx"].includes(type)) return "pkcs12";
  throw new ConfigError(
    "INVALID_VALUE",
    `${name}.type`,
    `${name} ${path} is of type ${type}; convert it to PEM or PKCS12 (keytool -importkeystore -deststoretype PKCS12)`,
  );
}

async function tlsOptions(keys: Keys, read: ReadConfigFile): Promise<SecureListenerOptions | undefined> {
  const port = keys.integer("secureClientPort");
  const host = keys.text("secureClientPortAddress");
  const keyPath = keys.text("ssl.keyStore.location");
  const trustPath = keys.text("ssl.trustStore.location");
  const keyPassword = await passphrase(keys, "ssl.keyStore", read);
  await passphrase(keys, "ssl.trustStore", read);
  const clientAuth =
    keys.text("ssl.clientAuth")?.toLowerCase() ?? (trustPath === undefined ? "none" : "need");
  if (port === undefined) return undefined;
  if (keyPath === undefined) {
    throw new ConfigError(
      "MISSING_KEY",
      "ssl.keyStore.location",
      "secureClientPort needs ssl.keyStore.location",
    );
  }
  if (clientAuth !== "none" && clientAuth !== "want" && clientAuth !== "need") {
    throw new ConfigError(
      "INVALID_VALUE",
      "ssl.clientAuth",
      `ssl.clientAuth=${clientAuth} must be none, want or need`,
    );
  }
  const store = await readOrExplain(read, "ssl.keyStore.location", keyPath);
  const identity =
    storeType(keys, "ssl.keyStore", keyPath) === "pem" ? { cert: store, key: store } : { pfx: store };
  if (trustPath !== undefined && storeType(keys, "ssl.trustStore", trustPath) !== "pem") {
    throw new ConfigError(
      "INVALID_VALUE",
      "ssl.trustStore.location",
      `ssl.trustStore.location=${trustPath} must be PEM (keytool -exportcert -rfc)`,
    );
  }
  const ca =
    trustPath === undefined ? undefined : await readOrExplain(read, "ssl.trustStore.location", trustPath);
  return { port, host, ...identity, passphrase: keyPassword, ca, clientAuth };
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

function limitOptions(keys: Keys): EmbeddedServerOptions["limits"] {
  const frameBytesMax = keys.positive("jute.maxbuffer");
  const outstandingMax = keys.positive("globalOutstandingLimit");
  const sessionlessMs = keys.positive("nio.sessionlessCnxnTimeout");
  return {
    connectionsPerAddressMax: keys.integer("maxClientCnxns") ?? 60,
    connectionsMax: keys.integer("maxCnxns") ?? 0,
    ...(frameBytesMax === undefined ? {} : { frameBytesMax }),
    ...(outstandingMax === undefined ? {} : { outstandingMax }),
    ...(sessionlessMs === undefined ? {} : { sessionlessMs }),
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
 * Options of a zoo.cfg's text. Throws (rejects with) `ConfigError` for values that cannot be, for a missing
 * dataDir and for keys of ensembles.
 */
export async function parseZooCfg(text: string, read: ReadConfigFile = readFile): Promise<ServerConfig> {
  const properties = parseProperties(text);
  refuseEnsemble(properties);
  const keys = new Keys(properties);
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
    purge: intervalMs > 0 ? { retainCount, intervalMs } : undefined,
    trustEmptySnapshot: keys.flag("snapshot.trust.empty"),
    reaper: reaperOptions(keys),
    limits: limitOptions(keys),
  };
  keys.family("authProvider");
  const unknown = keys.unread().filter((key) => !IGNORED_KEYS.has(key.replace(/^zookeeper\./, "")));
  return { options, warnings: unknown.map((key) => `${key} is not known to this server and is ignored`) };
}

/** Reads a zoo.cfg from a file. Rejects with `ConfigError`. */
export async function loadServerConfig(path: string): Promise<ServerConfig> {
  return parseZooCfg((await readOrExplain(readFile, "zoo.cfg", path)).toString());
}

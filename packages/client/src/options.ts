// SPDX-License-Identifier: Apache-2.0
// Options of a client: their meaning, defaults and check.
import { InvalidArgumentError, type Runtime, type TlsClientOptions } from "@meerkat/runtime";
import { type Acl, OPEN_ACL } from "@meerkat/wire";
import type { AuthInfo } from "./session/auth-list.ts";
import type { SaslMechanism } from "./session/sasl.ts";
import type { SessionCredentials } from "./session/session-identity.ts";

/** Everything a client can be told. Times in milliseconds. */
export interface ZooKeeperClientOptions {
  /**
   * Servers and, behind them, the path that all paths are relative to: `a:2181,b:2181/app`. IPv6 addresses
   * in brackets; the port is 2181 when left out. (ZooKeeper Java: connectString; Kazoo: hosts.)
   */
  readonly hosts: string;
  /**
   * Session timeout to ask for; the server bounds it (2 to 20 of its ticks), see
   * `client.sessionTimeoutMs`. Default 30,000; 100 or more.
   */
  readonly sessionTimeoutMs?: number | undefined;
  /** Ask for a new session when the old one has expired. Default true. */
  readonly renewSession?: boolean | undefined;
  /** Limit of a request, waiting for a connection included; 0 for none. Default 30,000. */
  readonly requestTimeoutMs?: number | undefined;
  /**
   * Limit of connecting to one address, the first reply included. Default: the session timeout divided by
   * the number of hosts, 1,000 at least. A search begins with 2,000 where that is less, and doubles it after
   * each address that used it up.
   */
  readonly connectTimeoutMs?: number | undefined;
  /** Limit of `close` when connected. Default 5,000. */
  readonly closeTimeoutMs?: number | undefined;
  /**
   * Delay between rounds over the hosts: random up to a bound that doubles from `initialMs` to `maxMs`.
   * Default 50 and 5,000.
   */
  readonly reconnectDelayMs?: { readonly initialMs: number; readonly maxMs: number } | undefined;
  /** Also accept a server that is cut off from the ensemble and takes no writes. Default false. */
  readonly readOnly?: boolean | undefined;
  /** Try the hosts in random order. Default true. */
  readonly shuffleHosts?: boolean | undefined;
  /** Identities, for instance `{ scheme: "digest", auth: "user:password" }`. */
  readonly auth?: readonly AuthInfo[] | undefined;
  /** SASL, for servers that ask for it: `digestMd5({ username, password })`, or a mechanism of your own. */
  readonly sasl?: SaslMechanism | undefined;
  /** Connect with TLS; with `cert` and `key` the client proves itself too. */
  readonly tls?: TlsClientOptions | undefined;
  /** A session to go on with, as `client.handOver()` gave it. */
  readonly session?: SessionCredentials | undefined;
  /** ACL of znodes created without one. Default: everyone may do everything. */
  readonly defaultAcl?: readonly Acl[] | undefined;
  /** Requests sent and not answered before more wait. Default 4,096. */
  readonly inFlightMax?: number | undefined;
  /** Requests that may wait; more are rejected with `QUEUE_FULL`. Default 262,144. */
  readonly waitingMax?: number | undefined;
  /** Longest request in bytes; the servers' `jute.maxbuffer`. Default 1,048,575. */
  readonly requestBytesMax?: number | undefined;
  /** Longest reply in bytes. Lists of children may be far longer than a request. Default 64 MiB. */
  readonly replyBytesMax?: number | undefined;
  /**
   * With 128 or more reads in flight, and no writes, to a server that sends its replies one by one (Apache
   * ZooKeeper does), leave the socket unread for half a millisecond at a time, an eighth of the round trip at
   * most, so that replies come many at once. That takes a third of the processor time for a read; replies
   * and events come about a millisecond later at most. Default true.
   */
  readonly paceReads?: boolean | undefined;
  /** Events that a persistent watch keeps for a slow reader. Default 4,096. */
  readonly watchEventsMax?: number | undefined;
  /** Clock, randomness, network and logger, where they are not the system's. */
  readonly runtime?: Partial<Runtime> | undefined;
}

/** `ZooKeeperClientOptions` with every default filled in. */
export interface ResolvedClientOptions {
  readonly hosts: string;
  readonly sessionTimeoutMs: number;
  readonly renewSession: boolean;
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number | undefined;
  readonly closeTimeoutMs: number;
  readonly reconnectDelayMs: { readonly initialMs: number; readonly maxMs: number };
  readonly readOnly: boolean;
  readonly shuffleHosts: boolean;
  readonly auth: readonly AuthInfo[];
  readonly sasl: SaslMechanism | undefined;
  readonly tls: TlsClientOptions | undefined;
  readonly session: SessionCredentials | undefined;
  readonly defaultAcl: readonly Acl[];
  readonly inFlightMax: number;
  readonly waitingMax: number;
  readonly requestBytesMax: number;
  readonly replyBytesMax: number;
  readonly paceReads: boolean;
  readonly watchEventsMax: number;
  readonly runtime: Partial<Runtime> | undefined;
}

/** Defaults of `ZooKeeperClientOptions`; `hosts` has none. */
export const clientDefaults: Omit<ResolvedClientOptions, "hosts"> = {
  sessionTimeoutMs: 30_000,
  renewSession: true,
  requestTimeoutMs: 30_000,
  connectTimeoutMs: undefined,
  closeTimeoutMs: 5_000,
  reconnectDelayMs: { initialMs: 50, maxMs: 5_000 },
  readOnly: false,
  shuffleHosts: true,
  auth: [],
  sasl: undefined,
  tls: undefined,
  session: undefined,
  defaultAcl: OPEN_ACL,
  inFlightMax: 4_096,
  waitingMax: 262_144,
  requestBytesMax: 1_048_575,
  replyBytesMax: 64 * 1024 * 1024,
  paceReads: true,
  watchEventsMax: 4_096,
  runtime: undefined,
};

/** Least value of each number. */
const numberMin: Partial<Record<keyof ResolvedClientOptions, number>> = {
  sessionTimeoutMs: 100,
  requestTimeoutMs: 0,
  connectTimeoutMs: 1,
  closeTimeoutMs: 0,
  inFlightMax: 1,
  waitingMax: 0,
  requestBytesMax: 64,
  replyBytesMax: 64,
  watchEventsMax: 1,
};

/** Fills in the defaults. Throws one `InvalidArgumentError` that names every fault. */
export function resolveClientOptions(options: ZooKeeperClientOptions | string): ResolvedClientOptions {
  const given: ZooKeeperClientOptions = typeof options === "string" ? { hosts: options } : options;
  const faults: string[] = [];
  const known = new Set<string>(["hosts", ...Object.keys(clientDefaults)]);
  for (const key of Object.keys(given)) if (!known.has(key)) faults.push(`${key} is no option`);
  if (typeof given.hosts !== "string") faults.push("hosts must be a string such as 127.0.0.1:2181");
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const resolved = { ...clientDefaults, ...set } as ResolvedClientOptions;
  for (const [key, min] of Object.entries(numberMin)) {
    const value = resolved[key as keyof ResolvedClientOptions];
    if (value === undefined && key === "connectTimeoutMs") continue;
    if (typeof value !== "number" || !(value >= min)) {
      faults.push(`${key} must be a number of ${min} or more, got ${String(value)}`);
    }
  }
  const { initialMs, maxMs } = resolved.reconnectDelayMs;
  if (!(initialMs > 0 && maxMs >= initialMs)) {
    faults.push("reconnectDelayMs needs initialMs above 0 and maxMs no less than it");
  }
  if (resolved.session !== undefined && resolved.session.password?.length !== 16) {
    faults.push("session needs an id and a password of 16 bytes, as client.handOver() gave them");
  }
  if (faults.length > 0) throw new InvalidArgumentError("options", `client options: ${faults.join("; ")}`);
  return resolved;
}

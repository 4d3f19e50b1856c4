// SPDX-License-Identifier: Apache-2.0
// What the server says about itself, gathered once for four-letter words, HTTP commands and metrics alike.
import { join } from "node:path";
import { opCodeName } from "@meerkat/wire";
import type { ServerCore } from "../core.ts";
import { type DirectorySizes, VERSION_DIRECTORY } from "../log/index.ts";
import type { Connection } from "../net/connection.ts";
import { Summary } from "../summary.ts";

/** Version that clients are told: the protocol's level, then our own name. */
export const SERVER_VERSION = "3.9.3-meerkat-0.1.0";

/** `0x` and lower-case hex, as ZooKeeper prints zxids and session ids. */
export function hex(value: number | bigint): string {
  return `0x${(typeof value === "bigint" ? BigInt.asUintN(64, value) : value).toString(16)}`;
}

/** Short names of operations in `cons`: the first four letters of Java's constants. */
export function operationName(type: number): string {
  return opCodeName(type).slice(0, 4).toUpperCase();
}

/** One connection, as `cons` and the HTTP command show it. */
export interface ConnectionStatus {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly queued: number;
  readonly received: number;
  readonly sent: number;
  readonly sessionId: bigint | undefined;
  readonly lastOperation: string;
  readonly establishedWallMs: number;
  readonly timeoutMs: number;
  readonly lastXid: number;
  readonly lastZxid: number;
  readonly lastResponseMs: number;
  readonly lastLatencyMs: number;
  readonly latency: Summary;
}

function statusOf(connection: Connection): ConnectionStatus {
  const session = connection.sessionIfAny;
  return {
    remoteAddress: connection.remoteAddress,
    remotePort: connection.remotePort,
    queued: connection.heldReplies,
    received: connection.received,
    sent: connection.sent,
    sessionId: session?.id,
    lastOperation: operationName(connection.lastOperation),
    establishedWallMs: connection.establishedWallMs,
    timeoutMs: session?.timeoutMs ?? 0,
    lastXid: connection.lastXid,
    lastZxid: connection.lastZxid,
    lastResponseMs: Math.round(connection.lastResponseMs),
    lastLatencyMs: Math.round(connection.lastLatencyMs),
    latency: connection.latency,
  };
}

/** Where the files are; empty in memory mode. */
function versionDirectory(directory: string | undefined): string {
  return directory === undefined ? "" : join(directory, VERSION_DIRECTORY);
}

/** ZooKeeper's default: requests, packets, sessions, warnings. */
const DEFAULT_TRACE_MASK = 306n;

/** Reads the core; changes nothing but the counters that `srst` resets. */
export class ServerStatus {
  readonly core: ServerCore;
  /** Bits that ZooKeeper's tracing looks at. Kept for those who set them; nothing is traced. */
  traceMask: bigint = DEFAULT_TRACE_MASK;
  readonly #address: () => { readonly port: number; readonly securePort: number | undefined };

  constructor(
    core: ServerCore,
    address: () => { readonly port: number; readonly securePort: number | undefined },
  ) {
    this.core = core;
    this.#address = address;
  }

  get isServing(): boolean {
    return this.core.mode !== "not serving";
  }

  connections(): ConnectionStatus[] {
    return [...this.core.acceptor.connections].map(statusOf);
  }

  /** The wall-clock time of a point on the monotonic clock, ms. */
  wallMsAt(nowMs: number): number {
    const { clock } = this.core.options.runtime;
    return clock.wallMs() + nowMs - clock.nowMs();
  }

  resetConnections(): void {
    for (const connection of this.core.acceptor.connections) {
      connection.received = 0;
      connection.sent = 0;
      connection.latency = new Summary();
    }
  }

  /** Apache counts the root twice; so the figure is one more than the number of znodes. */
  get nodeCount(): number {
    return this.core.engine.tree.table.count + 1;
  }

  /** Bytes in the directories; nothing in memory mode. */
  async directorySizes(): Promise<DirectorySizes> {
    return (await this.core.storage?.sizes()) ?? { snapshotBytes: 0, logBytes: 0 };
  }

  /** The keys of `conf`, in its order. */
  configuration(): readonly (readonly [key: string, value: string | number])[] {
    const { options } = this.core;
    const { port, securePort } = this.#address();
    return [
      ["clientPort", port],
      ["secureClientPort", securePort ?? -1],
      ["dataDir", versionDirectory(options.dataDir)],
      ["dataLogDir", versionDirectory(options.dataLogDir ?? options.dataDir)],
      ["tickTime", options.tickTimeMs],
      ["maxClientCnxns", options.limits.connectionsPerAddressMax],
      ["minSessionTimeout", options.minSessionTimeoutMs],
      ["maxSessionTimeout", options.maxSessionTimeoutMs],
      ["clientPortListenBacklog", options.backlog ?? -1],
      ["serverId", 0],
    ];
  }

  /** Ephemeral paths by session. */
  ephemerals(): [session: bigint, paths: string[]][] {
    const { tree } = this.core.engine;
    return [...tree.ephemerals.keys()].map((owner) => [owner, tree.ephemeralPaths(owner)]);
  }

  /** Watches of the data table: paths by session. */
  watchesBySession(): Map<bigint, string[]> {
    const found = new Map<bigint, string[]>();
    for (const [path, watcher] of this.core.engine.tree.watches.data.entries()) {
      const id = (watcher as Connection).sessionIfAny?.id ?? 0n;
      const paths = found.get(id);
      if (paths === undefined) found.set(id, [path]);
      else paths.push(path);
    }
    return found;
  }

  /** The gauges of `mntr`, without their `zk_`. */
  gauges(): readonly (readonly [key: string, value: number])[] {
    const { engine, acceptor, options, startedMs } = this.core;
    const { tree, sessions, counters } = engine;
    let ephemerals = 0;
    for (const rows of tree.ephemerals.values()) ephemerals += rows.size;
    const quotas = [...tree.quotas.all()].flatMap(({ path, limits, count, bytes }) => {
      const namespace = path.slice(1).replaceAll("/", "_");
      return [
        [`${namespace}_quota_count_limit_per_namespace`, limits.count],
        [`${namespace}_quota_count_usage_per_namespace`, count],
        [`${namespace}_quota_bytes_limit_per_namespace`, limits.bytes],
        [`${namespace}_quota_bytes_usage_per_namespace`, bytes],
      ] as const;
    });
    return [
      ["ephemerals_count", ephemerals],
      ["num_alive_connections", acceptor.connections.size],
      ["avg_latency", Number(counters.latencyAverageMs.toFixed(4))],
      ["outstanding_requests", acceptor.outstanding],
      ["znode_count", this.nodeCount],
      ["global_sessions", sessions.size],
      ["local_sessions", 0],
      ["packets_sent", counters.sent],
      ["packets_received", counters.received],
      ["connection_drop_probability", 0],
      ["watch_count", tree.watches.data.size],
      ["auth_failed_count", counters.authFailed],
      ["min_latency", Math.round(counters.latencyMinMs)],
      ["max_latency", Math.round(counters.latencyMaxMs)],
      ["approximate_data_size", tree.table.recordBytes],
      ["uptime", Math.round(options.runtime.clock.nowMs() - startedMs)],
      ...quotas,
    ];
  }

  /** Measured quantities, under ZooKeeper's names; durations in ms. */
  summaries(): readonly (readonly [key: string, summary: Summary])[] {
    const { engine, storage } = this.core;
    const { firedWatches } = engine.counters;
    const metrics = storage?.metrics;
    const entries: (readonly [string, Summary | undefined])[] = [
      ["node_created_watch_count", firedWatches.get(1)],
      ["node_deleted_watch_count", firedWatches.get(2)],
      ["node_changed_watch_count", firedWatches.get(3)],
      ["node_children_watch_count", firedWatches.get(4)],
      ["fsynctime", metrics?.syncMs],
      ["sync_processor_batch_size", metrics?.batchTxns],
      ["snapshottime", metrics?.snapshotMs],
    ];
    return entries.flatMap(([key, summary]) => (summary === undefined ? [] : [[key, summary] as const]));
  }

  /** The summaries as `mntr` shows them: a line for each figure. */
  summaryFigures(): readonly (readonly [key: string, value: number])[] {
    return this.summaries().flatMap(([key, { average, min, max, count, sum }]) => {
      const figures = { avg: Number(average.toFixed(4)), min, max, cnt: count, sum };
      return Object.entries(figures).map(([figure, value]) => [`${figure}_${key}`, value] as const);
    });
  }

  /** What only grows: for `mntr` and the metrics endpoint. */
  counters(): readonly (readonly [key: string, value: number])[] {
    const { counters } = this.core.engine;
    return [
      ["bytes_received_count", counters.bytesReceived],
      ["response_bytes", counters.bytesSent],
      ["connection_request_count", counters.connectionsAccepted],
      ["connection_rejected", counters.connectionsRejected],
      ["connection_drop_count", counters.connectionsDropped],
      ["stale_sessions_expired", counters.expiredSessions],
      ["sessionless_connections_expired", counters.sessionlessExpired],
      ["large_requests_rejected", counters.largeRequestsRejected],
      ...[...counters.operations.entries()]
        .filter(([, count]) => count > 0)
        .map(([type, count]) => [`op_count_${type === 0 ? "other" : opCodeName(type)}`, count] as const),
    ];
  }
}

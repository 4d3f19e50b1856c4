// SPDX-License-Identifier: Apache-2.0
// The AdminServer's commands: GET /commands/NAME answers JSON with ZooKeeper's keys. Most of them ask nobody who
// they are, so it listens on loopback unless told otherwise.
import { GuardedCommands, type GuardOptions } from "./guarded-commands.ts";
import type { HttpHandler, HttpRequest, HttpResponse } from "./http-host.ts";
import { hex, SERVER_VERSION, type ServerStatus } from "./server-status.ts";

type Fields = Readonly<Record<string, unknown>>;
type Command = (status: ServerStatus, request: HttpRequest) => Fields | Promise<Fields>;

function snakeCase(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function connections(status: ServerStatus): Fields {
  const entries = status.connections().map((entry) => ({
    remote_socket_address: `${entry.remoteAddress}:${entry.remotePort}`,
    interest_ops: 1,
    outstanding_requests: entry.queued,
    packets_received: entry.received,
    packets_sent: entry.sent,
    session_id: Number(entry.sessionId ?? 0n),
    last_operation: entry.lastOperation,
    established: new Date(entry.establishedWallMs).toISOString(),
    session_timeout: entry.timeoutMs,
    last_cxid: entry.lastXid,
    last_zxid: hex(entry.lastZxid),
    last_response_time: entry.lastResponseMs,
    last_latency: entry.lastLatencyMs,
    min_latency: Math.round(entry.latency.min),
    avg_latency: Math.round(entry.latency.average),
    max_latency: Math.round(entry.latency.max),
  }));
  return { connections: entries, secure_connections: [] };
}

/** Sizes of replies are not kept: -1, as in ZooKeeper before its first reply. */
const responseSizes: Fields = { last_buffer_size: -1, min_buffer_size: -1, max_buffer_size: -1 };

async function serverStats(status: ServerStatus): Promise<Fields> {
  const { snapshotBytes, logBytes } = await status.directorySizes();
  const { engine, acceptor, options, startedMs } = status.core;
  const { counters } = engine;
  return {
    version: SERVER_VERSION,
    read_only: status.core.mode !== "standalone",
    server_stats: {
      packets_sent: counters.sent,
      packets_received: counters.received,
      fsync_threshold_exceed_count: status.core.storage?.metrics?.slowSyncs ?? 0,
      auth_failed_count: counters.authFailed,
      max_latency: Math.round(counters.latencyMaxMs),
      min_latency: Math.round(counters.latencyMinMs),
      avg_latency: counters.latencyAverageMs,
      outstanding_requests: acceptor.outstanding,
      server_state: status.core.mode,
      num_alive_client_connections: acceptor.connections.size,
      last_processed_zxid: engine.lastZxid,
      data_dir_size: snapshotBytes,
      log_dir_size: logBytes,
      uptime: Math.round(options.runtime.clock.nowMs() - startedMs),
      provider_null: false,
      client_response_stats: responseSizes,
    },
    client_response: responseSizes,
    node_count: status.nodeCount,
  };
}

function watchesByPath(status: ServerStatus): Fields {
  const byPath: Record<string, string[]> = {};
  for (const [id, paths] of status.watchesBySession()) {
    for (const path of paths) {
      byPath[path] ??= [];
      byPath[path].push(hex(id));
    }
  }
  return { path_to_session_ids: byPath };
}

const commands: Readonly<Record<string, Command>> = {
  configuration: (status) =>
    Object.fromEntries(status.configuration().map(([key, value]) => [snakeCase(key), value])),
  connections,
  connection_stat_reset(status) {
    status.resetConnections();
    return {};
  },
  dump: (status) => ({
    expiry_time_to_session_ids: Object.fromEntries(
      [...status.core.engine.sessions.expiries()].map(([atMs, bucket]) => [
        Math.round(atMs),
        [...bucket].map((session) => hex(session.id)),
      ]),
    ),
    session_id_to_ephemeral_paths: Object.fromEntries(
      status.ephemerals().map(([session, paths]) => [hex(session), paths]),
    ),
  }),
  async dirs(status) {
    const { snapshotBytes, logBytes } = await status.directorySizes();
    return { datadir_size: snapshotBytes, logdir_size: logBytes };
  },
  environment: () => ({ "zookeeper.version": SERVER_VERSION, "node.version": process.version }),
  initial_configuration: (status) => ({
    initial_configuration: status
      .configuration()
      .map(([key, value]) => `${key}=${value}\n`)
      .join(""),
  }),
  is_read_only: (status) => ({ read_only: status.core.mode !== "standalone" }),
  last_snapshot: (status) => {
    const last = status.core.storage?.lastSnapshot;
    // Hex without a prefix, as in the file's name.
    return { zxid: (last?.zxid ?? 0).toString(16), timestamp: Math.floor((last?.wallMs ?? 0) / 1000) };
  },
  get_trace_mask: (status) => ({ tracemask: Number(status.traceMask) }),
  set_trace_mask(status, { query }) {
    const mask = query.get("traceMask") ?? "";
    if (!/^-?\d{1,18}$/.test(mask)) throw new Error("setTraceMask requires long traceMask argument");
    status.traceMask = BigInt(mask);
    return { tracemask: Number(status.traceMask) };
  },
  hash: () => ({ digests: [] }),
  leader: () => {
    throw new Error("this server runs alone, so there is no leader");
  },
  observers: () => ({ synced_observers: 0, observers: [] }),
  observer_connection_stat_reset: () => ({}),
  system_properties: () => ({ "node.version": process.version, "os.name": process.platform }),
  voting_view: () => ({ current_config: {} }),
  zabstate: () => ({ voting: false, zabstate: "" }),
  monitor: (status) => ({
    version: SERVER_VERSION,
    server_state: status.core.mode,
    ...Object.fromEntries([...status.gauges(), ...status.counters(), ...status.summaryFigures()]),
  }),
  ruok: () => ({}),
  server_stats: serverStats,
  stat_reset(status) {
    status.core.engine.counters.reset();
    return {};
  },
  stats: async (status) => ({ ...(await serverStats(status)), ...connections(status) }),
  watch_summary(status) {
    const { data } = status.core.engine.tree.watches;
    return { num_connections: data.watcherCount, num_paths: data.pathCount, num_total_watches: data.size };
  },
  watches: (status) => ({
    session_id_to_watched_paths: Object.fromEntries(
      [...status.watchesBySession()].map(([id, paths]) => [hex(id), paths]),
    ),
  }),
  watches_by_path: watchesByPath,
};

const aliases: Readonly<Record<string, string>> = {
  conf: "configuration",
  config: "configuration",
  cons: "connections",
  crst: "connection_stat_reset",
  env: "environment",
  envi: "environment",
  icfg: "initial_configuration",
  isro: "is_read_only",
  lsnp: "last_snapshot",
  lead: "leader",
  mntr: "monitor",
  srvr: "server_stats",
  srst: "stat_reset",
  stat: "stats",
  rest: "restore",
  shed: "shed_connections",
  snap: "snapshot",
  wchs: "watch_summary",
  wchc: "watches",
  wchp: "watches_by_path",
};

/** Commands that also answer while nothing is served. */
const alwaysAnswered: ReadonlySet<string> = new Set(["configuration", "environment", "is_read_only", "ruok"]);

function page(): HttpResponse {
  const items = [...Object.keys(commands), "restore", "shed_connections", "snapshot"]
    .sort()
    .map((name) => `<a href="/commands/${name}">${name}</a><br/>`)
    .join("\n");
  return {
    status: 200,
    contentType: "text/html",
    body: `<!doctype html><title>Commands</title>\n${items}\n`,
  };
}

async function run(status: ServerStatus, request: HttpRequest, name: string): Promise<Fields> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) return { command: name, error: `Unknown command: ${name}` };
  if (!status.isServing && !alwaysAnswered.has(name)) {
    return { command: name, error: "This ZooKeeper instance is not currently serving requests" };
  }
  try {
    return { ...(await command(status, request)), command: name, error: null };
  } catch (error) {
    return { command: name, error: error instanceof Error ? error.message : String(error) };
  }
}

/** Handles `/commands` and `/commands/NAME`. */
export function adminHandler(status: ServerStatus, guard: GuardOptions): HttpHandler {
  const guarded = new GuardedCommands(status, guard);
  return async (request) => {
    if (request.path === "/commands" || request.path === "/commands/") return page();
    if (!request.path.startsWith("/commands/")) {
      return { status: 404, contentType: "text/plain", body: "see /commands\n" };
    }
    const asked = request.path.slice("/commands/".length);
    const name = Object.hasOwn(aliases, asked) ? (aliases[asked] as string) : asked;
    const response = status.isServing ? guarded.run(name, request) : undefined;
    if (response !== undefined) return response;
    const body = `${JSON.stringify(await run(status, request, name), null, 2)}\n`;
    return { status: 200, contentType: "application/json", body };
  };
}

// SPDX-License-Identifier: Apache-2.0
// The four-letter words: a command as the first four bytes of a connection, answered in text.
import os from "node:os";
import { type ConnectionStatus, hex, SERVER_VERSION, type ServerStatus } from "./server-status.ts";

const NOT_SERVING = "This ZooKeeper instance is not currently serving requests";

function lines(entries: readonly string[]): string {
  return entries.map((entry) => `${entry}\n`).join("");
}

function pairs(entries: readonly (readonly [string, string | number])[]): string {
  return lines(entries.map(([key, value]) => `${key}=${value}`));
}

function connectionLine(connection: ConnectionStatus, full: boolean): string {
  const { remoteAddress, remotePort, queued, received, sent, sessionId } = connection;
  const start = ` /${remoteAddress}:${remotePort}[1](queued=${queued},recved=${received},sent=${sent}`;
  if (!full || sessionId === undefined) return `${start})`;
  return (
    `${start},sid=${hex(sessionId)},lop=${connection.lastOperation},est=${connection.establishedWallMs},` +
    `to=${connection.timeoutMs},lcxid=${hex(connection.lastXid >>> 0)})`
  );
}

/** The body of `srvr`, and of `stat` after its clients. */
function summary(status: ServerStatus): string[] {
  const { engine, acceptor } = status.core;
  const { counters } = engine;
  const average = Number(counters.latencyAverageMs.toFixed(4));
  return [
    `Latency min/avg/max: ${Math.round(counters.latencyMinMs)}/${average}/${Math.round(counters.latencyMaxMs)}`,
    `Received: ${counters.received}`,
    `Sent: ${counters.sent}`,
    `Connections: ${acceptor.connections.size}`,
    `Outstanding: ${acceptor.outstanding}`,
    `Zxid: ${hex(engine.lastZxid)}`,
    `Mode: ${status.core.mode}`,
    `Node count: ${status.nodeCount}`,
  ];
}

const versionLine = `Zookeeper version: ${SERVER_VERSION}`;

function dump(status: ServerStatus): string {
  const expiries = status.core.engine.sessions.expiries();
  const sessions = [...expiries.values()].reduce((sum, bucket) => sum + bucket.size, 0);
  const ephemerals = status.ephemerals();
  return lines([
    "SessionTracker dump:",
    `Session Sets (${expiries.size})/(${sessions}):`,
    ...[...expiries].flatMap(([atMs, bucket]) => [
      `${bucket.size} expire at ${Math.round(atMs)}:`,
      ...[...bucket].map((session) => `\t${hex(session.id)}`),
    ]),
    "ephemeral nodes dump:",
    `Sessions with Ephemerals (${ephemerals.length}):`,
    ...ephemerals.flatMap(([session, paths]) => [`${hex(session)}:`, ...paths.map((path) => `\t${path}`)]),
    "Connections dump:",
    ...status.connections().map((connection) => connectionLine(connection, false)),
  ]);
}

function environment(): string {
  return lines([
    "Environment:",
    `zookeeper.version=${SERVER_VERSION}`,
    `host.name=${os.hostname()}`,
    `node.version=${process.version}`,
    `os.name=${os.type()}`,
    `os.arch=${os.arch()}`,
    `os.version=${os.release()}`,
    `user.dir=${process.cwd()}`,
    `os.memory.free=${Math.floor(os.freemem() / 1_048_576)}MB`,
    `os.memory.total=${Math.floor(os.totalmem() / 1_048_576)}MB`,
  ]);
}

function watches(status: ServerStatus, by: "session" | "path"): string {
  if (by === "session") {
    return lines(
      [...status.watchesBySession()].flatMap(([id, paths]) => [hex(id), ...paths.map((path) => `\t${path}`)]),
    );
  }
  const byPath = new Map<string, string[]>();
  for (const [id, paths] of status.watchesBySession()) {
    for (const path of paths) byPath.set(path, [...(byPath.get(path) ?? []), hex(id)]);
  }
  return lines([...byPath].flatMap(([path, ids]) => [path, ...ids.map((id) => `\t${id}`)]));
}

function monitor(status: ServerStatus): string {
  const entries: (readonly [string, string | number])[] = [
    ["version", SERVER_VERSION],
    ["server_state", status.core.mode],
    ...status.gauges(),
    ...status.counters(),
  ];
  return lines(entries.map(([key, value]) => `zk_${key}\t${value}`));
}

type Word = (status: ServerStatus) => string;

/** Words that are answered even while nothing is served. */
const alwaysAnswered: ReadonlySet<string> = new Set(["ruok", "conf", "envi", "gtmk", "isro"]);

const words: Readonly<Record<string, Word>> = {
  ruok: () => "imok",
  isro: (status) => (status.core.mode === "standalone" ? "rw" : "ro"),
  gtmk: () => "306",
  conf: (status) => pairs(status.configuration()),
  envi: environment,
  srvr: (status) => lines([versionLine, ...summary(status)]),
  stat: (status) =>
    lines([
      versionLine,
      "Clients:",
      ...status.connections().map((connection) => connectionLine(connection, false)),
      "",
      ...summary(status),
    ]),
  cons: (status) => lines([...status.connections().map((entry) => connectionLine(entry, true)), ""]),
  crst(status) {
    status.resetConnections();
    return "Connection stats reset.\n";
  },
  srst(status) {
    status.core.engine.counters.reset();
    return "Server stats reset.\n";
  },
  dump,
  wchs(status) {
    const { data } = status.core.engine.tree.watches;
    return lines([
      `${data.watcherCount} connections watching ${data.pathCount} paths`,
      `Total watches:${data.size}`,
    ]);
  },
  wchc: (status) => watches(status, "session"),
  wchp: (status) => watches(status, "path"),
  mntr: monitor,
};

/** The answer to a word; undefined when the four bytes are none, so they are a frame's length. */
export function answerWord(
  status: ServerStatus,
  word: string,
  whitelist: readonly string[] | "*",
): string | undefined {
  const answer = Object.hasOwn(words, word) ? words[word] : undefined;
  if (answer === undefined) return undefined;
  if (word !== "srvr" && whitelist !== "*" && !whitelist.includes(word)) {
    return `${word} is not executed because it is not in the whitelist.\n`;
  }
  if (!status.isServing && !alwaysAnswered.has(word)) return `${NOT_SERVING}\n`;
  return answer(status);
}

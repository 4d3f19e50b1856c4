// SPDX-License-Identifier: Apache-2.0
// The four-letter words: a command as the first four bytes of a connection, answered in text.
import os from "node:os";
import { type ConnectionStatus, hex, SERVER_VERSION, type ServerStatus } from "./server-status.ts";

const WORD_BYTES = 4;
const NOT_SERVING = "This ZooKeeper instance is not currently serving requests";

function lines(entries: readonly string[]): string {
  return entries.map((entry) => `${entry}\n`).join("");
}

function pairs(entries: readonly (readonly [string, string | number])[]): string {
  return lines(entries.map(([key, value]) => `${key}=${value}`));
}

function connectionLine(connection: ConnectionStatus, full: boolean): string {
  const { remoteAddress, remotePort, queued, received, sent, sessionId, latency } = connection;
  const start = ` /${remoteAddress}:${remotePort}[1](queued=${queued},recved=${received},sent=${sent}`;
  if (!full || sessionId === undefined) return `${start})`;
  return (
    `${start},sid=${hex(sessionId)},lop=${connection.lastOperation},est=${connection.establishedWallMs},` +
    `to=${connection.timeoutMs},lcxid=${hex(connection.lastXid >>> 0)},lzxid=${hex(connection.lastZxid)},` +
    `lresp=${connection.lastResponseMs},llat=${connection.lastLatencyMs},minlat=${Math.round(latency.min)},` +
    `avglat=${Math.round(latency.average)},maxlat=${Math.round(latency.max)})`
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

/** As Java prints dates: `Tue Nov 24 07:30:06 UTC 2026`. */
function javaDate(wallMs: number): string {
  const [weekday, day, month, year, time] = new Date(wallMs).toUTCString().replace(",", "").split(" ");
  return `${weekday} ${month} ${day} ${time} UTC ${year}`;
}

function dump(status: ServerStatus): string {
  const expiries = status.core.engine.sessions.expiries();
  const sessions = [...expiries.values()].reduce((sum, bucket) => sum + bucket.size, 0);
  const ephemerals = status.ephemerals();
  return lines([
    "SessionTracker dump:",
    `Session Sets (${expiries.size})/(${sessions}):`,
    ...[...expiries].flatMap(([atMs, bucket]) => [
      `${bucket.size} expire at ${javaDate(status.wallMsAt(atMs))}:`,
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
    ...status.summaryFigures(),
  ];
  return lines(entries.map(([key, value]) => `zk_${key}\t${value}`));
}

type Word = (status: ServerStatus, argument: Buffer) => string | Promise<string>;

/** The word that sets the trace mask is followed by it, as a long. */
const WITH_ARGUMENT = "stmk";
const ARGUMENT_BYTES = 8;

/** `conf`, which shows the size of a directory behind its name. */
async function configuration(status: ServerStatus): Promise<string> {
  const { snapshotBytes, logBytes } = await status.directorySizes();
  return pairs(
    status.configuration().flatMap((entry): (readonly [string, string | number])[] => {
      if (entry[0] === "dataDir") return [entry, ["dataDirSize", snapshotBytes]];
      if (entry[0] === "dataLogDir") return [entry, ["dataLogSize", logBytes]];
      return [entry];
    }),
  );
}

async function directories(status: ServerStatus): Promise<string> {
  const { snapshotBytes, logBytes } = await status.directorySizes();
  return lines([`datadir_size: ${snapshotBytes}`, `logdir_size: ${logBytes}`]);
}

/** Words that are answered even while nothing is served. */
const alwaysAnswered: ReadonlySet<string> = new Set(["ruok", "envi", "gtmk", "stmk", "isro"]);

const words: Readonly<Record<string, Word>> = {
  ruok: () => "imok",
  isro: (status) => (status.core.mode === "standalone" ? "rw" : "ro"),
  gtmk: (status) => String(status.traceMask),
  stmk(status, argument) {
    status.traceMask = argument.readBigInt64BE(0);
    return String(status.traceMask);
  },
  conf: configuration,
  dirs: directories,
  // No digest is kept from transaction to transaction (see docs/reference/server-configuration.md), so there
  // is none to show; ZooKeeper without digests answers the same.
  hash: () => "",
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

/**
 * The answer to the word that `input` begins with: undefined when the four bytes are none, so they are a frame's
 * length; "incomplete" when the word's argument has not arrived yet.
 */
export function answerWord(
  status: ServerStatus,
  input: Buffer,
  whitelist: readonly string[] | "*",
): { readonly text: string | Promise<string> } | "incomplete" | undefined {
  const word = input.toString("latin1", 0, WORD_BYTES);
  const answer = Object.hasOwn(words, word) ? words[word] : undefined;
  if (answer === undefined) return undefined;
  if (word !== "srvr" && whitelist !== "*" && !whitelist.includes(word)) {
    return { text: `${word} is not executed because it is not in the whitelist.\n` };
  }
  const argument = input.subarray(WORD_BYTES);
  if (word === WITH_ARGUMENT && argument.length < ARGUMENT_BYTES) return "incomplete";
  if (!status.isServing && !alwaysAnswered.has(word)) return { text: `${NOT_SERVING}\n` };
  return { text: answer(status, argument) };
}

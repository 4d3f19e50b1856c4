// SPDX-License-Identifier: Apache-2.0
// The examination behind `meerkat doctor`: each server by itself, then what they are together.
import { fourLetterWord, ZooKeeperClient } from "@meerkat/client";
import { errorFrom, randomUuid, systemRuntime } from "@meerkat/runtime";
import { CLI_SESSION_TIMEOUT_MS, type ConnectionSettings } from "../connection.ts";
import { type HostPort, parseHosts } from "../hosts.ts";
import { parseSrvr, type ServerReport } from "./srvr.ts";

/** One finding. */
export interface Check {
  /** The server as `HOST:PORT`, or `ensemble`. */
  readonly subject: string;
  readonly name: "reach" | "version" | "session" | "latency" | "write" | "clock" | "roles" | "chroot";
  readonly status: "ok" | "warning" | "failure";
  readonly detail: string;
  readonly hint?: string | undefined;
}

/** How to examine. */
export interface ExamineOptions {
  /** Whether a znode may be made and removed, for the checks `write` and `clock`. */
  readonly write: boolean;
  readonly signal: AbortSignal;
}

/** Round trips measured for the latency. */
const ROUND_TRIPS = 11;
/** A median round trip above this is worth a word. */
const SLOW_MS = 50;
/** Clocks further apart than this confuse people who compare times. */
const SKEW_MS = 2_000;

/** Whether no check failed; warnings are allowed. */
export function isHealthy(checks: readonly Check[]): boolean {
  return checks.every((check) => check.status !== "failure");
}

/** Examines all servers of the connect string in turn. `onCheck` hears of each finding at once. */
export async function examine(
  settings: ConnectionSettings,
  options: ExamineOptions,
  onCheck: (check: Check) => void,
): Promise<Check[]> {
  const checks: Check[] = [];
  const add = (check: Check): void => {
    checks.push(check);
    onCheck(check);
  };
  const { servers, chroot } = parseHosts(settings.hosts);
  const reports: ServerReport[] = [];
  for (const server of servers) {
    options.signal.throwIfAborted();
    const report = await examineReach(server, settings, add);
    if (report === undefined) continue;
    reports.push(report);
    await examineSession(server, chroot, settings, options, add);
  }
  if (servers.length > 1) examineRoles(servers.length, reports, add);
  return checks;
}

/** Whether the server accepts a connection, and what it says of itself. */
async function examineReach(
  server: HostPort,
  settings: ConnectionSettings,
  add: (check: Check) => void,
): Promise<ServerReport | undefined> {
  const subject = `${server.host}:${server.port}`;
  const { clock } = systemRuntime;
  const startMs = clock.nowMs();
  try {
    const { timeoutMs, tls } = settings;
    const answer = await fourLetterWord("srvr", { ...server, timeoutMs, tls });
    add({ subject, name: "reach", status: "ok", detail: `answers in ${formatMs(clock.nowMs() - startMs)}` });
    const report = parseSrvr(answer);
    if (report === undefined) {
      add({
        subject,
        name: "version",
        status: "warning",
        detail: answer.trim().split("\n")[0]?.slice(0, 200) || "it says nothing about itself",
        hint: "allow the word srvr there: 4lw.commands.whitelist=srvr",
      });
      return { version: undefined, mode: undefined };
    }
    add({
      subject,
      name: "version",
      status: "ok",
      detail: `${report.version ?? "unknown"}, ${report.mode ?? "no mode"}`,
    });
    return report;
  } catch (error) {
    add({
      subject,
      name: "reach",
      status: "failure",
      detail: errorFrom(error).message || "cannot be reached",
      hint: "is the server running, the address right, and no firewall between?",
    });
    return undefined;
  }
}

/** A session on this very server: round trips, and with `write` a znode that comes and goes. */
async function examineSession(
  server: HostPort,
  chroot: string,
  settings: ConnectionSettings,
  options: ExamineOptions,
  add: (check: Check) => void,
): Promise<void> {
  const subject = `${server.host}:${server.port}`;
  const { clock } = systemRuntime;
  const call = { timeoutMs: settings.timeoutMs, signal: options.signal };
  const client = new ZooKeeperClient({
    hosts: `${server.host.includes(":") ? `[${server.host}]` : server.host}:${server.port}`,
    sessionTimeoutMs: CLI_SESSION_TIMEOUT_MS,
    auth: settings.auth,
    tls: settings.tls,
  });
  let name: Check["name"] = "session";
  try {
    const startMs = clock.nowMs();
    await client.connect(call);
    const connectMs = clock.nowMs() - startMs;
    add({
      subject,
      name,
      status: "ok",
      detail: `0x${client.sessionId.toString(16)} in ${formatMs(connectMs)}, timeout ${client.sessionTimeoutMs} ms`,
    });
    name = "latency";
    add(latencyCheck(subject, await measureRoundTrips(client, call)));
    name = "chroot";
    if (chroot !== "") add(await chrootCheck(subject, chroot, client, call));
    name = "write";
    if (options.write) await examineWrite(subject, chroot, client, call, add);
  } catch (error) {
    options.signal.throwIfAborted();
    add({ subject, name, status: "failure", detail: errorFrom(error).message });
  } finally {
    await client.close({ timeoutMs: 1_000 }).catch(() => client.destroy());
  }
}

type Call = { readonly timeoutMs: number; readonly signal: AbortSignal };

async function measureRoundTrips(client: ZooKeeperClient, call: Call): Promise<number[]> {
  const { clock } = systemRuntime;
  const times: number[] = [];
  for (let index = 0; index < ROUND_TRIPS; index++) {
    const startMs = clock.nowMs();
    await client.exists("/", call);
    times.push(clock.nowMs() - startMs);
  }
  return times.sort((left, right) => left - right);
}

function latencyCheck(subject: string, times: readonly number[]): Check {
  const median = times[Math.floor(times.length / 2)] ?? 0;
  const detail = `${formatMs(median)} median, ${formatMs(times.at(-1) ?? 0)} worst of ${times.length} reads`;
  if (median <= SLOW_MS) return { subject, name: "latency", status: "ok", detail };
  return { subject, name: "latency", status: "warning", detail, hint: "the server is far away or busy" };
}

async function chrootCheck(
  subject: string,
  chroot: string,
  client: ZooKeeperClient,
  call: Call,
): Promise<Check> {
  const stat = await client.exists(chroot, call);
  if (stat !== null) return { subject, name: "chroot", status: "ok", detail: `${chroot} exists` };
  return {
    subject,
    name: "chroot",
    status: "warning",
    detail: `${chroot} does not exist`,
    hint: `make it with a connect string without the chroot: meerkat create -p ${chroot}`,
  };
}

async function examineWrite(
  subject: string,
  chroot: string,
  client: ZooKeeperClient,
  call: Call,
  add: (check: Check) => void,
): Promise<void> {
  const { clock, random } = systemRuntime;
  const path = `${chroot}/meerkat-doctor-${randomUuid(random)}`;
  const startMs = clock.nowMs();
  const before = clock.wallMs();
  // Ephemeral, so that it goes with the session should the delete not get through.
  const { stat } = await client.create(path, null, { ...call, mode: "ephemeral" });
  const after = clock.wallMs();
  add({
    subject,
    name: "write",
    status: "ok",
    detail: `a znode made in ${formatMs(clock.nowMs() - startMs)}`,
  });
  await client.delete(path, call);
  const skew = stat.ctimeMs < before ? stat.ctimeMs - before : Math.max(0, stat.ctimeMs - after);
  if (Math.abs(skew) <= SKEW_MS) {
    add({ subject, name: "clock", status: "ok", detail: `within ${SKEW_MS / 1000} s of this machine's` });
    return;
  }
  add({
    subject,
    name: "clock",
    status: "warning",
    detail: `${(Math.abs(skew) / 1000).toFixed(1)} s ${skew < 0 ? "behind" : "ahead of"} this machine's`,
    hint: "let both follow NTP; only times shown to people depend on it",
  });
}

/** Together they must have one leader and, better, one version. */
function examineRoles(
  serverCount: number,
  reports: readonly ServerReport[],
  add: (check: Check) => void,
): void {
  const subject = "ensemble";
  const modes = reports.map((report) => report.mode ?? "unknown");
  const leaders = modes.filter((mode) => mode === "leader").length;
  const detail = `${reports.length} of ${serverCount} servers answer: ${modes.join(", ")}`;
  if (modes.includes("standalone")) {
    add({
      subject,
      name: "roles",
      status: "failure",
      detail,
      hint: "a standalone server is no member of an ensemble: its data is its own",
    });
  } else if (leaders !== 1 && !modes.includes("unknown")) {
    const hint = "the connect string may leave out the leader, or the servers are not one ensemble";
    add({ subject, name: "roles", status: "warning", detail, hint });
  } else {
    add({ subject, name: "roles", status: "ok", detail });
  }
  const versions = new Set(reports.map((report) => report.version));
  if (versions.size > 1) {
    add({ subject, name: "version", status: "warning", detail: `they differ: ${[...versions].join(", ")}` });
  }
}

function formatMs(ms: number): string {
  return `${ms.toFixed(1)} ms`;
}

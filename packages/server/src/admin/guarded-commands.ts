// SPDX-License-Identifier: Apache-2.0
// The HTTP commands that read or change everything: snapshot, restore, shed_connections. Whoever sends them must
// prove an identity that holds every permission on the root, and may do so only so often.
import { Permission } from "@meerkat/wire";
import { type Identity, isAllowed } from "../tree/access.ts";
import { ROOT_ROW } from "../tree/znode-table.ts";
import type { HttpRequest, HttpResponse } from "./http-host.ts";
import { hex, type ServerStatus } from "./server-status.ts";

/** When the commands may be used. */
export interface GuardOptions {
  /** `admin.snapshot.enabled`; default true. */
  readonly snapshotEnabled?: boolean | undefined;
  /** `admin.restore.enabled`; default true. */
  readonly restoreEnabled?: boolean | undefined;
  /** Least time between two uses of one command, ms (`admin.rateLimiterIntervalInMS`); default 300,000. */
  readonly commandIntervalMs?: number | undefined;
}

const COMMAND_INTERVAL_MS = 300_000;
const OCTETS = "application/octet-stream";

/** A command that is refused, with its HTTP status. */
class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Runs the guarded commands. */
export class GuardedCommands {
  readonly #status: ServerStatus;
  readonly #options: GuardOptions;
  readonly #lastUseMs = new Map<string, number>();

  constructor(status: ServerStatus, options: GuardOptions) {
    this.#status = status;
    this.#options = options;
  }

  /** The response to a guarded command; undefined for all others. `name` is free of aliases. */
  run(name: string, request: HttpRequest): Promise<HttpResponse> | undefined {
    switch (name) {
      case "snapshot":
        return answered(name, () => this.#snapshot(request));
      case "restore":
        return answered(name, () => this.#restore(request));
      case "shed_connections":
        return answered(name, () => this.#shed(request));
      default:
        return undefined;
    }
  }

  async #snapshot(request: HttpRequest): Promise<HttpResponse> {
    requireMethod(request, "GET");
    if (this.#options.snapshotEnabled === false) throw new Refusal(503, "snapshot is disabled");
    this.#authorize(request);
    const { storage } = this.#status.core;
    if (storage === undefined) {
      throw new Refusal(503, "there is no data directory to write a snapshot to");
    }
    this.#limitRate("snapshot");
    const { zxid } = await storage.takeSnapshot();
    const { bytes, chunks } = await storage.readSnapshot(zxid);
    const headers = { last_zxid: hex(zxid), snapshot_size: String(bytes) };
    if (request.query.get("streaming") !== "false") {
      return { status: 200, contentType: OCTETS, headers, body: chunks };
    }
    await chunks.return();
    return json(200, { command: "snapshot", error: null, last_zxid: hex(zxid) }, headers);
  }

  async #restore(request: HttpRequest): Promise<HttpResponse> {
    requireMethod(request, "POST");
    if (this.#options.restoreEnabled === false) throw new Refusal(503, "restore is disabled");
    this.#authorize(request);
    if (request.contentType !== OCTETS) throw new Refusal(400, `send the snapshot as ${OCTETS}`);
    this.#limitRate("restore");
    const zxid = await this.#status.core.restore(request.body);
    return json(200, { command: "restore", error: null, last_zxid: hex(zxid) });
  }

  async #shed(request: HttpRequest): Promise<HttpResponse> {
    requireMethod(request, "POST");
    this.#authorize(request);
    const percentage = percentageOf(await textOf(request.body));
    const { acceptor } = this.#status.core;
    const connections = [...acceptor.connections];
    const count = Math.round((connections.length * percentage) / 100);
    for (const connection of connections.slice(0, count)) connection.closeSoon("its connection was shed");
    return json(200, {
      command: "shed_connections",
      error: null,
      percentage_requested: percentage,
      connections_shed_count: count,
    });
  }

  /** Throws unless the `Authorization` header proves an identity with all permissions on the root. */
  #authorize(request: HttpRequest): void {
    const { engine, authenticator } = this.#status.core;
    const [, scheme = "", data = ""] = /^(\w+)\s*(.*)$/s.exec(request.authorization ?? "") ?? [];
    // The address is that of the connection: headers of proxies can be forged.
    const identities: readonly Identity[] | undefined =
      scheme === "ip"
        ? [{ scheme, id: request.remoteAddress }]
        : authenticator.authenticate(scheme, Buffer.from(data));
    if (identities === undefined) {
      engine.counters.authFailed++;
      throw new Refusal(
        401,
        "prove who you are, for example by the header Authorization: digest USER:PASSWORD",
      );
    }
    const { tree } = engine;
    for (const permission of Object.values(Permission)) {
      if (permission === Permission.ALL) continue;
      if (isAllowed(tree.policy, tree.acl(ROOT_ROW), permission, identities)) continue;
      throw new Refusal(403, "this takes every permission on the root znode");
    }
  }

  #limitRate(name: string): void {
    const nowMs = this.#status.core.options.runtime.clock.nowMs();
    const lastMs = this.#lastUseMs.get(name) ?? Number.NEGATIVE_INFINITY;
    const intervalMs = this.#options.commandIntervalMs ?? COMMAND_INTERVAL_MS;
    if (nowMs - lastMs < intervalMs) {
      throw new Refusal(
        429,
        `${name} was used within the last ${intervalMs} ms (admin.rateLimiterIntervalInMS)`,
      );
    }
    this.#lastUseMs.set(name, nowMs);
  }
}

function json(
  status: number,
  fields: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  return { status, contentType: "application/json", headers, body: `${JSON.stringify(fields, null, 2)}\n` };
}

async function answered(command: string, run: () => Promise<HttpResponse>): Promise<HttpResponse> {
  try {
    return await run();
  } catch (error) {
    const status = error instanceof Refusal ? error.status : 500;
    return json(status, { command, error: error instanceof Error ? error.message : String(error) });
  }
}

function requireMethod(request: HttpRequest, method: string): void {
  if (request.method !== method) throw new Refusal(405, `use ${method}`);
}

/** Bytes of a body that is not a snapshot. */
const TEXT_BYTES_MAX = 64 * 1024;

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > TEXT_BYTES_MAX) throw new Refusal(413, "the body is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function percentageOf(text: string): number {
  let percentage: unknown;
  try {
    percentage = (JSON.parse(text) as { percentage?: unknown } | null)?.percentage;
  } catch {
    // Reported below, like a missing figure.
  }
  if (typeof percentage !== "number" || !(percentage >= 0 && percentage <= 100)) {
    throw new Refusal(400, 'send {"percentage": N} with N from 0 to 100');
  }
  return percentage;
}

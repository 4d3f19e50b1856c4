// SPDX-License-Identifier: Apache-2.0
// `meerkat services --watch`: the servers of every service, also of those that appear later.
import type { DirectoryChange } from "@meerkat/governance";
import { systemRuntime } from "@meerkat/runtime";
import { type Io, writeLine } from "../io.ts";
import { writeJsonLine } from "../output/json.ts";
import { isoTime } from "../output/stat-text.ts";
import { serverJson, serverRow, sorted } from "./live-server.ts";
import type { ConnectedRegistry } from "./registry.ts";

/** Prints what changes until the signal. */
export async function followServices(
  connected: ConnectedRegistry,
  service: string | undefined,
  asJson: boolean,
  io: Io,
): Promise<void> {
  await new Follower(connected, asJson, io).run(service);
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

class Follower {
  readonly #connected: ConnectedRegistry;
  readonly #asJson: boolean;
  readonly #io: Io;
  readonly #failing = new AbortController();
  /** Ends the following: the command's signal, or the first failure. */
  readonly #signal: AbortSignal;
  readonly #followed = new Map<string, Promise<void>>();
  #isStale = false;

  constructor(connected: ConnectedRegistry, asJson: boolean, io: Io) {
    this.#connected = connected;
    this.#asJson = asJson;
    this.#io = io;
    this.#signal = AbortSignal.any([io.signal, this.#failing.signal]);
  }

  async run(service: string | undefined): Promise<void> {
    try {
      if (service === undefined) await this.#followAll();
      else await this.#followOne(service);
    } catch (error) {
      // The end by Ctrl-C is the normal end.
      if (!this.#io.signal.aborted) throw this.#failing.signal.aborted ? this.#failing.signal.reason : error;
    } finally {
      this.#failing.abort();
      await Promise.allSettled(this.#followed.values());
    }
  }

  /** Looks for new services whenever the list of them changes. */
  async #followAll(): Promise<void> {
    const { client, registry, call } = this.#connected;
    await using watch = await client.addWatch(registry.servicesRoot, { ...call, signal: this.#signal });
    // The default service is followed also while nobody has registered there yet.
    if (registry.hasDefaultService) this.#follow(registry.rootOf());
    const options = { ...call, withMissingRoots: true };
    for (const { name, root } of await registry.services(options)) this.#follow(root, name);
    for await (const _event of watch) {
      for (const { name, root } of await registry.services(options)) this.#follow(root, name);
    }
  }

  #follow(root: string, name: string = lastPart(root)): void {
    if (this.#followed.has(root)) return;
    const following = this.#followOne(root, name);
    this.#followed.set(root, following);
    following.catch((error: unknown) => this.#failing.abort(error));
  }

  /** `service` is a name or a root. */
  async #followOne(service: string, name: string = lastPart(service)): Promise<void> {
    const { registry, call } = this.#connected;
    await using directory = await registry.directory({ ...call, service });
    for await (const change of directory.changes({ signal: this.#signal })) this.#print(name, change);
  }

  #print(service: string, change: DirectoryChange): void {
    const { stdout, stderr } = this.#io;
    const { colors } = stdout;
    const time = isoTime(systemRuntime.clock.wallMs());
    const signs = { removed: colors.red("-"), changed: colors.yellow("~"), added: colors.green("+") };
    for (const kind of ["removed", "changed", "added"] as const) {
      for (const server of sorted(change[kind].map((endpoint) => ({ service, endpoint })))) {
        if (this.#asJson) writeJsonLine(stdout, { time, change: kind, ...serverJson(server) });
        else writeLine(stdout, `${colors.dim(time)}  ${signs[kind]} ${serverRow(server).join("  ")}`);
      }
    }
    if (change.set.stale === this.#isStale) return;
    this.#isStale = change.set.stale;
    const note = this.#isStale
      ? "ZooKeeper is out of reach: the last good list stands"
      : "the list is current again";
    writeLine(stderr, stderr.colors.yellow(note));
  }
}

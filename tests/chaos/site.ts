// SPDX-License-Identifier: Apache-2.0
// One contender's machine: its client, and the network between it and each server.
import { ZooKeeperClient } from "@meerkat/client";
import { Emitter } from "@meerkat/runtime";
import { expireSession, FaultProxy } from "@meerkat/testkit";
import type { ChaosServers } from "./servers.ts";

/** Short, so that sessions end by themselves in black holes. */
const SESSION_TIMEOUT_MS = 3_000;

/** See the head of this file. */
export class Site implements AsyncDisposable {
  readonly name: string;
  /** A way to each server. */
  readonly proxies: readonly FaultProxy[];
  /** Ids of sessions that were ended at the server: their client cannot know at once. */
  readonly forced: Set<bigint> = new Set();
  /** Told when a session ended or the process "died". */
  readonly disturbances: Emitter<void> = new Emitter((error) => {
    throw error;
  });
  #client: ZooKeeperClient;

  private constructor(name: string, proxies: readonly FaultProxy[]) {
    this.name = name;
    this.proxies = proxies;
    this.#client = this.#open();
  }

  static async open(name: string, servers: ChaosServers): Promise<Site> {
    const proxies = await Promise.all(
      servers.members.map(({ host, port }) => FaultProxy.start({ target: { host, port } })),
    );
    return new Site(name, proxies);
  }

  get client(): ZooKeeperClient {
    return this.#client;
  }

  /** The process dies: its session is left to expire, and a new process starts. */
  crash(): void {
    this.#client.destroy();
    this.#client = this.#open();
    this.disturbances.emit();
  }

  /** Ends the session at the server, behind the client's back. */
  async expire(): Promise<void> {
    const { client } = this;
    if (client.state !== "connected") return;
    this.forced.add(client.sessionId);
    this.disturbances.emit();
    await expireSession(client);
  }

  async heal(): Promise<void> {
    await Promise.all(this.proxies.map((proxy) => proxy.restore()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close({ timeoutMs: 2_000 }).catch(() => {});
    await Promise.all(this.proxies.map((proxy) => proxy.close()));
  }

  #open(): ZooKeeperClient {
    const client = new ZooKeeperClient({
      hosts: this.proxies.map((proxy) => proxy.connectString).join(","),
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      reconnectDelayMs: { initialMs: 20, maxMs: 300 },
    });
    client.onState((state) => {
      if (state !== "connected") return;
      client.session.lost.addEventListener("abort", () => this.disturbances.emit(), { once: true });
    });
    // Requests wait for the connection; what goes wrong with it they tell.
    void client.connect({ timeoutMs: 0 }).catch(() => {});
    return client;
  }
}

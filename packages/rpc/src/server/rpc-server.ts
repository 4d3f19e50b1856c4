// SPDX-License-Identifier: Apache-2.0
// Listens, keeps the connections, and ends them in good order.
import { errorFrom, type Listener, type Runtime, resolveRuntime, sleep, type Timer } from "@meerkat/runtime";
import { RpcError } from "../errors.ts";
import { Dispatcher } from "./dispatcher.ts";
import { type RpcServerOptions, type RpcServerSettings, resolveServerSettings } from "./options.ts";
import { QuietWatch } from "./quiet-watch.ts";
import { SeedServerWire } from "./seed-wire.ts";
import { type ConnectionOwner, ServerConnection } from "./server-connection.ts";
import { type RpcServerStats, zeroStats } from "./stats.ts";

/** How long `RpcServer.close` may take, and when a connection counts as quiet. */
export interface RpcServerCloseOptions {
  /** At most this long; what is left then is destroyed. Default 10,000. */
  readonly graceMs?: number | undefined;
  /**
   * After this long without a new connection none is accepted any more, and after this long without a
   * request a connection is ended. Deregister first: clients stop choosing this server, so that nothing of
   * theirs crosses the end. Default 100.
   */
  readonly quietMs?: number | undefined;
}

/** How often a closing server looks at its connections. */
const DRAIN_TICK_MS = 5;

/** Serves services over TCP to any number of clients. */
export class RpcServer implements AsyncDisposable {
  readonly #runtime: Runtime;
  readonly #settings: RpcServerSettings;
  readonly #stats: RpcServerStats = zeroStats();
  readonly #connections = new Set<ServerConnection>();
  readonly #owner: ConnectionOwner;
  readonly #arrivals: QuietWatch;
  #listener!: Listener;
  #idleTimer: Timer | undefined;
  #listenerClosed: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  private constructor(options: RpcServerOptions) {
    const runtime = resolveRuntime(options.runtime);
    const settings = resolveServerSettings(options);
    const { clock, logger } = runtime;
    const { inFlightMax } = settings;
    const dispatcher = new Dispatcher({
      services: options.services,
      inFlightMax,
      stats: this.#stats,
      logger,
    });
    this.#runtime = runtime;
    this.#settings = settings;
    this.#arrivals = new QuietWatch(clock.nowMs());
    this.#owner = {
      clock,
      wires: [new SeedServerWire(dispatcher, settings, logger)],
      onUnknownWire: () => {
        this.#stats.formatErrors++;
      },
      onClosed: (connection) => {
        this.#connections.delete(connection);
      },
    };
  }

  /**
   * Binds and serves. Rejects with `INVALID_ARGUMENT` for wrong options and with `LISTEN_FAILED` when the
   * address is taken or not of this machine.
   */
  static async listen(options: RpcServerOptions): Promise<RpcServer> {
    const server = new RpcServer(options);
    await server.#bind(options.host ?? "127.0.0.1", options.port ?? 0);
    return server;
  }

  /** The bound address. */
  get host(): string {
    return this.#listener.host;
  }

  /** The bound port. */
  get port(): number {
    return this.#listener.port;
  }

  /** A copy of the counters. */
  get stats(): Readonly<RpcServerStats> {
    return { ...this.#stats, connections: this.#connections.size };
  }

  /**
   * Serves on until no new connections come and those that are there are quiet; then stops accepting and
   * ends each of them. From half of `graceMs` on nothing new is accepted, and a connection is ended after
   * the reply it is waiting for, quiet or not; at `graceMs` whatever is left is destroyed. Never rejects;
   * further calls return the same promise.
   */
  close(options: RpcServerCloseOptions = {}): Promise<void> {
    this.#closed ??= this.#drain(options.graceMs ?? 10_000, options.quietMs ?? 100);
    return this.#closed;
  }

  /** Closes everything at once. Handlers that are running see their signal fire. */
  destroy(error?: Error): void {
    void this.#stopListening();
    for (const connection of [...this.#connections]) connection.socket.destroy(error);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #bind(host: string, port: number): Promise<void> {
    try {
      this.#listener = await this.#runtime.net.listen({ host, port }, (socket) => {
        const connection = new ServerConnection(socket, this.#owner);
        this.#arrivals.touch(this.#runtime.clock.nowMs());
        if (this.#connections.size >= this.#settings.connectionsMax) {
          this.#stats.connectionsRejected++;
          this.#runtime.logger.warn(
            { client: socket.remoteAddress },
            "too many connections: one was refused",
          );
          socket.destroy();
        } else {
          this.#stats.connectionsAccepted++;
          this.#connections.add(connection);
        }
        return connection;
      });
    } catch (thrown) {
      const cause = errorFrom(thrown);
      throw new RpcError(`cannot listen on ${host}:${port}: ${cause.message}`, {
        code: "LISTEN_FAILED",
        effect: "none",
        context: { endpoint: `${host}:${port}` },
        cause,
      });
    }
    this.#watchIdle();
  }

  #stopListening(): Promise<void> {
    this.#idleTimer?.cancel();
    this.#idleTimer = undefined;
    this.#listenerClosed ??= this.#listener.close();
    return this.#listenerClosed;
  }

  async #drain(graceMs: number, quietMs: number): Promise<void> {
    const { clock } = this.#runtime;
    const startedMs = clock.nowMs();
    while (this.#connections.size > 0 || this.#listenerClosed === undefined) {
      const nowMs = clock.nowMs();
      const elapsedMs = nowMs - startedMs;
      if (elapsedMs >= graceMs) this.destroy();
      else this.#drainStep(nowMs, quietMs, elapsedMs >= graceMs / 2);
      await sleep(clock, DRAIN_TICK_MS);
    }
    await this.#listenerClosed;
  }

  #drainStep(nowMs: number, quietMs: number, lastCall: boolean): void {
    // Closing the listener resets connections that the kernel has made but not handed over yet.
    if (this.#arrivals.isQuiet(nowMs, quietMs) || lastCall) void this.#stopListening();
    for (const connection of [...this.#connections]) {
      if (lastCall || (connection.isIdle(nowMs, quietMs) && connection.quiet)) connection.finish();
      // The peer had the time to read the last reply; it is not waited for to close as well.
      if (connection.lingeringMs(nowMs) >= quietMs) connection.socket.destroy();
    }
  }

  /** One timer for all connections: a timer each would cost more than the timeout is worth. */
  #watchIdle(): void {
    const { idleTimeoutMs } = this.#settings;
    if (idleTimeoutMs === 0) return;
    this.#idleTimer = this.#runtime.clock.after(Math.max(idleTimeoutMs / 4, DRAIN_TICK_MS), () => {
      const nowMs = this.#runtime.clock.nowMs();
      for (const connection of [...this.#connections]) {
        if (!connection.isIdle(nowMs, idleTimeoutMs)) continue;
        if (!connection.finishing) this.#stats.connectionsIdleClosed++;
        // Half a request, or an end that the peer does not answer: no reason to wait any longer.
        if (connection.finishing || !connection.quiet) connection.socket.destroy();
        connection.finish();
      }
      this.#watchIdle();
    });
  }
}

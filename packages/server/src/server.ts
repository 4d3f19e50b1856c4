// SPDX-License-Identifier: Apache-2.0
// The embedded server: puts tree, sessions, storage and network together, and takes them apart again.
import type { Listener } from "@meerkat/runtime";
import { deferred } from "@meerkat/runtime";
import { Acceptor } from "./net/acceptor.ts";
import { type EmbeddedServerOptions, type ResolvedServerOptions, resolveServerOptions } from "./options.ts";
import { Authenticator } from "./requests/authenticator.ts";
import { Engine } from "./requests/engine.ts";
import { Processor } from "./requests/processor.ts";

/** How long `close` waits for clients to take their last replies, ms. */
const CLOSE_GRACE_MS = 3000;

/** A ZooKeeper server in this process. Several can run side by side. */
export class EmbeddedServer implements AsyncDisposable {
  /** Address that it is bound to. */
  readonly host: string;
  readonly port: number;
  readonly #options: ResolvedServerOptions;
  readonly #engine: Engine;
  readonly #acceptor: Acceptor;
  readonly #listener: Listener;
  #closing: Promise<void> | undefined;

  private constructor(
    options: ResolvedServerOptions,
    engine: Engine,
    acceptor: Acceptor,
    listener: Listener,
  ) {
    this.#options = options;
    this.#engine = engine;
    this.#acceptor = acceptor;
    this.#listener = listener;
    this.host = listener.host;
    this.port = listener.port;
  }

  /** Recovers the state, binds and serves. Rejects when the options, the directory or the port do not allow it. */
  static async start(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
    const resolved = resolveServerOptions(options);
    const { runtime } = resolved;
    const seed = runtime.random.bytes(4);
    const engine = new Engine({
      clock: runtime.clock,
      logger: runtime.logger,
      tickMs: resolved.tickTimeMs,
      hashSeed: new DataView(seed.buffer, seed.byteOffset).getInt32(0),
      policy: { schemes: new Set(["digest", "ip"]), skipAcl: resolved.skipAcl },
      extendedTypes: resolved.extendedTypes,
      enforceQuota: resolved.enforceQuota,
      reconfigEnabled: false,
      storage: undefined,
    });
    engine.beginTurn();
    const acceptor = new Acceptor({
      engine,
      processor: new Processor(engine, new Authenticator({ superDigest: resolved.superDigest })),
      limits: resolved.limits,
      bounds: { minTimeoutMs: resolved.minSessionTimeoutMs, maxTimeoutMs: resolved.maxSessionTimeoutMs },
      answerWord: (word) => (word === "ruok" ? "imok" : undefined),
      after: (delayMs, callback) => runtime.clock.after(delayMs, callback),
    });
    const listener = await runtime.net.listen({ host: resolved.host, port: resolved.port }, (socket) =>
      acceptor.accept(socket),
    );
    return new EmbeddedServer(resolved, engine, acceptor, listener);
  }

  /** For clients: `host:port`. */
  get connectString(): string {
    return this.host.includes(":") ? `[${this.host}]:${this.port}` : `${this.host}:${this.port}`;
  }

  /** Number of open connections. */
  get connectionCount(): number {
    return this.#acceptor.connections.size;
  }

  /** Stops accepting, sends what is durable, closes connections and files. Sessions live on in the directory. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const { clock } = this.#options.runtime;
    this.#engine.sessions.close();
    this.#acceptor.close();
    const portFree = this.#listener.close();
    const grace = deferred<void>();
    const timer = clock.after(CLOSE_GRACE_MS, () => grace.resolve());
    await Promise.race([portFree, grace.promise]);
    timer.cancel();
    this.#acceptor.destroy();
    await portFree;
  }
}

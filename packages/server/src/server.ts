// SPDX-License-Identifier: Apache-2.0
// The embedded server: the core behind its listeners.
import type { Listener } from "@meerkat/runtime";
import { ServerCore } from "./core.ts";
import { type EmbeddedServerOptions, resolveServerOptions } from "./options.ts";

/** A ZooKeeper server in this process. Several can run side by side. */
export class EmbeddedServer implements AsyncDisposable {
  /** Address that it is bound to. */
  readonly host: string;
  readonly port: number;
  /** Port of the TLS listener, if there is one. */
  readonly securePort: number | undefined;
  readonly #core: ServerCore;
  readonly #listeners: readonly Listener[];
  #closing: Promise<void> | undefined;

  private constructor(core: ServerCore, listeners: readonly [Listener, ...Listener[]]) {
    this.#core = core;
    this.#listeners = listeners;
    this.host = listeners[0].host;
    this.port = listeners[0].port;
    this.securePort = listeners[1]?.port;
  }

  /** Recovers the state, binds and serves. Rejects when the options, the directory or the port do not allow it. */
  static async start(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
    const resolved = resolveServerOptions(options);
    const { host, port, backlog, tls, runtime } = resolved;
    const core = await ServerCore.open(resolved, (_core, word) => (word === "ruok" ? "imok" : undefined));
    const opened: Listener[] = [];
    try {
      const accept = core.acceptor.accept.bind(core.acceptor);
      const plain = await runtime.net.listen({ host, port, backlog }, accept);
      opened.push(plain);
      if (tls !== undefined) {
        const target = { host: tls.host ?? host, port: tls.port ?? 0, backlog, tls };
        opened.push(await runtime.net.listen(target, accept));
      }
      return new EmbeddedServer(core, [plain, ...opened.slice(1)]);
    } catch (error) {
      for (const listener of opened) await listener.close();
      await core.close();
      throw error;
    }
  }

  /** For clients: `host:port`. */
  get connectString(): string {
    return this.host.includes(":") ? `[${this.host}]:${this.port}` : `${this.host}:${this.port}`;
  }

  /** Number of open connections. */
  get connectionCount(): number {
    return this.#core.acceptor.connections.size;
  }

  /** `read-only` after the disk failed; the log says why. */
  get mode(): "standalone" | "read-only" | "not serving" {
    return this.#core.mode;
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
    for (const listener of this.#listeners) await listener.close();
    await this.#core.close();
  }
}

// SPDX-License-Identifier: Apache-2.0
// The embedded server: the core behind its listeners.
import type { Listener } from "@meerkat/runtime";
import { adminHandler } from "./admin/admin-commands.ts";
import { answerWord } from "./admin/four-letter-words.ts";
import type { HttpListener } from "./admin/http-host.ts";
import { nodeHttpHost } from "./admin/node-http-host.ts";
import { metricsHandler } from "./admin/prometheus.ts";
import { ServerStatus } from "./admin/server-status.ts";
import { ServerCore } from "./core.ts";
import { type EmbeddedServerOptions, type ResolvedServerOptions, resolveServerOptions } from "./options.ts";

/** Everything that is bound to a port. */
interface Bound {
  readonly plain: Listener;
  readonly secure: Listener | undefined;
  readonly admin: HttpListener | undefined;
  readonly metrics: HttpListener | undefined;
}

/** A ZooKeeper server in this process. Several can run side by side. */
export class EmbeddedServer implements AsyncDisposable {
  /** Address that it is bound to. */
  readonly host: string;
  readonly port: number;
  /** Port of the TLS listener, if there is one. */
  readonly securePort: number | undefined;
  /** Ports of the HTTP listeners, if there are any. */
  readonly adminPort: number | undefined;
  readonly metricsPort: number | undefined;
  readonly #core: ServerCore;
  readonly #bound: Bound;
  #closing: Promise<void> | undefined;

  private constructor(core: ServerCore, bound: Bound) {
    this.#core = core;
    this.#bound = bound;
    this.host = bound.plain.host;
    this.port = bound.plain.port;
    this.securePort = bound.secure?.port;
    this.adminPort = bound.admin?.port;
    this.metricsPort = bound.metrics?.port;
  }

  /** Recovers the state, binds and serves. Rejects when the options, the directory or the port do not allow it. */
  static async start(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
    const resolved = resolveServerOptions(options);
    // Words may only arrive once the ports are bound, and so after `status` is there.
    const core = await ServerCore.open(resolved, (input) =>
      answerWord(status, input, resolved.fourLetterWords ?? []),
    );
    const ports: { port: number; securePort: number | undefined } = { port: 0, securePort: undefined };
    const status = new ServerStatus(core, () => ports);
    const opened: (Listener | HttpListener)[] = [];
    try {
      const bound = await bind(resolved, core, status, opened);
      ports.port = bound.plain.port;
      ports.securePort = bound.secure?.port;
      return new EmbeddedServer(core, bound);
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
    const { plain, secure, admin, metrics } = this.#bound;
    for (const listener of [plain, secure, admin, metrics]) await listener?.close();
    await this.#core.close();
  }
}

/** Binds all listeners, noting each in `opened` so that a later failure can undo the earlier ones. */
async function bind(
  options: ResolvedServerOptions,
  core: ServerCore,
  status: ServerStatus,
  opened: (Listener | HttpListener)[],
): Promise<Bound> {
  const { host, port, backlog, tls, admin, metrics, runtime } = options;
  const note = <T extends Listener | HttpListener>(listener: T): T => {
    opened.push(listener);
    return listener;
  };
  const accept = core.acceptor.accept.bind(core.acceptor);
  const plain = note(await runtime.net.listen({ host, port, backlog }, accept));
  const secure =
    tls === undefined
      ? undefined
      : note(await runtime.net.listen({ host: tls.host ?? host, port: tls.port ?? 0, backlog, tls }, accept));
  const http = async (
    target: typeof admin,
    handler: ReturnType<typeof adminHandler>,
  ): Promise<HttpListener | undefined> =>
    target === undefined
      ? undefined
      : note(await nodeHttpHost({ host: target.host ?? "127.0.0.1", port: target.port ?? 0 }, handler));
  return {
    plain,
    secure,
    admin: await http(admin, adminHandler(status, admin ?? {})),
    metrics: await http(metrics, metricsHandler(status)),
  };
}

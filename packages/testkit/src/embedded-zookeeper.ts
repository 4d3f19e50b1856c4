// SPDX-License-Identifier: Apache-2.0
// Meerkat's own server for tests: in this process, on a free port, ready in milliseconds.
import { EmbeddedServer } from "@meerkat/server";
import { type ScratchDir, scratchDir } from "./scratch-dir.ts";

/** What to start. */
export interface EmbeddedZooKeeperOptions {
  /** Keep data on disk, so that they outlive `stop` and `start`. Default false: in memory. */
  readonly durable?: boolean | undefined;
  /** Unit of session timeouts; 500 when left out, so sessions may be 1 to 10 seconds long. */
  readonly tickTimeMs?: number | undefined;
  /** Shortest session timeout; 2 ticks when left out. */
  readonly minSessionTimeoutMs?: number | undefined;
  /** Longest session timeout; 20 ticks when left out. */
  readonly maxSessionTimeoutMs?: number | undefined;
}

const TICK_TIME_DEFAULT_MS = 500;

/** A server that can be stopped and started again on its port. */
export class EmbeddedZooKeeper implements AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly #start: (port: number) => Promise<EmbeddedServer>;
  readonly #directory: ScratchDir | undefined;
  #server: EmbeddedServer | undefined;

  /** @internal Use `startEmbeddedZooKeeper`. */
  constructor(
    server: EmbeddedServer,
    start: (port: number) => Promise<EmbeddedServer>,
    directory: ScratchDir | undefined,
  ) {
    this.host = server.host;
    this.port = server.port;
    this.#server = server;
    this.#start = start;
    this.#directory = directory;
  }

  /** `host:port`. */
  get connectString(): string {
    return `${this.host}:${this.port}`;
  }

  /** Stops serving: connections break, sessions and data stay when durable. Idempotent. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.close();
  }

  /** Serves again on the same port; does nothing when it serves. */
  async start(): Promise<void> {
    this.#server ??= await this.#start(this.port);
  }

  /** Stops it and removes its data. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#directory?.remove();
  }
}

/** Starts a server on a free port of 127.0.0.1 that answers all four-letter words. */
export async function startEmbeddedZooKeeper(
  options: EmbeddedZooKeeperOptions = {},
): Promise<EmbeddedZooKeeper> {
  const { durable, tickTimeMs = TICK_TIME_DEFAULT_MS, ...timeouts } = options;
  const directory = durable === true ? await scratchDir() : undefined;
  const store = directory === undefined ? { memory: true } : { dataDir: directory.path };
  const start = (port: number): Promise<EmbeddedServer> =>
    EmbeddedServer.start({ ...store, ...timeouts, tickTimeMs, port, fourLetterWords: "*" });
  return new EmbeddedZooKeeper(await start(0), start, directory);
}

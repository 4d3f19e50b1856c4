// SPDX-License-Identifier: Apache-2.0
// Owns the connections: accepts within the limits, cuts those that never ask for a session, and lets held
// output go when it is durable.
import type { Socket, SocketHandler, Timer } from "@meerkat/runtime";
import type { Engine } from "../requests/engine.ts";
import type { Processor } from "../requests/processor.ts";
import { Connection, type ConnectionHost } from "./connection.ts";
import type { SessionBounds } from "./handshake.ts";
import type { Limits } from "./limits.ts";

/** A socket over a limit: nothing is read from it. */
const refusedHandler: SocketHandler = { onData: () => {}, onClose: () => {} };

/** What an acceptor is made of. */
export interface AcceptorOptions {
  readonly engine: Engine;
  readonly processor: Processor;
  readonly limits: Limits;
  readonly bounds: SessionBounds;
  answerWord(word: string): string | undefined;
  after(delayMs: number, callback: () => void): Timer;
}

/** All connections of a server. */
export class Acceptor implements ConnectionHost {
  readonly engine: Engine;
  readonly processor: Processor;
  readonly limits: Limits;
  readonly bounds: SessionBounds;
  outstanding = 0;
  readonly #options: AcceptorOptions;
  readonly #connections = new Set<Connection>();
  readonly #perAddress = new Map<string, number>();
  /** Connections without a session, oldest first, with the time they must have one by. */
  readonly #sessionless = new Map<Connection, number>();
  readonly #holding = new Set<Connection>();
  #sessionlessTimer: Timer | undefined;
  #closed = false;

  constructor(options: AcceptorOptions) {
    this.engine = options.engine;
    this.processor = options.processor;
    this.limits = options.limits;
    this.bounds = options.bounds;
    this.#options = options;
  }

  get connections(): ReadonlySet<Connection> {
    return this.#connections;
  }

  /** Makes the handler of an accepted socket. */
  accept(socket: Socket): SocketHandler {
    const { counters } = this.engine;
    this.engine.beginTurn();
    const connection = new Connection(this, socket);
    const fromAddress = this.#perAddress.get(connection.remoteAddress) ?? 0;
    const { connectionsMax, connectionsPerAddressMax, sessionlessMs } = this.limits;
    const refusal =
      (this.#closed && "the server is closing") ||
      (connectionsMax > 0 && this.#connections.size >= connectionsMax && `${connectionsMax} are open`) ||
      (connectionsPerAddressMax > 0 &&
        fromAddress >= connectionsPerAddressMax &&
        `${connectionsPerAddressMax} from its address are open`);
    if (refusal !== false) {
      counters.connectionsRejected++;
      const { remoteAddress } = connection;
      this.engine.logger.warn({ remoteAddress }, `refused a connection: ${refusal}`);
      socket.destroy();
      return refusedHandler;
    }
    counters.connectionsAccepted++;
    this.#connections.add(connection);
    this.#perAddress.set(connection.remoteAddress, fromAddress + 1);
    this.#sessionless.set(connection, this.engine.nowMs + sessionlessMs);
    this.#armSessionless();
    return connection;
  }

  answerWord(word: string): string | undefined {
    return this.#options.answerWord(word);
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.#options.after(delayMs, callback);
  }

  onSession(connection: Connection): void {
    this.#sessionless.delete(connection);
  }

  onHeld(connection: Connection): void {
    this.#holding.add(connection);
  }

  onClosed(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    this.#sessionless.delete(connection);
    this.#holding.delete(connection);
    const left = (this.#perAddress.get(connection.remoteAddress) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(connection.remoteAddress);
    else this.#perAddress.set(connection.remoteAddress, left);
  }

  /** More became durable: held output goes out. */
  release(durableZxid: number): void {
    this.engine.beginTurn();
    const { nowMs } = this.engine;
    for (const connection of [...this.#holding]) {
      if (connection.release(durableZxid, nowMs)) this.#holding.delete(connection);
    }
  }

  /** Sends what can be sent and closes all connections. */
  close(): void {
    this.#closed = true;
    this.#sessionlessTimer?.cancel();
    this.#sessionlessTimer = undefined;
    for (const connection of this.#connections) connection.closeSoon("the server closes");
  }

  /** Drops all connections at once. */
  destroy(): void {
    this.close();
    for (const connection of this.#connections) connection.destroy();
  }

  #armSessionless(): void {
    if (this.#sessionlessTimer !== undefined || this.#closed) return;
    const [oldest] = this.#sessionless.values();
    if (oldest === undefined) return;
    this.#sessionlessTimer = this.#options.after(Math.max(oldest - this.engine.nowMs, 0) + 1, () => {
      this.#sessionlessTimer = undefined;
      this.engine.beginTurn();
      for (const [connection, deadlineMs] of this.#sessionless) {
        if (deadlineMs > this.engine.nowMs) break;
        this.#sessionless.delete(connection);
        this.engine.counters.sessionlessExpired++;
        connection.closeSoon("it asked for no session in time");
      }
      this.#armSessionless();
    });
  }
}

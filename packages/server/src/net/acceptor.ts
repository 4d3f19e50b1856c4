// SPDX-License-Identifier: Apache-2.0
// Owns the connections: accepts within the limits, cuts those that never ask for a session, and lets held
// output go when it is durable.
import type { Socket, SocketHandler, Timer } from "@meerkat/runtime";
import type { Engine } from "../requests/engine.ts";
import type { Processor } from "../requests/processor.ts";
import { ConnectThrottle } from "./connect-throttle.ts";
import { type AnswerWord, Connection, type ConnectionHost } from "./connection.ts";
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
  readonly answerWord: AnswerWord;
  after(delayMs: number, callback: () => void): Timer;
  /** Monotonic ms now. */
  readonly nowMs: number;
  /** Subject of the certificate whose owner may do everything. */
  readonly x509SuperUser?: string | undefined;
}

/** How long `close` waits for clients to take their last replies, ms. */
const CLOSE_GRACE_MS = 3000;

/** All connections of a server. */
export class Acceptor implements ConnectionHost {
  readonly engine: Engine;
  readonly processor: Processor;
  readonly limits: Limits;
  readonly bounds: SessionBounds;
  outstanding = 0;
  largeBytes = 0;
  readonly throttle: ConnectThrottle | undefined;
  readonly #options: AcceptorOptions;
  readonly #connections = new Set<Connection>();
  readonly #perAddress = new Map<string, number>();
  /** Connections without a session, oldest first, with the time they must have one by. */
  readonly #sessionless = new Map<Connection, number>();
  readonly #holding = new Set<Connection>();
  #sessionlessTimer: Timer | undefined;
  #state: "accepting" | "suspended" | "closed" = "accepting";
  #onEmpty: (() => void) | undefined;

  constructor(options: AcceptorOptions) {
    this.engine = options.engine;
    this.processor = options.processor;
    this.limits = options.limits;
    this.bounds = options.bounds;
    this.#options = options;
    const { connectThrottle } = options.limits;
    this.throttle =
      connectThrottle === undefined ? undefined : new ConnectThrottle(connectThrottle, options.nowMs);
  }

  /** False while nothing can be served. */
  get isAccepting(): boolean {
    return this.#state === "accepting";
  }

  get x509SuperUser(): string | undefined {
    return this.#options.x509SuperUser;
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
      (this.#state !== "accepting" && `the server is ${this.#state}`) ||
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

  get answerWord(): AnswerWord {
    return this.#options.answerWord;
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
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  /** More became durable: held output goes out. */
  release(durableZxid: number): void {
    this.engine.beginTurn();
    const { nowMs } = this.engine;
    for (const connection of [...this.#holding]) {
      if (connection.release(durableZxid, nowMs)) this.#holding.delete(connection);
    }
  }

  /** Drops all connections, unanswered, and takes no new ones until `resume`. */
  suspend(): void {
    if (this.#state === "accepting") this.#state = "suspended";
    for (const connection of [...this.#connections]) connection.destroy();
    this.#holding.clear();
  }

  resume(): void {
    if (this.#state === "suspended") this.#state = "accepting";
  }

  /** Sends what can be sent, then closes all connections; those that do not take it are dropped. */
  async close(): Promise<void> {
    this.#state = "closed";
    this.#sessionlessTimer?.cancel();
    this.#sessionlessTimer = undefined;
    for (const connection of [...this.#connections]) connection.closeSoon("the server closes");
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    if (this.#connections.size === 0) return;
    const timer = this.#options.after(CLOSE_GRACE_MS, () => {
      for (const connection of [...this.#connections]) connection.destroy();
    });
    await empty;
    timer.cancel();
  }

  #armSessionless(): void {
    if (this.#sessionlessTimer !== undefined || this.#state === "closed") return;
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

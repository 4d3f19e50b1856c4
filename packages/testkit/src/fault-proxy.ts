// SPDX-License-Identifier: Apache-2.0
// A TCP proxy that breaks connections on command.
import net from "node:net";
import { type DirectionFaults, FaultPump, noFaults } from "./fault-pump.ts";
import { freePorts } from "./free-ports.ts";

/** Which way bytes go. */
export type Direction = "toServer" | "toClient";
/** One way or both. */
export type Directions = Direction | "both";

/** Sees the bytes that were handed on, before `corrupt` changes them. */
export type ProxyTap = (connection: ProxyConnection, direction: Direction, bytes: Buffer) => void;

/** Where the proxy leads to, and where it listens. */
export interface FaultProxyOptions {
  readonly target: { readonly host: string; readonly port: number };
  /** Address to listen on; 127.0.0.1 when left out. */
  readonly host?: string | undefined;
  readonly tap?: ProxyTap | undefined;
}

const PORT_TRIES_MAX = 10;

/** One proxied connection: a client's socket and ours to the target. */
export class ProxyConnection {
  /** Counts from 1 in the order of acceptance. */
  readonly id: number;
  /** Port that the client came from. */
  readonly clientPort: number;
  readonly #client: net.Socket;
  readonly #server: net.Socket;
  readonly #pumps: Readonly<Record<Direction, FaultPump>>;
  #bytesToServer = 0;
  #bytesToClient = 0;

  /** @internal */
  constructor(
    id: number,
    sockets: { readonly client: net.Socket; readonly server: net.Socket },
    faults: Readonly<Record<Direction, DirectionFaults>>,
    tap: ProxyTap | undefined,
  ) {
    this.id = id;
    this.#client = sockets.client;
    this.#server = sockets.server;
    this.clientPort = sockets.client.remotePort ?? 0;
    this.#pumps = {
      toServer: new FaultPump(sockets.client, sockets.server, faults.toServer, (bytes) => {
        this.#bytesToServer += bytes.length;
        tap?.(this, "toServer", bytes);
      }),
      toClient: new FaultPump(sockets.server, sockets.client, faults.toClient, (bytes) => {
        this.#bytesToClient += bytes.length;
        tap?.(this, "toClient", bytes);
      }),
    };
    this.#pumps.toClient.start();
    sockets.server.once("connect", () => this.#pumps.toServer.start());
    for (const [socket, peer] of [
      [sockets.client, sockets.server],
      [sockets.server, sockets.client],
    ] as const) {
      // A reset on one side becomes a reset on the other; a clean end travels through the pump.
      socket.on("error", () => this.#reset(peer));
    }
  }

  /** Bytes handed on to the target so far. */
  get bytesToServer(): number {
    return this.#bytesToServer;
  }
  /** Bytes handed on to the client so far. */
  get bytesToClient(): number {
    return this.#bytesToClient;
  }

  /** Resets both sides at once, or with `end` closes them cleanly. */
  cut(how: "reset" | "end" = "reset"): void {
    if (how === "reset") {
      this.#reset(this.#client);
      this.#reset(this.#server);
      return;
    }
    this.halfClose("both");
  }

  /** Ends the stream in a direction (the receiver sees FIN); the other direction goes on. */
  halfClose(directions: Directions): void {
    for (const direction of directionsOf(directions)) this.#pumps[direction].halfClose();
  }

  /** @internal */
  flush(): void {
    this.#pumps.toServer.flush();
    this.#pumps.toClient.flush();
  }

  #reset(socket: net.Socket): void {
    this.#pumps.toServer.stop();
    this.#pumps.toClient.stop();
    // Before it is connected a socket cannot send a reset.
    if (socket.connecting) socket.destroy();
    else socket.resetAndDestroy();
  }
}

function directionsOf(directions: Directions): readonly Direction[] {
  return directions === "both" ? ["toServer", "toClient"] : [directions];
}

/** A proxy in front of one server. Faults hold for open and new connections until `restore`. */
export class FaultProxy implements AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly #tap: ProxyTap | undefined;
  readonly #faults: Readonly<Record<Direction, DirectionFaults>> = {
    toServer: noFaults(),
    toClient: noFaults(),
  };
  readonly #connections = new Set<ProxyConnection>();
  #target: FaultProxyOptions["target"];
  #listener: net.Server | undefined;
  #accepted = 0;

  private constructor(options: FaultProxyOptions, host: string, port: number) {
    this.#target = options.target;
    this.#tap = options.tap;
    this.host = host;
    this.port = port;
  }

  /** Listens on a free port and leads every connection to the target. */
  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    const host = options.host ?? "127.0.0.1";
    for (let tries = 1; ; tries++) {
      // A port outside the range of outgoing connections, so that `restore` finds it free after `refuse`.
      const [port = 0] = await freePorts(1, host);
      const proxy = new FaultProxy(options, host, port);
      try {
        await proxy.#listen();
        return proxy;
      } catch (error) {
        if (tries === PORT_TRIES_MAX) throw error;
      }
    }
  }

  /** `host:port` of the proxy. */
  get connectString(): string {
    return `${this.host}:${this.port}`;
  }

  /** Open connections, oldest first. */
  get connections(): readonly ProxyConnection[] {
    return [...this.#connections];
  }

  /** Connections accepted since the start. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Leads new connections to another server; open ones stay where they are. */
  retarget(target: FaultProxyOptions["target"]): void {
    this.#target = target;
  }

  /** Breaks every open connection with a reset (or a clean end). New ones are still accepted. */
  cut(how: "reset" | "end" = "reset"): void {
    for (const connection of this.#connections) connection.cut(how);
  }

  /** Refuses new connections, as a machine without the server does. Open ones stay. */
  refuse(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    // The port is free at once; `close` calls back only when the last connection is gone.
    listener?.close();
    return Promise.resolve();
  }

  /** Refuses new connections and breaks the open ones: the server is gone. */
  async down(): Promise<void> {
    await this.refuse();
    this.cut();
  }

  /** Hands every chunk on `byMs` later. */
  delay(byMs: number, directions: Directions = "both"): void {
    this.#change(directions, (faults) => {
      faults.delayMs = byMs;
    });
  }

  /**
   * Lets nothing through, without an error for either side; new connections are accepted and go nowhere.
   * `restore` delivers what was held, as TCP does after a partition.
   */
  blackhole(directions: Directions = "both"): void {
    this.#change(directions, (faults) => {
      faults.blackhole = true;
    });
  }

  /** Ends the stream in a direction of every open connection. */
  halfClose(directions: Directions): void {
    for (const connection of this.#connections) connection.halfClose(directions);
  }

  /** Limits the rate in a direction. */
  throttle(bytesPerSecond: number, directions: Directions = "both"): void {
    this.#change(directions, (faults) => {
      faults.bytesPerSecond = bytesPerSecond;
    });
  }

  /** Hands bytes on in pieces of at most this many, each in a write of its own. */
  fragment(pieceBytesMax: number, directions: Directions = "both"): void {
    this.#change(directions, (faults) => {
      faults.pieceBytesMax = pieceBytesMax;
    });
  }

  /** Changes bytes on their way; left out, the lowest bit of every chunk's last byte is flipped. */
  corrupt(directions: Directions, change: (bytes: Buffer) => Buffer = flipLastBit): void {
    this.#change(directions, (faults) => {
      faults.corrupt = change;
    });
  }

  /** Ends all faults and listens again; what was held back moves on. Broken connections stay broken. */
  async restore(): Promise<void> {
    this.#change("both", (faults) => Object.assign(faults, noFaults()));
    if (this.#listener === undefined) await this.#listen();
  }

  /** Breaks everything and frees the port; idempotent. */
  async close(): Promise<void> {
    await this.down();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #change(directions: Directions, change: (faults: DirectionFaults) => void): void {
    for (const direction of directionsOf(directions)) change(this.#faults[direction]);
    for (const connection of this.#connections) connection.flush();
  }

  #listen(): Promise<void> {
    const listener = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) =>
      this.#accept(client),
    );
    return new Promise((resolve, reject) => {
      listener.once("error", reject);
      listener.listen({ host: this.host, port: this.port, backlog: 511 }, () => {
        listener.removeListener("error", reject);
        listener.on("error", () => {});
        this.#listener = listener;
        resolve();
      });
    });
  }

  #accept(client: net.Socket): void {
    const { host, port } = this.#target;
    const server = net.connect({ host, port, allowHalfOpen: true, noDelay: true });
    const connection = new ProxyConnection(++this.#accepted, { client, server }, this.#faults, this.#tap);
    this.#connections.add(connection);
    let open = 2;
    const onClose = (): void => {
      if (--open === 0) this.#connections.delete(connection);
    };
    client.on("close", onClose);
    server.on("close", onClose);
  }
}

function flipLastBit(bytes: Buffer): Buffer {
  const last = bytes.length - 1;
  bytes[last] = (bytes[last] as number) ^ 1;
  return bytes;
}

// SPDX-License-Identifier: Apache-2.0
import type { Clock, Socket, SocketHandler } from "@meerkat/runtime";
import { QuietWatch } from "./quiet-watch.ts";
import type { ServerSession, ServerWire } from "./server-wire.ts";

/** What a connection needs of its server. */
export interface ConnectionOwner {
  readonly clock: Clock;
  readonly wires: readonly ServerWire[];
  onUnknownWire(connection: ServerConnection): void;
  onClosed(connection: ServerConnection): void;
}

/** An accepted socket: finds out its wire by the first byte and passes events on. */
export class ServerConnection implements SocketHandler {
  readonly socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #activity: QuietWatch;
  #session: ServerSession | undefined;
  #finishing = false;
  /** When everything was answered and our direction closed. */
  #finishedMs: number | undefined;

  constructor(socket: Socket, owner: ConnectionOwner) {
    this.socket = socket;
    this.#owner = owner;
    this.#activity = new QuietWatch(owner.clock.nowMs());
  }

  onData(chunk: Buffer): void {
    this.#activity.touch(this.#owner.clock.nowMs());
    if (this.#session === undefined) {
      const firstByte = chunk[0] as number;
      const wire = this.#owner.wires.find((candidate) => candidate.matches(firstByte));
      if (wire === undefined || this.#finishing) {
        if (wire === undefined) this.#owner.onUnknownWire(this);
        this.socket.destroy();
        return;
      }
      this.#session = wire.accept(this.socket);
    }
    this.#session.onData(chunk);
  }

  onDrain(): void {
    this.#session?.onDrain();
  }

  onEnd(): void {
    if (this.#session === undefined) this.socket.end();
    else this.#session.onEnd();
  }

  onClose(): void {
    this.#session?.onClose();
    this.#owner.onClosed(this);
  }

  /** Whether no bytes came and no call was served for `forMs`; see `QuietWatch`. */
  isIdle(nowMs: number, forMs: number): boolean {
    if (this.#session?.busy === true) this.#activity.touch(nowMs);
    return this.#activity.isQuiet(nowMs, forMs);
  }

  /** Nothing received is unanswered. */
  get quiet(): boolean {
    return this.#session?.quiet ?? true;
  }

  get finishing(): boolean {
    return this.#finishing;
  }

  /** Answers the call being served and ends the connection. Idempotent. */
  finish(): void {
    if (this.#finishing) return;
    this.#finishing = true;
    if (this.#session === undefined) this.socket.end();
    else this.#session.finish();
  }

  /** Milliseconds since the last reply was handed over and our direction closed; 0 until then. */
  lingeringMs(nowMs: number): number {
    if (!this.#finishing || !this.quiet || this.socket.bufferedBytes > 0) return 0;
    this.#finishedMs ??= nowMs;
    return nowMs - this.#finishedMs;
  }
}

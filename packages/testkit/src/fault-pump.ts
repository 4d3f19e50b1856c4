// SPDX-License-Identifier: Apache-2.0
// One direction of one proxied connection: bytes in order from a source socket to a sink socket, with the
// faults that are set for that direction.
import type { Socket } from "node:net";

/** What is wrong with one direction at the moment. Shared by all connections of a proxy; changed in place. */
export interface DirectionFaults {
  /** Every chunk arrives this much later. */
  delayMs: number;
  /** Nothing moves; senders feel it once the kernel's buffers are full, as in a partition. */
  blackhole: boolean;
  /** Bytes a second; undefined for no limit. */
  bytesPerSecond: number | undefined;
  /** Longest piece handed on in one write; undefined for no limit. */
  pieceBytesMax: number | undefined;
  /** Changes the bytes on their way. */
  corrupt: ((bytes: Buffer) => Buffer) | undefined;
}

/** A direction without faults. */
export function noFaults(): DirectionFaults {
  return {
    delayMs: 0,
    blackhole: false,
    bytesPerSecond: undefined,
    pieceBytesMax: undefined,
    corrupt: undefined,
  };
}

/** Bytes held in the proxy before it stops reading from the source. */
const HELD_BYTES_MAX = 1024 * 1024;
/** Throttled bytes move in pieces of this part of a second. */
const THROTTLE_PIECES_PER_SECOND = 50;

interface Item {
  /** Undefined marks the end of the stream. */
  readonly bytes: Buffer | undefined;
  readonly dueMs: number;
}

export class FaultPump {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #faults: DirectionFaults;
  readonly #onBytes: (bytes: Buffer) => void;
  #queue: Item[] = [];
  #heldBytes = 0;
  #freeAtMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #open = true;
  #sinkReady = false;

  constructor(source: Socket, sink: Socket, faults: DirectionFaults, onBytes: (bytes: Buffer) => void) {
    this.#source = source;
    this.#sink = sink;
    this.#faults = faults;
    this.#onBytes = onBytes;
    source.on("data", (bytes: Buffer) => this.#take(bytes));
    source.on("end", () => this.#take(undefined));
    sink.on("drain", () => this.flush());
    this.flush();
  }

  /** The sink is connected: bytes may move. */
  start(): void {
    this.#sinkReady = true;
    this.flush();
  }

  /** Ends the stream towards the sink now; bytes not handed on are lost. */
  halfClose(): void {
    this.#clear();
    this.#open = false;
    this.#sink.end();
    // What still comes from the source goes nowhere, as after a shutdown of the sending side.
    this.#source.resume();
  }

  /** Forgets everything; the sockets are being destroyed. */
  stop(): void {
    this.#clear();
    this.#open = false;
  }

  /** Hands on what may move now. Called again whenever the faults change. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#open) return;
    while (this.#sinkReady && !this.#faults.blackhole && !this.#sink.writableNeedDrain) {
      const item = this.#queue[0];
      if (item === undefined) break;
      const waitMs = Math.max(item.dueMs, this.#freeAtMs) - performance.now();
      if (waitMs > 0) {
        // Node's timers may fire up to a millisecond early; one more makes the delay a lower bound.
        this.#timer = setTimeout(() => this.flush(), waitMs + 1);
        break;
      }
      this.#queue.shift();
      if (item.bytes === undefined) {
        this.#open = false;
        this.#sink.end();
        return;
      }
      this.#send(item.bytes, item.dueMs);
    }
    if (this.#faults.blackhole || this.#heldBytes > HELD_BYTES_MAX) this.#source.pause();
    else this.#source.resume();
  }

  #take(bytes: Buffer | undefined): void {
    if (!this.#open) return;
    const dueMs = this.#faults.delayMs === 0 ? 0 : performance.now() + this.#faults.delayMs;
    this.#heldBytes += bytes?.length ?? 0;
    this.#queue.push({ bytes, dueMs });
    if (this.#timer === undefined) this.flush();
  }

  /** Writes one piece; what is over the piece's limit goes back to the head of the queue. */
  #send(bytes: Buffer, dueMs: number): void {
    const { bytesPerSecond, pieceBytesMax, corrupt } = this.#faults;
    const throttledBytesMax =
      bytesPerSecond === undefined
        ? Number.POSITIVE_INFINITY
        : Math.max(1, Math.floor(bytesPerSecond / THROTTLE_PIECES_PER_SECOND));
    const length = Math.min(bytes.length, throttledBytesMax, pieceBytesMax ?? Number.POSITIVE_INFINITY);
    if (length < bytes.length) this.#queue.unshift({ bytes: bytes.subarray(length), dueMs });
    const piece = bytes.subarray(0, length);
    this.#heldBytes -= length;
    if (bytesPerSecond !== undefined) {
      this.#freeAtMs = Math.max(this.#freeAtMs, performance.now()) + (length * 1000) / bytesPerSecond;
    }
    this.#onBytes(piece);
    this.#sink.write(corrupt === undefined ? piece : corrupt(Buffer.from(piece)));
  }

  #clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#queue = [];
    this.#heldBytes = 0;
  }
}

// SPDX-License-Identifier: Apache-2.0
// One TCP (or TLS) connection to one server: frames out, batched to one write a tick; frames in, all of a
// chunk in one pass. It knows nothing of sessions; its parser state dies with it.
import {
  type Clock,
  type ConnectTarget,
  errorFrom,
  type Net,
  type Socket,
  type Timer,
} from "@meerkat/runtime";
import { FrameDecoder, JuteReader, JuteWriter } from "@meerkat/wire";
import { ZooKeeperError } from "../errors.ts";
import { type PipelineFigures, ReadPacer } from "./read-pacer.ts";

/** Written at once, before the tick ends, when so many bytes have gathered: bounds the slab. */
const BATCH_BYTES_MAX = 256 * 1024;
/** Above this many unsent bytes the connection counts as congested and new requests wait. */
const UNSENT_BYTES_MAX = 1024 * 1024;
/** Slab of the writer: some hundreds of small frames. */
const SLAB_BYTES = 32 * 1024;

/** Takes the events of a connection. It may be exchanged while the connection lives. */
export interface ConnectionHandler {
  /** The transport is up (with TLS: the handshake is done). */
  onConnect(): void;
  /** A frame; the reader stands at its first byte and is only valid during the call. */
  onFrame(reader: JuteReader): void;
  /** All whole frames of a chunk were handed over. */
  onChunkEnd(): void;
  /** The connection takes more after it was congested. */
  onDrain(): void;
  /** The last event, exactly once. */
  onClose(error: Error | undefined): void;
}

/** What a connection needs from outside. */
export interface ConnectionOptions {
  readonly net: Net;
  readonly clock: Clock;
  readonly target: ConnectTarget;
  /** Longest frame accepted from the server. */
  readonly frameBytesMax: number;
  /** Whether `paceReading` may do something. */
  readonly paceReads: boolean;
}

/** See the head of this file. Opened by the constructor; `onConnect` or `onClose` follows. */
export class Connection {
  /** Frames go in here; `scheduleFlush` sends them. */
  readonly writer: JuteWriter = new JuteWriter(SLAB_BYTES);
  /** Gets the events. */
  handler: ConnectionHandler;
  /** Monotonic time of the last bytes received (or of opening): proof that the server lives. */
  lastReceivedMs: number;
  /** Monotonic time of the last write. */
  lastSentMs: number;
  /** True between the first frame of a tick and the write at its end. */
  flushScheduled = false;
  /** True while too much is unsent; `onDrain` follows. */
  congested = false;

  readonly #clock: Clock;
  readonly #socket: Socket;
  readonly #decoder: FrameDecoder;
  readonly #reader: JuteReader = new JuteReader(Buffer.alloc(0));
  readonly #flush: () => void;
  readonly #pacer: ReadPacer | undefined;
  /** Stands while the socket is left unread. */
  #pause: Timer | undefined;
  #chunkBytes = 0;
  #closed = false;

  constructor(options: ConnectionOptions, handler: ConnectionHandler) {
    this.handler = handler;
    this.#clock = options.clock;
    this.lastReceivedMs = this.lastSentMs = options.clock.nowMs();
    this.#flush = () => this.flush();
    this.#pacer = options.paceReads ? new ReadPacer() : undefined;
    this.#decoder = new FrameDecoder(options.frameBytesMax, (bytes, start, end) => {
      this.#reader.reset(bytes, start, end);
      this.handler.onFrame(this.#reader);
      return !this.#closed;
    });
    this.#socket = options.net.connect(options.target, {
      onConnect: () => {
        if (!this.#closed) this.handler.onConnect();
      },
      onData: (chunk) => this.#onData(chunk),
      onDrain: () => {
        this.congested = false;
        if (!this.#closed) this.handler.onDrain();
      },
      onEnd: () => this.#socket.destroy(),
      onClose: (error) => {
        this.#closed = true;
        this.#endPause();
        this.handler.onClose(error);
      },
    });
  }

  /** Address of the server, for messages: `ip:port`. */
  get remote(): string {
    return `${this.#socket.remoteAddress}:${this.#socket.remotePort}`;
  }

  /** Sends the gathered frames when the current tick ends: one write, however many requests. */
  scheduleFlush(): void {
    if (this.writer.length >= BATCH_BYTES_MAX) {
      this.flush();
      return;
    }
    if (this.flushScheduled) return;
    this.flushScheduled = true;
    process.nextTick(this.#flush);
  }

  /** Sends the gathered frames now. */
  flush(): void {
    this.flushScheduled = false;
    if (this.#closed || this.writer.length === 0) return;
    this.lastSentMs = this.#clock.nowMs();
    if (!this.#socket.write(this.writer.take())) {
      // `write` says false above a few KiB, which a pipeline passes all the time; only a real backlog counts.
      this.congested = this.#socket.bufferedBytes > UNSENT_BYTES_MAX;
    }
  }

  /**
   * Call it at the end of a chunk with replies: leaves the socket unread for a moment where that saves
   * work, see `ReadPacer`.
   */
  paceReading(figures: PipelineFigures): void {
    if (this.#pacer === undefined || this.#closed || this.#pause !== undefined) return;
    const pauseMs = this.#pacer.pauseAfter(figures, this.#chunkBytes);
    if (pauseMs === 0) return;
    this.#socket.pause();
    this.#pause = this.#clock.after(pauseMs, () => {
      this.#pause = undefined;
      this.#socket.resume();
    });
  }

  /** Sends what is gathered and closes; the server sees an orderly end. */
  end(): void {
    this.flush();
    if (this.#endPause()) this.#socket.resume();
    this.#socket.end();
  }

  /** Closes at once. `onClose` follows with `error`. */
  destroy(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endPause();
    this.#socket.destroy(error);
  }

  /** True when there was a pause. */
  #endPause(): boolean {
    const pause = this.#pause;
    this.#pause = undefined;
    pause?.cancel();
    return pause !== undefined;
  }

  #onData(chunk: Buffer): void {
    if (this.#closed) return;
    this.lastReceivedMs = this.#clock.nowMs();
    this.#chunkBytes = chunk.length;
    try {
      this.#decoder.push(chunk);
      if (!this.#closed) this.handler.onChunkEnd();
    } catch (error) {
      // Bytes that make no sense, or a broken invariant of ours: either way this connection is not to be
      // trusted any more, and nothing else is harmed.
      this.destroy(
        new ZooKeeperError(
          "PROTOCOL_ERROR",
          `${this.remote} sent no valid reply: ${errorFrom(error).message}`,
          {
            effect: "unknown",
            cause: error,
          },
        ),
      );
    }
  }
}

/** For connections that nobody cares about any more. */
export const silentHandler: ConnectionHandler = {
  onConnect() {},
  onFrame() {},
  onChunkEnd() {},
  onDrain() {},
  onClose() {},
};

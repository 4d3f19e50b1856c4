// SPDX-License-Identifier: Apache-2.0
// A connection of a play: it sends frames, and waits for a number of replies or the end.
import net from "node:net";
import {
  ConnectRequest,
  ConnectResponse,
  FrameDecoder,
  JuteReader,
  JuteWriter,
  RequestHeader,
  Xid,
} from "@meerkat/wire";

const FRAME_BYTES_MAX = 16 * 1024 * 1024;
/** An answer that takes longer is none. */
const ANSWER_TIMEOUT_MS = 20_000;

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A length and what `write` writes. */
export function frameOf(write: (writer: JuteWriter) => void): Buffer {
  const writer = new JuteWriter();
  const start = writer.beginFrame();
  write(writer);
  writer.endFrame(start);
  return writer.take();
}

/** The frame of a request. */
export function requestFrame(xid: number, type: number, body: Buffer): Buffer {
  return frameOf((writer) => {
    RequestHeader.write(writer, { xid, type });
    writer.raw(body);
  });
}

export class PlayConnection {
  /** The last xid given out. */
  xid = 0;
  /** Answer to the first frame. */
  session: ConnectResponse | undefined;
  closed = false;
  readonly #socket: net.Socket;
  /** Frames that nobody took yet. */
  #frames: Buffer[] = [];
  #replies = 0;
  #wake: (() => void) | undefined;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    const decoder = new FrameDecoder(FRAME_BYTES_MAX, (bytes, start, end) => {
      this.#onFrame(Buffer.from(bytes.subarray(start, end)));
      return true;
    });
    socket.on("data", (chunk) => decoder.push(chunk));
    socket.on("error", () => {});
    socket.on("close", () => {
      this.closed = true;
      this.#wake?.();
    });
  }

  /** Opens TCP alone. */
  static async open(address: Address): Promise<PlayConnection> {
    const socket = net.connect({ host: address.host, port: address.port, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new PlayConnection(socket);
  }

  /** Sends the first frame; false when no answer came in time, true when it came or the connection closed. */
  async shakeHands(request: ConnectRequest): Promise<boolean> {
    this.send(frameOf((writer) => ConnectRequest.write(writer, request)));
    return this.#until(() => this.session !== undefined);
  }

  send(bytes: Buffer): void {
    if (!this.closed) this.#socket.write(bytes);
  }

  /** Waits for so many replies; false when they did not come in time, true also when the connection closed. */
  replies(count: number): Promise<boolean> {
    return this.#until(() => this.#replies >= count);
  }

  /** Waits for the other side to close. */
  end(): Promise<boolean> {
    return this.#until(() => false);
  }

  /** The frames since the last call: replies and notifications in their order. */
  take(): Buffer[] {
    const frames = this.#frames;
    this.#frames = [];
    this.#replies = 0;
    return frames;
  }

  /** Ends TCP. */
  destroy(): Promise<void> {
    const closed = this.closed
      ? Promise.resolve()
      : new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
    this.#socket.destroy();
    return closed;
  }

  #onFrame(frame: Buffer): void {
    if (this.session === undefined) this.session = ConnectResponse.read(new JuteReader(frame));
    else {
      this.#frames.push(frame);
      if (frame.readInt32BE(0) !== Xid.notification) this.#replies++;
    }
    this.#wake?.();
  }

  #until(isDone: () => boolean): Promise<boolean> {
    if (isDone() || this.closed) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(false), ANSWER_TIMEOUT_MS);
      const settle = (answered: boolean): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve(answered);
      };
      this.#wake = () => {
        if (isDone() || this.closed) settle(true);
      };
    });
  }
}

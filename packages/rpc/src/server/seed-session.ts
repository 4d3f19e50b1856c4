// SPDX-License-Identifier: Apache-2.0
// One connection of the seed's wire on the server. Calls are served one after the other and replies leave
// in their order, because the wire has no call numbers.
import type { Socket } from "@meerkat/runtime";
import { joinBytes } from "../bytes/byte-writer.ts";
import type { ArgumentValues } from "../protocol/seed/arguments.ts";
import { INTERNAL_TEXT, resultRangeText, unknownMethodText } from "../protocol/seed/fault-text.ts";
import { SeedFormatError } from "../protocol/seed/format.ts";
import { writeError, writeResult } from "../protocol/seed/reply-encoder.ts";
import { SeedRequestDecoder } from "../protocol/seed/request-decoder.ts";
import { CallScope } from "./call-scope.ts";
import type { SlotWaiter } from "./dispatcher.ts";
import type { BoundMethod } from "./implement.ts";
import type { SeedServerWire } from "./seed-wire.ts";
import type { ServerSession } from "./server-wire.ts";

/**
 * State of the connection. `open`: serving. `ending`: our direction is closed or about to be; what still
 * arrives is read and dropped, since unread bytes would turn the close into a reset that can swallow the
 * last reply. `closed`: the socket is gone.
 */
type State = "open" | "ending" | "closed";

/** Serves the calls of one connection. */
export class SeedSession implements ServerSession, SlotWaiter {
  readonly #wire: SeedServerWire;
  readonly #socket: Socket;
  readonly #decoder: SeedRequestDecoder;
  #state: State = "open";
  /** A handler runs or a slot is waited for: the next request stays in the queue. */
  #busy = false;
  /** The socket takes no more bytes for now. */
  #blocked = false;
  #paused = false;
  #peerEnded = false;
  #lastCall = false;
  /** Replies that were not given to the socket yet. */
  #replies: Buffer | undefined;
  #flushScheduled = false;
  /** The asynchronous call being served: there is at most one. */
  #method: BoundMethod | undefined;
  #scope: CallScope | undefined;
  // Made once a connection, not once a call.
  readonly #onFulfilled = (value: unknown): void => this.#onSettled(value, false);
  readonly #onRejected = (error: unknown): void => this.#onSettled(error, true);
  readonly #onFlush = (): void => {
    this.#flushScheduled = false;
    this.#flush();
  };

  constructor(wire: SeedServerWire, socket: Socket) {
    this.#wire = wire;
    this.#socket = socket;
    this.#decoder = new SeedRequestDecoder(wire.settings);
  }

  get busy(): boolean {
    return this.#busy;
  }

  get quiet(): boolean {
    return !this.#busy && this.#replies === undefined && this.#decoder.queue.length === 0;
  }

  onData(chunk: Buffer): void {
    if (this.#state !== "open") return;
    this.#decoder.queue.feed(chunk);
    this.#pump();
    this.#decoder.queue.keep();
    this.#flush();
  }

  onDrain(): void {
    this.#blocked = false;
    this.#pump();
    this.#flush();
  }

  onEnd(): void {
    this.#peerEnded = true;
    this.#flush();
  }

  onClose(): void {
    this.#state = "closed";
    this.#replies = undefined;
    this.#decoder.queue.clear();
    this.#wire.dispatcher.forget(this);
    this.#scope?.abandon(new Error("the client is gone"));
  }

  finish(): void {
    this.#lastCall = true;
    this.#flush();
  }

  onSlot(): void {
    this.#busy = false;
    if (this.#state !== "open" || this.#lastCall) {
      this.#wire.dispatcher.leave();
    } else if (this.#serveNext()) {
      this.#pump();
    }
    this.#scheduleFlush();
  }

  /** Serves requests until one has to be waited for. */
  #pump(): void {
    while (this.#state === "open" && !this.#busy && !this.#blocked && !this.#lastCall) {
      // Without a whole request the slot goes straight back; asking first keeps its bytes in one place.
      if (!this.#wire.dispatcher.enter(this)) this.#busy = true;
      else if (!this.#serveNext()) break;
    }
  }

  /** With a slot taken: serves the next request. False when there is none yet. */
  #serveNext(): boolean {
    const { dispatcher } = this.#wire;
    const decoder = this.#decoder;
    try {
      if (!decoder.next()) {
        dispatcher.leave();
        return false;
      }
    } catch (error) {
      dispatcher.leave();
      if (!(error instanceof SeedFormatError)) throw error;
      this.#formatFailed(error);
      return false;
    }
    dispatcher.stats.requests++;
    const method = dispatcher.find(decoder.name);
    if (method === undefined) {
      this.#unknownMethod(decoder.name);
      dispatcher.leave();
      return true;
    }
    const args = this.#wire.parser.read(
      method.contract,
      decoder.queue.bytes,
      decoder.argsStart,
      decoder.argsEnd,
    );
    if (typeof args === "string") {
      dispatcher.stats.badArguments++;
      this.#replyError(args);
      dispatcher.leave();
    } else {
      this.#run(method, args);
    }
    return true;
  }

  #run(method: BoundMethod, args: ArgumentValues): void {
    const scope = new CallScope(method, this.#socket, this.#wire.name);
    let result: unknown;
    try {
      result = method.handler(args, scope);
      if (isThenable(result)) {
        this.#busy = true;
        this.#method = method;
        this.#scope = scope;
        result.then(this.#onFulfilled, this.#onRejected);
        return;
      }
      this.#replyResult(method, result);
    } catch (error) {
      this.#replyThrown(method, error);
    }
    this.#wire.dispatcher.leave();
  }

  #onSettled(outcome: unknown, rejected: boolean): void {
    const method = this.#method;
    // A thenable of the user's may call back twice.
    if (method === undefined) return;
    this.#busy = false;
    this.#method = undefined;
    this.#scope = undefined;
    if (this.#state === "closed") this.#wire.dispatcher.stats.abandoned++;
    if (rejected) this.#replyThrown(method, outcome);
    else this.#replyResult(method, outcome);
    this.#wire.dispatcher.leave();
    this.#pump();
    this.#scheduleFlush();
  }

  #replyResult(method: BoundMethod, value: unknown): void {
    const { dispatcher, writer } = this.#wire;
    const type = method.contract.result;
    const problem = type.problem(value);
    if (problem === undefined) {
      dispatcher.stats.results++;
      writeResult(writer, type, value);
      this.#stage();
      return;
    }
    dispatcher.handlerFailed(method, new TypeError(`the result does not fit ${type.name}: ${problem}`));
    const isNumber = typeof value === "number";
    this.#replyError(isNumber ? resultRangeText(method.contract.name, type.name) : INTERNAL_TEXT);
  }

  #replyThrown(method: BoundMethod, thrown: unknown): void {
    this.#replyError(this.#wire.dispatcher.declaredMessage(method, thrown) ?? INTERNAL_TEXT);
  }

  #replyError(text: string): void {
    writeError(this.#wire.writer, text, this.#wire.settings.errorTextBytesMax);
    this.#stage();
  }

  #unknownMethod(name: string): void {
    const { dispatcher, logger, settings } = this.#wire;
    dispatcher.stats.unknownMethods++;
    logger.debug({ method: name, client: this.#socket.remoteAddress }, "unknown method called");
    if (settings.onUnknownMethod === "error") this.#replyError(unknownMethodText(name));
    else if (settings.onUnknownMethod === "close") this.#lastCall = true;
  }

  /** Where the next request starts is lost, so nothing that follows could be trusted. */
  #formatFailed(error: SeedFormatError): void {
    const { dispatcher, logger } = this.#wire;
    dispatcher.stats.formatErrors++;
    logger.debug(
      { client: this.#socket.remoteAddress, err: error },
      "not the seed's wire: connection dropped",
    );
    this.#write();
    this.#state = "ending";
    this.#decoder.queue.clear();
    this.#socket.destroy();
  }

  /** Takes the reply just written out of the shared writer. */
  #stage(): void {
    const reply = this.#wire.writer.take();
    if (this.#state !== "open") return;
    this.#replies = this.#replies === undefined ? reply : joinBytes(this.#replies, reply);
  }

  /**
   * Replies of asynchronous handlers leave together at the end of the tick: `nextTick` callbacks run when
   * no promise reaction is left.
   */
  #scheduleFlush(): void {
    if (this.#flushScheduled || this.#state === "closed") return;
    this.#flushScheduled = true;
    process.nextTick(this.#onFlush);
  }

  #write(): void {
    const replies = this.#replies;
    if (replies === undefined || this.#state !== "open") return;
    this.#replies = undefined;
    if (!this.#socket.write(replies)) this.#blocked = true;
  }

  /** Hands replies to the socket, then sees to what follows from the new state. */
  #flush(): void {
    this.#write();
    if (this.#state !== "open") return;
    if (!this.#busy && (this.#lastCall || (this.#peerEnded && !this.#blocked))) this.#end();
    else this.#regulate();
  }

  #end(): void {
    // After `finish` the client did nothing wrong: what it sent meanwhile is not a torn request.
    if (this.#peerEnded && !this.#lastCall && !this.#decoder.atBoundary) {
      this.#wire.dispatcher.stats.truncatedRequests++;
    }
    this.#state = "ending";
    this.#decoder.queue.clear();
    if (this.#paused) this.#socket.resume();
    this.#socket.end();
  }

  /** Stops reading while requests pile up that cannot be served yet. */
  #regulate(): void {
    const full =
      (this.#busy || this.#blocked) && this.#decoder.queue.length > this.#wire.settings.highWaterBytes;
    if (full === this.#paused) return;
    this.#paused = full;
    if (full) this.#socket.pause();
    else this.#socket.resume();
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
  );
}

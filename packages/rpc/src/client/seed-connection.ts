// SPDX-License-Identifier: Apache-2.0
// One connection of the seed's wire on the client. It carries one call at a time: the wire has no call
// numbers, and peers that read more than they should break on pipelined requests.
import type { Runtime, Socket, SocketHandler, Timer } from "@meerkat/runtime";
import { InvalidOperation, RpcError, type RpcErrorContext } from "../errors.ts";
import { faultOf } from "../protocol/seed/fault-text.ts";
import { SeedFormatError } from "../protocol/seed/format.ts";
import { SeedReplyDecoder } from "../protocol/seed/reply-decoder.ts";
import type { ConnectionSettings } from "./options.ts";
import type { PooledCall } from "./pooled-call.ts";

/** What a connection tells its pool. */
export interface ConnectionPool {
  /** The call is answered and the connection may take another. */
  onFree(connection: SeedConnection): void;
  /** The connection is of no use any more. Told exactly once. */
  onGone(connection: SeedConnection): void;
}

/** `connecting` has a call from the start; `open` has one or is free; `closed` is final. */
type State = "connecting" | "open" | "closed";

/** Connects for a call, carries it and others after it. */
export class SeedConnection implements SocketHandler {
  readonly #pool: ConnectionPool;
  readonly #decoder: SeedReplyDecoder;
  readonly #socket: Socket;
  readonly #endpoint: string;
  #connectTimer: Timer | undefined;
  #state: State = "connecting";
  #call: PooledCall | undefined;
  /** Since when it has been free; meaningful while it is. */
  freeSinceMs = 0;

  constructor(
    pool: ConnectionPool,
    target: { readonly host: string; readonly port: number },
    call: PooledCall,
    options: { readonly runtime: Runtime; readonly settings: ConnectionSettings },
  ) {
    const { runtime, settings } = options;
    this.#pool = pool;
    this.#endpoint = call.endpoint;
    this.#decoder = new SeedReplyDecoder(settings.errorTextBytesMax, settings.unknownReply);
    this.#call = call;
    call.owner = this;
    call.connecting();
    const { connectTimeoutMs } = settings;
    this.#connectTimer = runtime.clock.after(connectTimeoutMs, () => this.#connectTimedOut(connectTimeoutMs));
    this.#socket = runtime.net.connect(target, this);
  }

  /** Writes the request of a call. Only for a free connection. */
  send(call: PooledCall): void {
    this.#call = call;
    call.owner = this;
    call.writing();
    // One write with the whole request: some peers read less carefully than TCP demands.
    this.#socket.write(call.request);
  }

  /** Closes at once. A call in progress stays to be settled by whoever closes. */
  destroy(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#connectTimer?.cancel();
    this.#call = undefined;
    this.#socket.destroy();
    this.#pool.onGone(this);
  }

  get connected(): boolean {
    return this.#state === "open";
  }

  abandon(call: PooledCall): void {
    if (this.#call === call) this.destroy();
  }

  /** Ends the call in progress, if there is one, and the connection. */
  fail(error: RpcError): void {
    const call = this.#call;
    this.destroy();
    call?.reject(error);
  }

  onConnect(): void {
    if (this.#state !== "connecting") return;
    this.#state = "open";
    this.#connectTimer?.cancel();
    const call = this.#call;
    if (call !== undefined) this.send(call);
  }

  onData(chunk: Buffer): void {
    const call = this.#call;
    if (call === undefined) {
      // Nothing was asked: whatever these bytes are, the next reply could not be told from them.
      this.destroy();
      return;
    }
    try {
      if (!this.#decoder.push(chunk, call.method.result)) return;
    } catch (error) {
      if (!(error instanceof SeedFormatError)) throw error;
      this.fail(this.#error("PROTOCOL_ERROR", "unknown", `does not speak the seed's wire: ${error.message}`));
      return;
    }
    // The connection is free before the caller hears of it, so that its next call finds it.
    this.#call = undefined;
    if (this.#decoder.reusable) this.#pool.onFree(this);
    else this.destroy();
    if (this.#decoder.isResult) call.resolve(this.#decoder.value);
    else call.reject(this.#replyError(call, this.#decoder.text));
  }

  onEnd(): void {
    this.#lost(undefined);
  }

  onClose(error: Error | undefined): void {
    this.#lost(error);
  }

  #lost(cause: Error | undefined): void {
    if (this.#call === undefined) {
      this.destroy();
      return;
    }
    const reason = cause === undefined ? "closed the connection" : `is lost: ${cause.message}`;
    if (this.#state === "connecting") {
      this.fail(
        this.#error("CONNECT_FAILED", "none", `cannot be reached: ${cause?.message ?? "closed"}`, cause),
      );
    } else {
      this.fail(this.#error("CONNECTION_LOST", "unknown", `${reason} before the reply`, cause));
    }
  }

  #connectTimedOut(connectTimeoutMs: number): void {
    this.fail(
      this.#error("CONNECT_TIMEOUT", "none", `did not accept a connection within ${connectTimeoutMs} ms`),
    );
  }

  /** An error of the connection: other calls on it would meet the same. */
  #error(
    code: "CONNECT_FAILED" | "CONNECT_TIMEOUT" | "CONNECTION_LOST" | "PROTOCOL_ERROR",
    effect: "none" | "unknown",
    what: string,
    cause?: Error,
  ): RpcError {
    const context: RpcErrorContext = {
      method: this.#call?.method.name,
      endpoint: this.#endpoint,
      connection: true,
      timing: this.#call?.timing(),
    };
    return new RpcError(`${this.#endpoint} ${what}`, { code, effect, context, cause });
  }

  #replyError(call: PooledCall, text: string): RpcError {
    const { method, endpoint } = call;
    const context: RpcErrorContext = { method: method.name, endpoint, connection: false };
    const fault = faultOf(text, method.name);
    if (fault !== undefined) {
      return new RpcError(`${endpoint} refused ${method.name}: ${text}`, { ...fault, context });
    }
    const DeclaredError = method.errors[0] ?? InvalidOperation;
    return new DeclaredError(text, { context });
  }
}

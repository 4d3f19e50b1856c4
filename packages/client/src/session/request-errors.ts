// SPDX-License-Identifier: Apache-2.0
// Words and effects for every way in which a request can fail.
import type { Chroot } from "../chroot.ts";
import { serverError, ZooKeeperError, type ZooKeeperErrorCode } from "../errors.ts";
import type { Request } from "./request.ts";

/** Makes the errors of requests. Each names the operation, the caller's path, the cause and what helps. */
export class RequestErrors {
  readonly #chroot: Chroot;
  readonly #explain: () => string;

  /** `explain` says why there is no connection. */
  constructor(chroot: Chroot, explain: () => string) {
    this.#chroot = chroot;
    this.#explain = explain;
  }

  /** An error whose effect follows from how far the request came. */
  of(request: Request, code: ZooKeeperErrorCode, why: string, cause?: unknown): ZooKeeperError {
    const path = this.#chroot.inward(request.path);
    const operation = request.operation.name;
    const suffix = why.endsWith(`(${code})`) ? "" : ` (${code})`;
    return new ZooKeeperError(code, `${operation} ${path}: ${why}${suffix}`, {
      // Not written: surely not executed. A read leaves nothing behind either way.
      effect: request.xid === 0 || request.operation.replayable ? "none" : "unknown",
      context: { path, operation },
      cause,
    });
  }

  /** The server answered with an error code. */
  refused(request: Request, err: number): ZooKeeperError {
    return serverError(err, request.operation.name, this.#chroot.inward(request.path));
  }

  connectionLoss(request: Request, reason: Error | undefined): ZooKeeperError {
    const why = request.operation.replayable
      ? `the connection was lost ${request.replays + 1} times before the reply`
      : "the connection was lost before the reply; it may or may not have been executed";
    return this.of(request, "CONNECTION_LOSS", why, reason);
  }

  timedOut(request: Request, nowTick: number): ZooKeeperError {
    const why =
      request.xid === 0
        ? `not sent within ${request.timeoutMs} ms: ${this.#explain()}`
        : `no reply within ${request.timeoutMs} ms (sent ${nowTick - request.sentTick} ms ago)`;
    return this.of(request, "TIMEOUT", why);
  }

  aborted(request: Request, signal: AbortSignal): ZooKeeperError {
    const why = request.xid === 0 ? "aborted before it was sent" : "aborted before the reply";
    return this.of(request, "ABORTED", why, signal.reason);
  }

  queueFull(request: Request, waitingMax: number): ZooKeeperError {
    const why = `${waitingMax} requests wait already; slow down or raise waitingMax`;
    return this.of(request, "QUEUE_FULL", why);
  }

  tooLarge(request: Request, frameBytes: number, requestBytesMax: number): ZooKeeperError {
    const why =
      `the request has ${frameBytes} bytes, the limit is ${requestBytesMax}. Keep znodes small and store large ` +
      "data elsewhere, or raise jute.maxbuffer on all servers and requestBytesMax here";
    return this.of(request, "REQUEST_TOO_LARGE", why);
  }

  unwritable(request: Request, cause: unknown): ZooKeeperError {
    return this.of(request, "MARSHALLING_ERROR", "the arguments cannot be written", cause);
  }

  unreadable(request: Request, cause: unknown): ZooKeeperError {
    return this.of(request, "PROTOCOL_ERROR", "the reply is malformed", cause);
  }
}

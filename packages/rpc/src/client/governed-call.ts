// SPDX-License-Identifier: Apache-2.0
import {
  type AttemptContext,
  type Endpoint,
  type GovernanceError,
  isGovernanceError,
} from "@meerkat/governance";
import type { MethodContract } from "../contract.ts";
import { RpcError, type RpcErrorCode } from "../errors.ts";
import type { ConnectionPool } from "./connection-pool.ts";
import type { PooledCall } from "./pooled-call.ts";

/** What governance ends a call with, in the words of this package. */
const CODES: Readonly<Partial<Record<string, RpcErrorCode>>> = {
  DEADLINE_EXCEEDED: "TIMEOUT",
  ABORTED: "ABORTED",
  CLOSED: "CLOSED",
};

/** One call of a client over all its attempts. */
export class GovernedCall {
  readonly #pool: ConnectionPool;
  readonly #method: MethodContract;
  readonly #request: Buffer;
  #attempt: PooledCall | undefined;
  #attempts = 0;
  /** Whether an earlier attempt may have been executed. */
  #earlierWritten = false;

  constructor(pool: ConnectionPool, method: MethodContract, request: Buffer) {
    this.#pool = pool;
    this.#method = method;
    this.#request = request;
  }

  /** For `ServiceCaller.call`. */
  readonly attempt = (endpoint: Endpoint, _context: AttemptContext): Promise<unknown> => {
    const previous = this.#attempt;
    if (previous !== undefined) {
      this.#earlierWritten ||= previous.written;
      // An attempt that took too long is given up before the next one starts.
      previous.cancel(this.#superseded(previous));
    }
    this.#attempts++;
    this.#attempt = this.#pool.call(endpoint, this.#method, this.#request);
    return this.#attempt.promise;
  };

  /** What the caller gets for what governance rejected with. Gives up the attempt still in progress. */
  failure(thrown: unknown): unknown {
    if (!isGovernanceError(thrown)) return thrown;
    const code = CODES[thrown.code];
    if (code === undefined) return thrown;
    const attempt = this.#attempt;
    const error = this.#ended(thrown, code, attempt);
    // The one waiting was told by governance; this rejection only reaches the attempt's own promise.
    attempt?.cancel(error);
    return error;
  }

  #ended(thrown: GovernanceError, code: RpcErrorCode, attempt: PooledCall | undefined): RpcError {
    const { name } = this.#method;
    const timing = attempt?.timing();
    const where =
      attempt === undefined || timing === undefined
        ? "no server was chosen yet"
        : `attempt ${this.#attempts} at ${attempt.endpoint} was ${Math.round(timing.queuedMs)} ms queued, ` +
          `${Math.round(timing.connectingMs)} ms connecting, ${Math.round(timing.inFlightMs)} ms in flight`;
    const written = this.#earlierWritten || attempt?.written === true;
    return new RpcError(`${name}: ${thrown.message}; ${where}`, {
      code,
      effect: written ? "unknown" : "none",
      context: { method: name, endpoint: attempt?.endpoint, connection: false, timing },
      cause: thrown.cause ?? thrown,
    });
  }

  #superseded(attempt: PooledCall): RpcError {
    return new RpcError(`${this.#method.name}: given up for another attempt`, {
      code: "ABORTED",
      effect: attempt.written ? "unknown" : "none",
      context: { method: this.#method.name, endpoint: attempt.endpoint, connection: false },
    });
  }
}

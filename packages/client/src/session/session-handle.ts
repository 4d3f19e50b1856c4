// SPDX-License-Identifier: Apache-2.0
import type { ZooKeeperError } from "../errors.ts";

/**
 * One session, as those see it who hold something of it (a lock, a lease, an ephemeral znode). A client
 * that renews its session gets a new handle; the old one stays lost.
 */
export class SessionHandle {
  /** The session's id; 0n when there has been none yet. */
  readonly id: bigint;
  /**
   * Aborts when the session can no longer be vouched for: it expired, it was closed, or by this client's
   * own clock the server may have given it up. Never later than the server does. The reason is a
   * `ZooKeeperError`.
   */
  readonly lost: AbortSignal;
  readonly #controller = new AbortController();
  readonly #vouchedMs: () => number;

  /** `vouchedMs` tells how long the session is surely alive. */
  constructor(id: bigint, vouchedMs: () => number) {
    this.id = id;
    this.lost = this.#controller.signal;
    this.#vouchedMs = vouchedMs;
  }

  /**
   * For how many milliseconds from now the server surely keeps the session: 0 when it is lost. Read from
   * the clock, so it is right even when a stalled event loop has not fired `lost` yet. Check it before a
   * step that must not happen without the session.
   */
  get vouchedMs(): number {
    return this.lost.aborted ? 0 : Math.max(0, this.#vouchedMs());
  }

  /** @internal Ends it. */
  end(reason: ZooKeeperError): void {
    this.#controller.abort(reason);
  }
}

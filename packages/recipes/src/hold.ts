// SPDX-License-Identifier: Apache-2.0
// What one has while one holds something: a value with an end.
import type { CallOptions, ZooKeeperClient } from "@meerkat/client";
import { untilAborted, withTimeout } from "@meerkat/runtime";
import type { Contender } from "./contender.ts";
import { onAbort } from "./on-abort.ts";
import { RecipeError } from "./recipe-error.ts";

/**
 * When a holder has to give up. `lost`: when its session can no longer be vouched for, which is never
 * later than the server gives it to others. `suspended`: already when the connection breaks, for holders
 * that write to something ZooKeeper cannot see and want the longest head start.
 */
export type LossPolicy = "lost" | "suspended";

/** What several handles share: the place in the queue, given up with the last of them. */
export class Possession {
  readonly contender: Contender;
  /** Aborts when it can no longer be vouched for. */
  readonly lost: AbortSignal;
  readonly #controller = new AbortController();
  readonly #unlink: (() => void)[] = [];
  #handles = 0;
  #end: Promise<void> | undefined;

  constructor(contender: Contender, policy: LossPolicy) {
    this.contender = contender;
    this.lost = this.#controller.signal;
    this.#unlink.push(onAbort(contender.lost, () => this.#lose(contender.lost.reason)));
    if (policy === "suspended") this.#loseWhenSuspended(contender.queue.client);
  }

  get handles(): number {
    return this.#handles;
  }

  /** True while the holder may act on it. */
  get isSure(): boolean {
    return !this.lost.aborted && this.contender.alive;
  }

  add(): void {
    this.#handles++;
  }

  /** One handle less, in favour of another. */
  passOn(): void {
    this.#handles--;
  }

  /** One handle less; the last one leaves the queue. */
  async drop(): Promise<void> {
    if (--this.#handles === 0) this.#end ??= this.#leave();
    // One that is lost need not be waited for: whoever comes next does not depend on the deletion.
    if (!this.lost.aborted) await untilAborted(this.#end ?? Promise.resolve(), this.lost).catch(() => {});
  }

  #leave(): Promise<void> {
    for (const each of this.#unlink.splice(1)) each();
    return this.contender.leave().finally(() => {
      for (const each of this.#unlink.splice(0)) each();
    });
  }

  #lose(reason: unknown): void {
    this.#controller.abort(reason);
    // It is over for good, even when the session comes through: nobody must wait for its znodes.
    this.#end ??= this.#leave();
  }

  #loseWhenSuspended(client: ZooKeeperClient): void {
    const { path } = this.contender;
    const lose = (): void => {
      const message = `${path} was given up: the connection is lost, and the policy is "suspended"`;
      this.#lose(new RecipeError("LOST", message, { context: { path, reason: "suspended" } }));
    };
    const stop = client.onState((state) => {
      if (state !== "connected") lose();
    });
    this.#unlink.push(stop);
    if (client.state !== "connected") lose();
  }
}

/**
 * Something held: a lock, a lease, a leadership. Use it with `await using`, or call `release`.
 *
 * What it promises: from the grant until `signal` aborts nobody else holds it, as far as the servers'
 * and this machine's clocks run at the same speed. What it cannot: stop a process that was frozen in the
 * middle of a step. Check `assertHeld` before each step that must not happen without it, and let the
 * resource refuse a `token` lower than one it has seen (or put `fence()` first in a `multi`).
 */
export class Hold implements AsyncDisposable {
  /** Who else can be asked: path of the znode behind it. */
  readonly path: string;
  /** Fencing token: each later holder's is higher (creation zxid of the znode). */
  readonly token: bigint;
  /** The session that it stands on. */
  readonly sessionId: bigint;
  /**
   * Aborts when it can no longer be vouched for (`LOST`: the session, by policy the connection, or the
   * znode is gone) and when it is released (`RELEASED`). The reason is a `RecipeError`.
   */
  readonly signal: AbortSignal;
  readonly #possession: Possession;
  readonly #controller = new AbortController();
  readonly #unlink: () => void;
  #released: Promise<void> | undefined;

  /** @internal */
  constructor(possession: Possession) {
    const { contender } = possession;
    this.#possession = possession;
    this.path = contender.path;
    this.token = contender.token;
    this.sessionId = contender.session.id;
    this.signal = this.#controller.signal;
    possession.add();
    this.#unlink = onAbort(possession.lost, () => this.#controller.abort(possession.lost.reason));
  }

  /** True while it is surely held; from the clock, so right also after a stall of this process. */
  get isHeld(): boolean {
    return !this.signal.aborted && this.#possession.isSure;
  }

  /**
   * Throws unless it is held and, with `forMs`, surely will be for so long: `LOST`, or `RELEASED` after
   * `release`.
   */
  assertHeld(forMs: number = 0): void {
    if (this.signal.aborted) throw this.signal.reason;
    const { contender } = this.#possession;
    const { vouchedMs } = contender.session;
    if (contender.alive && vouchedMs >= forMs) return;
    const { path } = this;
    const message = `${path} is vouched for only for ${Math.round(vouchedMs)} ms more, not ${forMs}`;
    throw new RecipeError("LOST", message, { context: { path, reason: "session" } });
  }

  /**
   * Operation to put first into a `multi`: the rest is done only while the znode behind this hold is there,
   * as the server itself sees it at that moment.
   */
  fence(): { readonly op: "check"; readonly path: string } {
    return { op: "check", path: this.path };
  }

  /**
   * A second handle on the same: what is held is given up with the last handle. For code that calls itself
   * again. Throws `LOST` or `RELEASED`.
   */
  reenter(): Hold {
    this.assertHeld();
    return new Hold(this.#possession);
  }

  /**
   * Gives it up; idempotent, never rejects for what goes wrong with the connection: the deletion is tried
   * until it is done or the session has ended. Resolves when the server has confirmed it. The options end
   * the waiting (`TIMEOUT`, `ABORTED`), not the deletion.
   */
  async release(call: CallOptions = {}): Promise<void> {
    this.#released ??= this.#release();
    const { timeoutMs = 0 } = call;
    if (timeoutMs <= 0) return untilAborted(this.#released, call.signal);
    const released = this.#released;
    const { runtime } = this.#possession.contender.queue;
    const timeoutError = (): Error =>
      new RecipeError("TIMEOUT", `${this.path} is not deleted after ${timeoutMs} ms; it will be`, {
        effect: "unknown",
        context: { path: this.path, timeoutMs },
      });
    return withTimeout(runtime.clock, { timeoutMs, signal: call.signal, timeoutError }, () => released);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** @internal The shared state, for the recipes that exchange what is held. */
  get possession(): Possession {
    return this.#possession;
  }

  /** @internal Ends this handle without giving up what is held: another one stands for it now. */
  retire(): void {
    if (this.#released !== undefined) return;
    this.#released = Promise.resolve();
    this.#possession.passOn();
    this.#endSignal();
  }

  #release(): Promise<void> {
    this.#endSignal();
    return this.#possession.drop();
  }

  #endSignal(): void {
    this.#unlink();
    if (this.signal.aborted) return;
    const { path } = this;
    this.#controller.abort(new RecipeError("RELEASED", `${path} was released`, { context: { path } }));
  }
}

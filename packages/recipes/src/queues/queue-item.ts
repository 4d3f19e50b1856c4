// SPDX-License-Identifier: Apache-2.0
import type { Codec } from "@meerkat/client";
import { onAbort } from "../on-abort.ts";
import { RecipeError } from "../recipe-error.ts";
import type { WaitOptions } from "../wait-scope.ts";

/** What an item needs of its queue. */
export interface ItemOwner {
  /** Removes the entry and the claim in one step. */
  acknowledge(item: ClaimedEntry, options: WaitOptions): Promise<void>;
  /** Gives the claim up. Never rejects. */
  unclaim(item: ClaimedEntry): Promise<void>;
}

/** An entry that this process has. */
export interface ClaimedEntry {
  /** Name of the entry. */
  readonly name: string;
  readonly czxid: bigint;
  /** Session of the claim; undefined where taking has deleted the entry. */
  readonly owner: bigint | undefined;
}

/**
 * An item that was taken and that nobody else gets meanwhile. End it with `ack` (it is done) or `release`
 * (others may have it), or leave the block of `await using`, which releases what was not acknowledged. When
 * the process dies or its session is lost, the item goes to another consumer.
 */
export class QueueItem<T> implements AsyncDisposable {
  /** Path of the entry. */
  readonly path: string;
  /** The payload as it was put. A Curator entry of several gives the first here; see `payloads`. */
  readonly data: Buffer;
  /** All payloads of the entry: more than one only for entries that Curator's `putMulti` made. */
  readonly payloads: readonly Buffer[];
  /** zxid of the entry's creation: the same for every consumer that ever gets it, so a key against doing it twice. */
  readonly token: bigint;
  /** Aborts when the claim can no longer be vouched for: another consumer may have the item. */
  readonly signal: AbortSignal;
  readonly #codec: Codec<T>;
  readonly #owner: ItemOwner;
  readonly #entry: ClaimedEntry;
  readonly #controller = new AbortController();
  readonly #unlink: () => void;
  readonly #onEnd: () => void;
  #state: "held" | "acknowledged" | "released" = "held";
  #released: Promise<void> | undefined;

  /** @internal */
  constructor(options: {
    readonly path: string;
    readonly payloads: readonly Buffer[];
    readonly codec: Codec<T>;
    readonly owner: ItemOwner;
    readonly entry: ClaimedEntry;
    /** Of the session; undefined where nothing can be lost any more. */
    readonly lost: AbortSignal | undefined;
    readonly onEnd: (item: QueueItem<T>) => void;
  }) {
    this.path = options.path;
    this.payloads = options.payloads;
    this.data = options.payloads[0] ?? Buffer.alloc(0);
    this.token = options.entry.czxid;
    this.#codec = options.codec;
    this.#owner = options.owner;
    this.#entry = options.entry;
    this.signal = this.#controller.signal;
    this.#onEnd = () => options.onEnd(this);
    this.#unlink =
      options.lost === undefined
        ? () => {}
        : onAbort(options.lost, () => this.#controller.abort(this.#lost()));
  }

  /** The payload as a value. Throws what the codec throws: then `data` has the bytes. */
  get value(): T {
    return this.#codec.decode(this.data);
  }

  /**
   * Removes the item for good; once resolved nobody gets it any more. Rejects with `LOST` when the claim was
   * lost before (the item is, or will be, another's), with `RELEASED` after `release`; effect unknown when
   * the session ended before the outcome could be seen, or by `timeoutMs` or `signal` of the call.
   */
  async ack(options: WaitOptions = {}): Promise<void> {
    if (this.#state === "acknowledged") return;
    if (this.#state === "released") {
      throw new RecipeError("RELEASED", `${this.path} was given back; only its holder can acknowledge it`, {
        context: { path: this.path },
      });
    }
    await this.#owner.acknowledge(this.#entry, options);
    this.#state = "acknowledged";
    this.#end();
  }

  /** Lets others have the item. Does nothing after `ack`. Resolves when the claim is gone. */
  release(): Promise<void> {
    if (this.#state === "held") {
      this.#state = "released";
      this.#end();
      this.#released = this.#owner.unclaim(this.#entry);
    }
    return this.#released ?? Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  #end(): void {
    this.#unlink();
    this.#onEnd();
  }

  #lost(): RecipeError {
    return new RecipeError(
      "LOST",
      `${this.path}: the session of the claim is over; another may have the item`,
      {
        context: { path: this.path, reason: "session" },
      },
    );
  }
}

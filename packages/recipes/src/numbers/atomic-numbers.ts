// SPDX-License-Identifier: Apache-2.0
// The numbers that Kazoo and Curator share between processes, as their bytes.
import type { Codec, ZooKeeperClient } from "@meerkat/client";
import { InvalidArgumentError } from "@meerkat/runtime";
import type { WaitOptions } from "../wait-scope.ts";
import { type AtomicChange, AtomicValue, type AtomicValueOptions } from "./atomic-value.ts";

function exactly(length: number, data: Buffer): Buffer {
  if (data.length !== length) throw new RangeError(`${length} bytes are expected, got ${data.length}`);
  return data;
}

const int64: Codec<bigint> = {
  name: "64-bit integer",
  encode(value) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(BigInt.asIntN(64, value));
    return bytes;
  },
  decode: (data) => exactly(8, data).readBigInt64BE(),
};

const int32: Codec<number> = {
  name: "32-bit integer",
  encode(value) {
    if (!Number.isInteger(value))
      throw new InvalidArgumentError("value", `a whole number is expected, got ${value}`);
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value | 0);
    return bytes;
  },
  decode: (data) => exactly(4, data).readInt32BE(),
};

/** What Python's `int` or `float` reads and `repr` writes. */
const decimal: Codec<number> = {
  name: "decimal",
  encode(value) {
    const fits = Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value);
    if (!fits) {
      throw new InvalidArgumentError(
        "value",
        `a counter holds whole numbers up to 2^53 or finite ones, not ${value}`,
      );
    }
    return Buffer.from(String(value), "ascii");
  },
  decode(data) {
    const text = data.toString("ascii").trim();
    const value = Number(text);
    if (text === "" || !Number.isFinite(value) || (/^[+-]?\d+$/.test(text) && !Number.isSafeInteger(value))) {
      throw new RangeError("no number that this counter can hold");
    }
    return value;
  },
};

/** Options of the numbers. */
export interface AtomicNumberOptions<N> extends AtomicValueOptions {
  /** What a missing or empty znode stands for; default 0. */
  readonly initial?: N | undefined;
}

/**
 * A 64-bit integer that wraps around as Java's does. The layout is that of Curator's DistributedAtomicLong:
 * eight bytes, the highest first. For `lock` of the options give the mutex of Curator's PromotedToLock path.
 */
export class AtomicLong extends AtomicValue<bigint> {
  constructor(client: ZooKeeperClient, path: string, options: AtomicNumberOptions<bigint> = {}) {
    super(client, path, { codec: int64, initial: options.initial ?? 0n }, options);
  }

  /** Adds, negative numbers too. Limits and errors as of `update`. */
  add(delta: bigint, options?: WaitOptions): Promise<AtomicChange<bigint>> {
    return this.update((value) => BigInt.asIntN(64, value + delta), options) as Promise<AtomicChange<bigint>>;
  }

  increment(options?: WaitOptions): Promise<AtomicChange<bigint>> {
    return this.add(1n, options);
  }

  decrement(options?: WaitOptions): Promise<AtomicChange<bigint>> {
    return this.add(-1n, options);
  }
}

/** The base of those whose values are JavaScript numbers. */
abstract class NumberValue extends AtomicValue<number> {
  protected abstract sum(value: number, delta: number): number;

  /** Adds, negative numbers too. Limits and errors as of `update`. */
  add(delta: number, options?: WaitOptions): Promise<AtomicChange<number>> {
    return this.update((value) => this.sum(value, delta), options) as Promise<AtomicChange<number>>;
  }

  increment(options?: WaitOptions): Promise<AtomicChange<number>> {
    return this.add(1, options);
  }

  decrement(options?: WaitOptions): Promise<AtomicChange<number>> {
    return this.add(-1, options);
  }
}

/**
 * A 32-bit integer that wraps around as Java's does: four bytes, the highest first. The layout is that of
 * Curator's SharedCount and DistributedAtomicInteger, and of Kazoo's Counter with `support_curator`. With
 * `watch` and `trySet` it does what SharedCount does.
 */
export class AtomicInteger extends NumberValue {
  constructor(client: ZooKeeperClient, path: string, options: AtomicNumberOptions<number> = {}) {
    super(client, path, { codec: int32, initial: options.initial ?? 0 }, options);
  }

  protected sum(value: number, delta: number): number {
    return (value + delta) | 0;
  }
}

/**
 * A shared counter in text, as people can read it. The layout is that of Kazoo's Counter: the decimal form
 * of an integer or a float. Rejects with `InvalidArgumentError` what it cannot hold exactly (integers beyond
 * 2^53, no number).
 */
export class Counter extends NumberValue {
  constructor(client: ZooKeeperClient, path: string, options: AtomicNumberOptions<number> = {}) {
    super(client, path, { codec: decimal, initial: options.initial ?? 0 }, options);
  }

  protected sum(value: number, delta: number): number {
    return value + delta;
  }
}

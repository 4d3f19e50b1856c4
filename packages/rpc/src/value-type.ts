// SPDX-License-Identifier: Apache-2.0
// The types that arguments and results may have. Each is one value that checks, writes and reads; a new
// type is a new value here, and nothing else changes.
import type { ByteReader } from "./bytes/byte-reader.ts";
import type { ByteWriter } from "./bytes/byte-writer.ts";

/** How a TypeScript type `T` crosses the wire. */
export interface ValueType<T> {
  /** Name in messages and schemas, such as `i32`. */
  readonly name: string;
  /** Size on the wire. */
  readonly bytes: number;
  /** What is wrong with `value` as a value of this type; undefined when it can be written exactly so. */
  problem(value: unknown): string | undefined;
  /** Appends a value that `problem` found nothing wrong with. */
  write(writer: ByteWriter, value: T): void;
  /** Reads a value; throws `TruncatedError` when the frame ends too early. */
  read(reader: ByteReader): T;
}

/** A signed 32-bit integer. */
export const i32: ValueType<number> = {
  name: "i32",
  bytes: 4,
  problem(value) {
    if (typeof value === "number" && (value | 0) === value) return undefined;
    return `${describe(value)} is not an integer from -2147483648 to 2147483647`;
  },
  write(writer, value) {
    writer.u32(value);
  },
  read: (reader) => reader.i32(),
};

/**
 * An IEEE 754 single: about seven significant digits. Not-a-number and the infinities cross as they are;
 * a finite number beyond the range is refused, since it would silently become infinite.
 */
export const f32: ValueType<number> = {
  name: "f32",
  bytes: 4,
  problem(value) {
    if (typeof value !== "number") return `${describe(value)} is not a number`;
    if (Number.isFinite(value) && !Number.isFinite(Math.fround(value))) {
      return `${value} is beyond the range of a 32-bit float`;
    }
    return undefined;
  },
  write(writer, value) {
    writer.f32(value);
  },
  read: (reader) => reader.f32(),
};

function describe(value: unknown): string {
  return typeof value === "number" || typeof value === "bigint" || typeof value === "boolean"
    ? String(value)
    : value === null
      ? "null"
      : `a value of type ${typeof value}`;
}

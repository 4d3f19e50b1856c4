// SPDX-License-Identifier: Apache-2.0
// The block of arguments, both directions:
//   Args => (seq:u8 value)*
// The width of a value is not on the wire: both ends know it from the contract.
import { InvalidArgumentError } from "@meerkat/runtime";
import { ByteReader, TruncatedError } from "../../bytes/byte-reader.ts";
import type { ByteWriter } from "../../bytes/byte-writer.ts";
import type { MethodContract } from "../../contract.ts";
import { argumentFaultText } from "./fault-text.ts";

/** Arguments by name. */
export type ArgumentValues = Record<string, unknown>;

/**
 * Appends a whole request. Arguments equal to their default are left out, as the seed's client does.
 * Throws `InvalidArgumentError`, with nothing written, for a value that does not fit the contract.
 */
export function writeRequest(writer: ByteWriter, method: MethodContract, values: ArgumentValues): void {
  const before = writer.length;
  writer.u32(method.name.length);
  for (let index = 0; index < method.name.length; index++) writer.u8(method.name.charCodeAt(index));
  const hole = writer.hole();
  for (const argument of method.args) {
    const value = values[argument.name];
    if (value === undefined) {
      if (argument.presence !== "required") continue;
      writer.truncate(before);
      throw new InvalidArgumentError(argument.name, `${method.name} needs the argument ${argument.name}`);
    }
    if (argument.presence === "defaulted" && Object.is(value, argument.default)) continue;
    const problem = argument.type.problem(value);
    if (problem !== undefined) {
      writer.truncate(before);
      throw new InvalidArgumentError(argument.name, `${argument.name} of ${method.name}: ${problem}`);
    }
    writer.u8(argument.seq);
    argument.type.write(writer, value);
  }
  writer.patch(hole);
}

/** What a server does with an argument that is given twice: the seed's Python server takes the last. */
export type DuplicatePolicy = "last" | "error";

/** Parses argument blocks. One per server: it keeps no state between two calls of `read`. */
export class ArgumentParser {
  readonly #reader = new ByteReader();
  readonly #duplicates: DuplicatePolicy;

  constructor(duplicates: DuplicatePolicy) {
    this.#duplicates = duplicates;
  }

  /**
   * The arguments in `bytes[start, end)` with defaults filled in; or, as a string, the text of the error
   * to reply. Never throws and never looks beyond `end`, so the stream stays in step either way.
   */
  read(method: MethodContract, bytes: Buffer, start: number, end: number): ArgumentValues | string {
    const reader = this.#reader;
    reader.reset(bytes, start, end);
    const values: unknown[] = [];
    while (reader.remaining > 0) {
      const seq = reader.u8();
      const argument = method.argsBySeq[seq];
      if (argument === undefined) return argumentFaultText("unknown", seq, method.name);
      if (this.#duplicates === "error" && values[seq] !== undefined) {
        return argumentFaultText("duplicate", argument.name, method.name);
      }
      try {
        values[seq] = argument.type.read(reader);
      } catch (error) {
        if (!(error instanceof TruncatedError)) throw error;
        return argumentFaultText("truncated", argument.name, method.name);
      }
    }
    const named: ArgumentValues = {};
    for (const argument of method.args) {
      const value = values[argument.seq];
      if (value !== undefined) named[argument.name] = value;
      else if (argument.presence === "defaulted") named[argument.name] = argument.default;
      else if (argument.presence === "required") {
        return argumentFaultText("missing", argument.name, method.name);
      }
    }
    return named;
  }
}

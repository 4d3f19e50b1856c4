// SPDX-License-Identifier: Apache-2.0
// The data that `set` and `create` write: an argument, a file or standard input.
import { readFile } from "node:fs/promises";
import { untilAborted } from "@meerkat/runtime";
import type { Io } from "./io.ts";
import { UsageError } from "./usage-error.ts";

/** Flags beside the DATA argument. */
export interface DataFlags {
  readonly file?: string;
}

/**
 * Most bytes read from a file or stdin. Far above what a server takes by default (1 MB, jute.maxbuffer),
 * so that the server's own limit speaks, but an endless pipe ends.
 */
const DATA_BYTES_MAX = 256 * 1024 * 1024;

/**
 * The data to write, or undefined when none was given. Standard input is only read when asked for by `-`:
 * a script whose stdin happens to be an open pipe must not hang.
 */
export async function readData(
  text: string | undefined,
  flags: DataFlags,
  io: Pick<Io, "stdin" | "signal">,
): Promise<Uint8Array | undefined> {
  if (text !== undefined && flags.file !== undefined) {
    throw new UsageError("give DATA or --file, not both");
  }
  if (text === "-" || flags.file === "-") return untilAborted(readAll(io), io.signal);
  if (flags.file !== undefined) return readFile(flags.file);
  return text === undefined ? undefined : Buffer.from(text);
}

async function readAll({ stdin }: Pick<Io, "stdin">): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk as Uint8Array);
    length += bytes.length;
    if (length > DATA_BYTES_MAX) throw new Error(`stdin holds more than ${DATA_BYTES_MAX} bytes of data`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

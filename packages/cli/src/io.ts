// SPDX-License-Identifier: Apache-2.0
// What a command sees of its process: streams, environment, colours and the signal that ends it. Commands
// never touch `process` themselves, so each can be run by a test or from another program.
import type { Readable } from "node:stream";
import pc from "picocolors";

/** Functions that wrap text in colour codes, or leave it as it is. */
export type Colors = ReturnType<typeof pc.createColors>;

/** An output stream with what a terminal adds to it. */
export interface Output {
  readonly stream: NodeJS.WritableStream;
  /** Whether a person looks at it: then data is made printable and views may be redrawn in place. */
  readonly isTerminal: boolean;
  readonly colors: Colors;
}

/** The environment variables that commands look at. */
export interface Environment {
  readonly MEERKAT_ZOOKEEPER?: string | undefined;
  readonly MEERKAT_AUTH?: string | undefined;
  readonly MEERKAT_TLS_PASSPHRASE?: string | undefined;
  readonly NO_COLOR?: string | undefined;
  readonly FORCE_COLOR?: string | undefined;
  readonly TERM?: string | undefined;
}

/** The outside of a command. */
export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Environment;
  /** Aborts at SIGINT, SIGTERM or SIGHUP and when nobody reads stdout any more. */
  readonly signal: AbortSignal;
}

/** Why `Io.signal` aborted. */
export class InterruptedError extends Error {
  /** Name of the signal, or `EPIPE` when the reader of stdout went away. */
  readonly reason: NodeJS.Signals | "EPIPE";

  constructor(reason: NodeJS.Signals | "EPIPE") {
    super(`interrupted by ${reason}`);
    this.reason = reason;
  }
}

/** Whether to colour a stream: a terminal, unless NO_COLOR or TERM=dumb; FORCE_COLOR overrules. */
export function wantsColors(isTerminal: boolean, env: Environment): boolean {
  const forced = env.FORCE_COLOR;
  if (forced !== undefined && forced !== "") return forced !== "0" && forced !== "false";
  const refused = env.NO_COLOR;
  if (refused !== undefined && refused !== "") return false;
  return isTerminal && env.TERM !== "dumb";
}

/** Wraps a stream. */
export function createOutput(
  stream: NodeJS.WritableStream & { readonly isTTY?: boolean },
  env: Environment,
): Output {
  const isTerminal = stream.isTTY === true;
  return { stream, isTerminal, colors: pc.createColors(wantsColors(isTerminal, env)) };
}

/** Writes many lines at once. */
export function writeLines(output: Output, lines: readonly string[]): void {
  if (lines.length > 0) output.stream.write(`${lines.join("\n")}\n`);
}

/** Writes a line. */
export function writeLine(output: Output, line: string): void {
  output.stream.write(`${line}\n`);
}

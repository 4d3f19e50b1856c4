// SPDX-License-Identifier: Apache-2.0
// The command as a process: signals, broken pipes and exit codes. The commands themselves are in
// `commands/`, one per file.
import { CommanderError } from "commander";
import { explainError } from "./explain-error.ts";
import { createOutput, InterruptedError, type Io, writeLine } from "./io.ts";
import { createProgram } from "./program.ts";
import { UsageError } from "./usage-error.ts";

/** Signals that ask the command to end. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** What a shell reports for a process that a signal ended: 128 and the signal's number. */
const SIGNAL_EXIT_CODES: Readonly<Record<string, number>> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/**
 * Runs the command line `argv` (without the interpreter and the script) and returns the exit code: 0 done,
 * 1 the operation failed, 2 bad usage, 128 and the signal's number when a signal cut an operation short.
 * The first signal lets the command clean up; a second one ends the process at once.
 */
export async function main(argv: readonly string[]): Promise<number> {
  const controller = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(SIGNAL_EXIT_CODES[signal] ?? 1);
    controller.abort(new InterruptedError(signal));
  };
  // A reader that has seen enough (`meerkat ls -R / | head`) is no failure.
  const onOutputError = (error: NodeJS.ErrnoException): void => {
    if (error.code === "EPIPE") controller.abort(new InterruptedError("EPIPE"));
    else outputError ??= error;
  };
  let outputError: Error | undefined;
  for (const signal of SIGNALS) process.on(signal, onSignal);
  process.stdout.on("error", onOutputError);
  process.stderr.on("error", onOutputError);
  const { MEERKAT_ZOOKEEPER, MEERKAT_AUTH, MEERKAT_TLS_PASSPHRASE, NO_COLOR, FORCE_COLOR, TERM } =
    process.env;
  const env = { MEERKAT_ZOOKEEPER, MEERKAT_AUTH, MEERKAT_TLS_PASSPHRASE, NO_COLOR, FORCE_COLOR, TERM };
  const io: Io = {
    stdin: process.stdin,
    stdout: createOutput(process.stdout, env),
    stderr: createOutput(process.stderr, env),
    env,
    signal: controller.signal,
  };
  try {
    const exitCode = await runCommand(argv, io);
    // What was not written is not done, say because the disk is full.
    return exitCode === 0 && outputError !== undefined ? report(outputError, io) : exitCode;
  } finally {
    for (const signal of SIGNALS) process.removeListener(signal, onSignal);
  }
}

/** Parses and runs one command line; every outcome becomes an exit code and, if bad, lines on stderr. */
export async function runCommand(argv: readonly string[], io: Io): Promise<number> {
  let exitCode = 0;
  const program = createProgram(io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return exitCode;
  } catch (error) {
    return report(error, io);
  }
}

function report(error: unknown, io: Io): number {
  // Commander has printed its message already; help and version end with its exit code 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (io.signal.aborted) {
    const { reason } = io.signal;
    if (reason instanceof InterruptedError) return SIGNAL_EXIT_CODES[reason.reason] ?? 0;
  }
  const { message, hint, isUsage } = explainError(error);
  const { colors } = io.stderr;
  writeLine(io.stderr, `${colors.red("meerkat:")} ${message}`);
  if (hint !== undefined) writeLine(io.stderr, `  ${colors.dim("hint:")} ${hint}`);
  return isUsage || error instanceof UsageError ? 2 : 1;
}

// SPDX-License-Identifier: Apache-2.0
// The real command as a process, as a user or a script runs it.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Program, runProgram } from "@meerkat/testkit";

/** The committed entry point. */
export const MEERKAT: string = fileURLToPath(
  new URL("../../../packages/cli/bin/meerkat.js", import.meta.url),
);

/** The outcome of a command that has ended. */
export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Buffer;
}

/** How to run it. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Written to stdin, which then ends. Without it stdin stays open and empty. */
  readonly input?: string | Buffer;
}

/** The environment without what would change the command's behaviour. */
function environment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { MEERKAT_ZOOKEEPER, MEERKAT_AUTH, FORCE_COLOR, NO_COLOR, ...rest } = process.env;
  return { ...rest, ...extra };
}

/** A command that should end by itself and does not is killed, so that a failed test leaves nothing. */
const RUN_TIMEOUT_MS = 40_000;

/** Runs a command to its end. */
export function meerkat(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MEERKAT, ...args], {
      env: environment(options.env),
      timeout: RUN_TIMEOUT_MS,
      killSignal: "SIGKILL",
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on("error", () => {});
    if (options.input !== undefined) child.stdin.end(options.input);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const bytes = Buffer.concat(stdout);
      resolve({ code, signal, bytes, stdout: bytes.toString(), stderr: Buffer.concat(stderr).toString() });
    });
  });
}

/** Starts a command that goes on until it is told to end. */
export function startMeerkat(args: readonly string[], env: Readonly<Record<string, string>> = {}): Program {
  return runProgram(process.execPath, {
    args: [MEERKAT, ...args],
    env: { MEERKAT_ZOOKEEPER: "", MEERKAT_AUTH: "", FORCE_COLOR: "", ...env },
  });
}

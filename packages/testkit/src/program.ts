// SPDX-License-Identifier: Apache-2.0
// Other programs as peers of a test: started for real, read line by line, ended with real signals.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { timingMultiple } from "./await-condition.ts";
import { PYTHON } from "./missing-tools.ts";
import { reapProcess } from "./reaper.ts";
import { TestkitError } from "./testkit-error.ts";

/** Characters of stdout and stderr that are kept for error messages. */
const OUTPUT_CHARS_MAX = 16_000;
const LINE_TIMEOUT_DEFAULT_MS = 20_000;

/** How a program ended. */
export interface ProgramExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Options of `runProgram`. */
export interface ProgramOptions {
  readonly args?: readonly string[] | undefined;
  readonly cwd?: string | undefined;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** A running program. Lines of its stdout are kept until they are read with `line`. */
export class Program implements AsyncDisposable {
  readonly pid: number;
  /** Settles when the program has ended and its output is read. Never rejects. */
  readonly exited: Promise<ProgramExit>;
  readonly #name: string;
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  #output = "";
  #stdout = "";
  #exit: ProgramExit | undefined;
  #wake: (() => void)[] = [];

  /** @internal Use `runProgram`. */
  constructor(name: string, child: ChildProcess) {
    this.#name = name;
    this.#process = child;
    this.pid = child.pid as number;
    const unlist = reapProcess(this.pid);
    if (child.stdout === null || child.stderr === null) throw new Error("a program needs its pipes");
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.#lines.push(line);
      this.#stdout += `${line}\n`;
      this.#keep(`${line}\n`);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => this.#keep(text));
    child.stdin?.on("error", () => {});
    child.on("exit", unlist);
    this.exited = new Promise((resolve) => {
      child.on("close", (code, signal) => {
        this.#exit = { code, signal };
        this.#wakeAll();
        resolve(this.#exit);
      });
    });
  }

  /** All of stdout so far. */
  get stdout(): string {
    return this.#stdout;
  }

  /** The tail of stdout and stderr as they came. */
  get output(): string {
    return this.#output;
  }

  /** How it ended, or undefined while it runs. */
  get exit(): ProgramExit | undefined {
    return this.#exit;
  }

  /**
   * The next line of stdout that matches (any, when left out); lines before it are dropped. Rejects with
   * `TIMEOUT` (default 20 s, times `TIMING_MULTIPLE`) or, when the program ends first, `EXITED`.
   */
  async line(
    match: string | RegExp = /^/,
    options: { readonly timeoutMs?: number | undefined } = {},
  ): Promise<string> {
    const fits = (line: string): boolean =>
      typeof match === "string" ? line.startsWith(match) : match.test(line);
    const timeoutMs = (options.timeoutMs ?? LINE_TIMEOUT_DEFAULT_MS) * timingMultiple();
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
        if (fits(line)) return line;
      }
      const { output } = this;
      if (this.#exit !== undefined) {
        const { code, signal } = this.#exit;
        throw new TestkitError(
          "EXITED",
          `${this.#name} ended (${signal ?? code}) before a line ${match} came`,
          { output },
        );
      }
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) {
        throw new TestkitError("TIMEOUT", `${this.#name} printed no line ${match} in ${timeoutMs} ms`, {
          output,
        });
      }
      await this.#change(leftMs);
    }
  }

  /** Writes a line to the program's stdin. */
  send(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  /** Closes the program's stdin. */
  endInput(): void {
    this.#process.stdin?.end();
  }

  /** Sends a signal (SIGKILL when left out) and, unless it only stops or continues, waits for the end. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.#exit === undefined) this.#process.kill(signal);
    if (signal !== "SIGSTOP" && signal !== "SIGCONT") await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill("SIGKILL");
  }

  #keep(text: string): void {
    this.#output = (this.#output + text).slice(-OUTPUT_CHARS_MAX);
    this.#wakeAll();
  }

  #wakeAll(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }

  /** Waits for a line, the end, or the time. */
  #change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#wake.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

/**
 * Starts a program with pipes on stdin, stdout and stderr. It dies with the test process. Throws
 * `NOT_STARTED` when there is no such program.
 */
export function runProgram(command: string, options: ProgramOptions = {}): Program {
  const child = spawn(command, options.args ?? [], {
    stdio: ["pipe", "pipe", "pipe"],
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
  });
  child.on("error", () => {});
  if (child.pid === undefined) throw new TestkitError("NOT_STARTED", `${command} cannot be started`);
  return new Program([command, ...(options.args ?? [])].join(" "), child);
}

/** A Python program as a peer. */
export type PythonPeer = Program;

/**
 * Runs a Python file with Debian's interpreter, which has Debian's kazoo. Output is unbuffered, so that a
 * line is here as soon as it is printed.
 */
export function runPython(script: string, args: readonly string[] = []): PythonPeer {
  return runProgram(PYTHON, { args: ["-u", script, ...args] });
}

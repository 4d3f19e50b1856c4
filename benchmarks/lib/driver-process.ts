// SPDX-License-Identifier: Apache-2.0
// A measured program in a process of its own, told what to do in JSON lines on stdin and answering in JSON
// lines on stdout. `drivers/serve.ts` is the other end.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Characters of stderr that are kept for the message of a failure. */
const STDERR_CHARS_MAX = 4000;
const CLOSE_TIMEOUT_MS = 20_000;
const CALL_TIMEOUT_MS = 360_000;

/** How to start a driver. */
export interface DriverCommand {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A running driver. Calls are answered in order. It ends when our end of its stdin closes. */
export class DriverProcess implements AsyncDisposable {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #waiting: Waiting[] = [];
  readonly #exited: Promise<void>;
  #stderr = "";
  #gone: Error | undefined;

  constructor(command: DriverCommand) {
    this.name = command.name;
    this.#child = spawn(command.program, command.args, { stdio: ["pipe", "pipe", "pipe"] });
    this.#exited = new Promise((resolve) => {
      this.#child.once("error", (error) => {
        this.#fail(error);
        resolve();
      });
      this.#child.once("close", (code, signal) => {
        this.#fail(new Error(`driver ${this.name} ended (${signal ?? code})\n${this.#stderr}`));
        resolve();
      });
    });
    this.#child.stdin?.on("error", () => {});
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARS_MAX);
    });
    if (this.#child.stdout !== null) {
      createInterface({ input: this.#child.stdout }).on("line", (line) => this.#onLine(line));
    }
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`driver ${this.name} does not run`);
    return pid;
  }

  /** Sends a command and gives its answer. Rejects when the driver says `error`, ends or is too slow. */
  call<Answer>(verb: string, args: object = {}): Promise<Answer> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    return new Promise<Answer>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#fail(new Error(`driver ${this.name} did not answer to ${verb}`));
        this.#child.kill("SIGKILL");
      }, CALL_TIMEOUT_MS);
      this.#waiting.push({
        resolve: (answer) => {
          clearTimeout(timer);
          resolve(answer as Answer);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.#child.stdin?.write(`${JSON.stringify({ verb, ...args })}\n`);
    });
  }

  /** Closes the driver's stdin and waits for its end; kills it when that takes too long. Idempotent. */
  async close(): Promise<void> {
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), CLOSE_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #onLine(line: string): void {
    // Libraries print to stdout as they like; answers are objects.
    if (!line.startsWith("{")) return;
    const waiting = this.#waiting.shift();
    const answer = JSON.parse(line) as { readonly error?: string };
    if (answer.error === undefined) waiting?.resolve(answer);
    else waiting?.reject(new Error(`driver ${this.name}: ${answer.error}`));
  }

  #fail(error: Error): void {
    this.#gone ??= error;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
  }
}

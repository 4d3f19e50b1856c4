// SPDX-License-Identifier: Apache-2.0
// A child process of the demo: started, watched, and ended for certain.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type Clock, deferred, sleep } from "@meerkat/runtime";

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Characters of stderr kept to explain a process that ended by itself. */
const STDERR_CHARS_MAX = 2_000;

/** A Node.js program running beside this process. */
export class ManagedProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  readonly #ended: Promise<ProcessEnd>;
  #end: ProcessEnd | undefined;
  #stderr = "";

  private constructor(name: string, child: ChildProcess, clock: Clock, onLine: (line: string) => void) {
    this.name = name;
    this.#child = child;
    this.#clock = clock;
    const { promise, resolve } = deferred<ProcessEnd>();
    this.#ended = promise;
    child.once("exit", (code, signal) => {
      this.#end = { code, signal };
      resolve(this.#end);
    });
    if (child.stdout !== null) createInterface({ input: child.stdout }).on("line", onLine);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARS_MAX);
    });
  }

  /**
   * Runs `script` with this process's own interpreter. It leads a process group of its own, so a Ctrl-C
   * in the terminal reaches only the demo, which then ends its children in order. Rejects when it cannot
   * be started.
   */
  static async start(
    name: string,
    script: string,
    args: readonly string[],
    options: { readonly clock: Clock; readonly onLine?: (line: string) => void },
  ): Promise<ManagedProcess> {
    const child = spawn(process.execPath, [script, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const managed = new ManagedProcess(name, child, options.clock, options.onLine ?? (() => {}));
    await once(child, "spawn");
    return managed;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Set once the process is gone. */
  get end(): ProcessEnd | undefined {
    return this.#end;
  }

  /** Resolves when the process is gone. */
  get ended(): Promise<ProcessEnd> {
    return this.#ended;
  }

  /** Why it is gone, for people: exit code or signal and the end of what it wrote to stderr. */
  describeEnd(): string {
    const { code, signal } = this.#end ?? { code: null, signal: null };
    const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
    const said = this.#stderr.trim();
    return `${this.name} ${how}${said === "" ? "" : `, saying:\n${said}`}`;
  }

  /** Sends a signal; nothing happens when the process is gone. */
  signal(signal: NodeJS.Signals): void {
    if (this.#end === undefined) this.#child.kill(signal);
  }

  /** Asks the process to end and, after `graceMs`, makes it. Resolves when it is gone. */
  async stop(graceMs: number): Promise<void> {
    if (this.#end !== undefined) return;
    const controller = new AbortController();
    this.signal("SIGTERM");
    const force = sleep(this.#clock, graceMs, controller.signal).then(
      () => this.signal("SIGKILL"),
      () => {},
    );
    await this.#ended;
    controller.abort();
    await force;
  }
}

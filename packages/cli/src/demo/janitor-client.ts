// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The demo's side of `janitor.ts`. */
export class Janitor {
  readonly #child: ChildProcess;

  constructor() {
    const script = fileURLToPath(new URL("./janitor.js", import.meta.url));
    this.#child = spawn(process.execPath, [script], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    // Neither its absence nor its end is a reason to fail: it only matters when the demo dies.
    this.#child.on("error", () => {});
    this.#child.stdin?.on("error", () => {});
    this.#child.unref();
  }

  /** A process that must not outlive the demo. */
  addProcess(pid: number): void {
    this.#tell(`process ${pid}`);
  }

  /** A process that has ended: its id may soon be somebody else's. */
  dropProcess(pid: number): void {
    this.#tell(`gone ${pid}`);
  }

  /** A folder to remove. */
  addFolder(path: string): void {
    this.#tell(`folder ${path}`);
  }

  /** All is cleaned up: the janitor leaves. */
  dismiss(): void {
    this.#tell("done");
    this.#child.stdin?.end();
  }

  #tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }
}

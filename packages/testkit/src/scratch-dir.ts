// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reapDirectory } from "./reaper.ts";

/** A directory of one test, gone with everything in it after the test. */
export class ScratchDir implements AsyncDisposable {
  readonly path: string;
  readonly #unlist: () => void;

  /** @internal Use `scratchDir`. */
  constructor(path: string) {
    this.path = path;
    this.#unlist = reapDirectory(path);
  }

  /** A path inside the directory. */
  join(...parts: readonly string[]): string {
    return join(this.path, ...parts);
  }

  /** Removes the directory; idempotent. */
  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
    this.#unlist();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.remove();
  }
}

/** Makes an empty directory under the system's temporary one. */
export async function scratchDir(): Promise<ScratchDir> {
  return new ScratchDir(await mkdtemp(join(tmpdir(), "meerkat-test-")));
}

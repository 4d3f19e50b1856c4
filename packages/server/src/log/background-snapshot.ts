// SPDX-License-Identifier: Apache-2.0
// Runs `mergeSnapshot` in a thread of its own, so that serving clients goes on undisturbed.
//
// A worker needs a JavaScript file. Run from `dist`, it stands beside this one. Run from the TypeScript
// sources (tests), the one in `dist` is taken, so the package must have been built, as `npm test` does.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { errorFrom, systemFiles } from "@meerkat/runtime";
import { type MergeOptions, type MergeResult, mergeSnapshot } from "./snapshot-merge.ts";

/** What goes to the worker. Functions cannot cross, so it uses the system's files. */
export type SnapshotJob = Omit<MergeOptions, "files">;

/** What comes back. */
export type SnapshotJobResult =
  | { readonly ok: true; readonly result: MergeResult }
  | { readonly ok: false; readonly message: string };

/** A snapshot in the making. */
export interface RunningSnapshot {
  /** Rejects when the snapshot could not be written or was stopped. */
  readonly done: Promise<MergeResult>;
  /** Gives up; resolves when nothing runs any more. What was written so far is removed at the next start. */
  stop(): Promise<void>;
}

/** Where the worker's file is; undefined when the program was bundled without it. */
export function workerFile(): string | undefined {
  const url = import.meta.url.endsWith(".ts")
    ? new URL("../../dist/log/snapshot-worker.js", import.meta.url)
    : new URL("./snapshot-worker.js", import.meta.url);
  const path = fileURLToPath(url);
  return existsSync(path) ? path : undefined;
}

/**
 * Begins a snapshot. In a worker thread on the system's files; with other files (tests), or without the
 * worker's file, in this thread, which then gives way to the event loop after every megabyte.
 */
export function startSnapshot(options: MergeOptions): RunningSnapshot {
  const file = options.files === systemFiles ? workerFile() : undefined;
  if (file !== undefined) return inWorker(file, options);
  const done = mergeSnapshot(options);
  return {
    done,
    stop: () => done.then(ignore, ignore),
  };
}

function ignore(): void {}

function inWorker(file: string, options: MergeOptions): RunningSnapshot {
  const { snapshotDirectory, logDirectory, throughZxid } = options;
  const job: SnapshotJob = { snapshotDirectory, logDirectory, throughZxid };
  // Flags of this process (loaders, inspectors) are not for the worker.
  const worker = new Worker(file, { workerData: job, execArgv: [] });
  const done = new Promise<MergeResult>((resolve, reject) => {
    worker.once("message", (message: SnapshotJobResult) => {
      if (message.ok) resolve(message.result);
      else reject(new Error(message.message));
    });
    worker.once("error", (error) => reject(errorFrom(error)));
    worker.once("exit", (code) => reject(new Error(`the snapshot's worker ended with code ${code}`)));
  });
  return {
    done,
    async stop() {
      await worker.terminate();
      await done.then(ignore, ignore);
    },
  };
}
